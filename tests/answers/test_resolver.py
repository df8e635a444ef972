"""From a raw identity to the URN of an index: by a rule, by the name, by an alias that the catalog knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    DataPlatformInstanceClass,
    DatasetPropertiesClass,
    StatusClass,
    _Aspect,
)
from datahub.metadata.urns import DatasetUrn

from catalog.recorded import write_local
from datahub_llmops import urns
from datahub_llmops.answers.resolver import Ambiguous, InstanceConfig, Resolver
from datahub_llmops.assets.platforms import PLATFORMS
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from test_inventory import SOURCES, resolve


def dataset(platform: str, name: str, env: str = "PROD") -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},{env})"


def aspects(urn: str, *found: _Aspect) -> list[MetadataChangeProposalWrapper]:
    return [MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect) for aspect in found]


def collection(
    platform: str, name: str, aliases: str = "", instance: str | None = None, env: str = "PROD"
) -> list[MetadataChangeProposalWrapper]:
    """As connectors describe one."""
    return aspects(
        dataset(platform, f"{instance}.{name}" if instance else name, env),
        DatasetPropertiesClass(name=name, customProperties={"aliases": aliases} if aliases else {}),
        DataPlatformInstanceClass(
            platform=urns.platform(platform),
            instance=urns.platform_instance(platform, instance) if instance else None,
        ),
    )


def met(name: str) -> list[MetadataChangeProposalWrapper]:
    """As ``llm-runs`` leaves one that no catalog knows."""
    urn = dataset("qdrant", name)
    return aspects(urn, DatasetUrn.from_string(urn).to_key_aspect())


class Asked:
    """A resolver over a catalog with these assets, and what it could not decide."""

    def __init__(self, catalog: LocalCatalog | None, *rules: dict[str, Any]) -> None:
        self.ambiguous: list[Ambiguous] = []
        given = [InstanceConfig.model_validate(rule) for rule in rules]
        self._resolver = Resolver(given, env="PROD", catalog=catalog, ambiguous=self.ambiguous.append)

    def __call__(self, collection: str, platform: str = "qdrant", **more: str) -> str | None:
        return self._resolver.index({"platform": platform, "collection": collection, "host": "kb:1", **more})


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[LocalCatalog]:
    path = tmp_path / "catalog.db"
    proposals = [
        *collection("qdrant", "docs_v2", "current, docs"),
        *collection("qdrant", "notes_v1", "notes"),
        *collection("qdrant", "notes_v2", "notes"),
        *collection("qdrant", "plain"),
        *collection("qdrant", "faq_v2", "plain", instance="eu", env="DEV"),
        *collection("qdrant", "faq_v3", "Faq", instance="us"),
        *collection("milvus", "kb.docs_v2", "docs"),
        *collection("milvus", "other.docs_v9", "docs"),
        *collection("elasticsearch", "logs-1", "logs,log"),  # As DataHub's own source writes it.
        # Met by an earlier run, and catalogued by nobody.
        *met("docs"),
        *met("met"),
        # There was a collection of this name, before it became an alias.
        *collection("qdrant", "current"),
        *aspects(dataset("qdrant", "current"), StatusClass(removed=True)),
        *collection("qdrant", "gone_v1", "gone"),
        *aspects(dataset("qdrant", "gone_v1"), StatusClass(removed=True)),
    ]
    with closing(write_local(path, [one.make_mcp() for one in proposals])) as found:
        yield found


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        pytest.param({"collection": "current"}, "docs_v2", id="a collection of that name was deleted"),
        pytest.param({"collection": "docs"}, "docs_v2", id="an earlier run made an asset of the alias"),
        pytest.param({"collection": "met"}, "met", id="that asset stays where there is no alias"),
        pytest.param({"collection": "plain"}, "plain", id="a collection's own name goes before an alias"),
        pytest.param({"collection": "nowhere"}, "nowhere", id="neither"),
        pytest.param({"collection": "Docs"}, "Docs", id="case counts"),
        pytest.param({"collection": "gone"}, "gone", id="of a collection that is gone"),
        pytest.param(
            {"collection": "docs", "platform": "milvus", "database": "kb"}, "kb.docs_v2", id="of its database"
        ),
        pytest.param(
            {"collection": "docs", "platform": "milvus", "database": "new"}, "new.docs", id="of another one"
        ),
        pytest.param({"collection": "log", "platform": "opensearch"}, "logs-1", id="DataHub's own source"),
    ],
)
def test_without_a_rule(catalog: LocalCatalog, raw: dict[str, str], meant: str) -> None:
    asked = Asked(catalog)
    platform = {"opensearch": "elasticsearch"}.get(raw.get("platform", ""), raw.get("platform", "qdrant"))
    assert asked(**raw) == dataset(platform, meant)
    assert asked.ambiguous == []


def test_several_are_told_and_none_is_taken(catalog: LocalCatalog) -> None:
    asked = Asked(catalog)
    assert asked("notes") is None
    assert asked("notes") is None
    both = (dataset("qdrant", "notes_v1"), dataset("qdrant", "notes_v2"))
    assert asked.ambiguous == [Ambiguous(shown="qdrant:notes", candidates=both)]


@pytest.mark.parametrize(
    ("rule", "name", "meant"),
    [
        ({}, "docs", dataset("qdrant", "docs_v2")),
        ({"platform_instance": "eu", "env": "DEV"}, "docs", dataset("qdrant", "eu.docs", "DEV")),
        ({"platform_instance": "eu", "env": "DEV"}, "plain", dataset("qdrant", "eu.faq_v2", "DEV")),
        ({"platform_instance": "eu"}, "plain", dataset("qdrant", "eu.plain")),
        ({"env": "DEV"}, "plain", dataset("qdrant", "plain", "DEV")),
        ({"platform_instance": "us", "lowercase": True}, "Faq", dataset("qdrant", "us.faq_v3")),
        ({"aliases": {"notes": "notes_v2"}}, "notes", dataset("qdrant", "notes_v2")),
        ({"aliases": {"notes": "docs"}}, "notes", dataset("qdrant", "docs_v2")),
    ],
)
def test_a_rule_says_where_the_alias_is(
    catalog: LocalCatalog, rule: dict[str, Any], name: str, meant: str
) -> None:
    asked = Asked(catalog, {"platform": "qdrant", **rule})
    assert asked(name) == meant
    assert asked.ambiguous == []


def test_an_asset_that_only_an_earlier_run_made_leaves_no_doubt(tmp_path: Path) -> None:
    proposals = [
        *collection("qdrant", "docs", instance="eu", env="DEV"),
        *met("docs"),
    ]
    with closing(write_local(tmp_path / "catalog.db", [one.make_mcp() for one in proposals])) as found:
        asked = Asked(found)
        assert asked("docs") == dataset("qdrant", "eu.docs", "DEV")
        assert asked.ambiguous == []


def test_without_a_catalog_only_a_rule_knows_aliases() -> None:
    assert Asked(None)("docs") == dataset("qdrant", "docs")
    assert Asked(None, {"platform": "qdrant", "aliases": {"docs": "docs_v2"}})("docs") == dataset(
        "qdrant", "docs_v2"
    )


def test_aliases_are_looked_for_where_a_connector_tells_them() -> None:
    stores = [source for source in map(resolve, SOURCES.values()) if issubclass(source, VectorStoreSource)]
    assert {source.platform for source in stores if "aliases" in source.declares} == {
        name for name, entry in PLATFORMS.items() if entry.has_aliases
    }
