"""URNs of things: what their identity is made of. Names that become URNs: ``contracts/test_names.py``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from datahub_llmops import urns
from datahub_llmops.assets.collections import Container
from datahub_llmops.urns import Deployment
from support.paths import ROOT

PACKAGE = ROOT / "connectors" / "datahub_llmops"
BUILDERS = frozenset({"urns.py", "assets/index_identity.py", "catalog/urn_text.py"})
"""The others write the same text without DataHub, for the hooks and the command; tests compare them."""


def test_platform_instance_is_a_prefix_and_env_is_kept() -> None:
    deployment = Deployment(platform="chroma", env="DEV", instance="eu")
    assert (
        urns.collection(deployment, ("db", "docs"))
        == "urn:li:dataset:(urn:li:dataPlatform:chroma,eu.db.docs,DEV)"
    )


def test_container_identity_is_its_path_and_place() -> None:
    server = Container(kind="Server", name="a/b")
    database = Container(kind="Database", name="c")
    deployment = Deployment(platform="chroma")
    paths = [
        (server,),
        (server, database),
        (Container(kind="Server", name="a"), Container(kind="b", name="c")),
        (Container(kind="Server", name='a"],["b'), database),
    ]
    found = {urns.container(deployment, path) for path in paths}
    assert len(found) == len(paths)
    assert urns.container(Deployment(platform="chroma", instance="eu"), paths[0]) not in found
    # Facts of a level are not part of its identity: an upgraded server is the same container.
    newer = Container(kind="Server", name="a/b", properties={"version": "2"})
    assert urns.container(deployment, (newer,)) == urns.container(deployment, (server,))


def test_a_model_without_a_provider_is_on_the_custom_platform() -> None:
    assert urns.model("my-model", env="PROD") == "urn:li:mlModel:(urn:li:dataPlatform:custom,my-model,PROD)"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            urns.prompt_version("langfuse", "support/answer", "3", env="DEV"),
            "urn:li:dataset:(urn:li:dataPlatform:langfuse,support/answer.v3,DEV)",
        ),
        (
            urns.prompt("langchain", "support-bot", "0123456789abcdef", env="PROD"),
            "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.prompt-0123456789ab,PROD)",
        ),
        (
            urns.retriever("llama-index", "support-bot", "docs (new)", env="PROD"),
            "urn:li:dataset:(urn:li:dataPlatform:llama-index,support-bot.docs %28new%29,PROD)",
        ),
        (
            urns.answer_log("langchain", "support-bot", env="PROD"),
            "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)",
        ),
        (
            urns.process_instance({"run": "1"}),
            "urn:li:dataProcessInstance:6cdb0afb3aa460785be559aa6617958d",
        ),
        (
            urns.embedding_mismatch("urn:li:dataset:(urn:li:dataPlatform:chroma,db.docs,PROD)"),
            "urn:li:incident:a533366d728b52589cfe9e3fe697047a",
        ),
        (urns.data_type("number"), "urn:li:dataType:datahub.number"),
        (urns.entity_type("mlModel"), "urn:li:entityType:datahub.mlModel"),
    ],
)
def test_a_urn_never_changes(found: str, expected: str) -> None:
    # Another one would be another asset, without the history, owners and lineage of the first.
    assert found == expected


def built(tree: ast.AST) -> Iterator[int]:
    """Lines that build a URN: an f-string with a value after ``urn:li:<type>:``, or a call of DataHub's builders."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            before = (part.value for part in node.values[:-1] if isinstance(part, ast.Constant))
            if any(re.search(r"urn:li:\w+:", str(text)) for text in before):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name.endswith("Urn") or name == "datahub_guid" or (name.startswith("make_") and "urn" in name):
                yield node.lineno


def test_nobody_else_builds_urns() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in BUILDERS
        for line in built(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "statement",
    [
        'f"urn:li:dataset:({platform},{name},PROD)"',
        "DatasetUrn(platform=platform, name=name, env=env)",
        "make_dataset_urn(platform, name)",
        "datahub_guid(key)",
    ],
)
def test_the_check_finds_who_builds_urns(statement: str) -> None:
    assert list(built(ast.parse(statement))) == [1]
