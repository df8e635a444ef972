"""The oldest and the newest framework, and packages that clash with others, in environments of their own.

``make environments`` installs them from ``tests/environments``; ``make test`` does so before the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from datahub_llmops.answers.resolver import InstanceConfig, Resolver
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.testing.runs import failures, ingest
from hooks.seen import stored_answers
from support import engines
from support.paths import ENVIRONMENTS
from vector_stores.pinecone.service import KEY, FakeIndex, PineconeService, records

HERE = Path(__file__).parent
PLACES = [str(HERE.parents[1] / "connectors"), str(HERE.parent)]
FRAMEWORKS = {
    "langchain-oldest": ("langchain", "langchain-core"),
    "langchain-newest": ("langchain", "langchain-core"),
    "llama-index-oldest": ("llama-index", "llama-index-core"),
    "llama-index-newest": ("llama-index", "llama-index-core"),
}


def python_of(name: str) -> str:
    """The interpreter of an environment."""
    found = ENVIRONMENTS / name / "bin" / "python"
    if not found.exists():
        engines.cannot_run(name, "make environments installs it")
    return str(found)


def run(name: str, *arguments: str, **more: str) -> str:
    """What a program of ours says there. Neither DataHub nor this package is installed in it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PLACES), **more}
    command = [python_of(name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def version(name: str, package: str) -> str:
    return run(name, "-c", f"import importlib.metadata as m; print(m.version({package!r}))").strip()


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_private_hook_is_there(name: str) -> None:
    framework, package = FRAMEWORKS[name]
    assert run(name, "-m", "hooks.probe", framework) == "everything is seen\n"
    engines.ran(name, version(name, package))


def test_the_oldest_is_not_the_newest() -> None:
    for framework in ("langchain", "llama-index"):
        package = f"{framework}-core"
        assert version(f"{framework}-oldest", package) != version(f"{framework}-newest", package)


def test_pinecones_own_packages_and_our_connector_end_at_one_urn(tmp_path: Path) -> None:
    found = json.loads(run("pinecone", "-m", "hooks.places_probe", "pinecone"))
    place = {"platform": "pinecone", "host": "my-docs-abc1234.svc.us-east-1-aws.pinecone.io"}
    assert found == {
        "langchain, index": {**place, "database": "my-docs", "collection": "ns"},
        "langchain, host": {**place, "database": "my-docs", "collection": "__default__"},
        "llama-index": {**place, "database": "my-docs", "collection": "ns"},
    }
    engines.ran("pinecone", version("pinecone", "pinecone"))
    rule = {"platform": "pinecone", "at": r".*\.pinecone\.io", "platform_instance": "eu", "env": "DEV"}
    resolver = Resolver([InstanceConfig.model_validate(rule)], env="PROD")
    index = FakeIndex(name="my-docs", namespaces={"ns": records(2), "": records(2)})
    with PineconeService(index) as service:
        place_of_both = {"env": "DEV", "platform_instance": "eu"}
        done = ingest(tmp_path, "pinecone", url=service.url, api_key=KEY, **place_of_both)
    assert failures(done) == []
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        for raw in found.values():
            urn = resolver.index(raw)
            assert urn is not None
            assert catalog.nodes([urn]), urn


def test_answers_of_ray_workers_are_recorded_where_they_attach(tmp_path: Path) -> None:
    recorded_where_workers_attach("ray", tmp_path)
    engines.ran("ray", version("ray", "ray"))


def test_answers_of_spark_executors_are_recorded_where_they_attach(tmp_path: Path) -> None:
    if not (ENVIRONMENTS / "spark").exists() or shutil.which("java") is None:
        pytest.skip(
            "Spark: make environments BY_HAND= installs its environment of 600 MB, and it needs Java 17 or newer"
        )
    recorded_where_workers_attach("spark", tmp_path)


def recorded_where_workers_attach(cluster: str, folder: Path) -> None:
    """Nowhere else, each answer once, and the application's own store has its own."""
    state = folder / "state"
    said = json.loads(
        run(cluster, "-m", "hooks.workers_probe", cluster, str(folder), XDG_STATE_HOME=str(state))
    )
    workers = {one["pid"] for one in said["without"] + said["attached"]}
    assert said["pid"] not in workers
    assert {one["said"] for one in said["without"] + said["attached"]} == {"forty two"}
    assert [one["enabled"] for one in said["without"]] == [False] * 8
    assert not state.exists()
    assert all(one["errors"] == {} for one in said["attached"])
    answers = stored_answers(folder / "workers.db")
    assert len(answers) >= 8
    assert sorted(one.id for one in answers) == sorted(one["id"] for one in said["attached"])
    [own] = stored_answers(folder / "application.db")
    assert own.id == said["id"]
    for answer in [*answers, own]:
        assert [len(one.chunks) for one in answer.retrievals] == [2]
        assert [one.status for one in answer.models] == ["ok"]
