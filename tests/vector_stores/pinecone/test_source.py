"""`llm-pinecone` through DataHub's pipeline: over hosts that fail, and beside DataHub's own `pinecone` source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.source.pinecone.pinecone_source import PineconeSource as DataHubsPineconeSource

from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import assigned_in, failures, live_graph, report, run
from datahub_llmops.vector_stores.pinecone.source import PineconeConfig, PineconeSource
from support.stub import refused_url
from vector_stores.pinecone.estate import NAMES, ODD_NAMESPACE, estate
from vector_stores.pinecone.service import KEY, PLANTED, FakeIndex, PineconeService

DATASETS = frozenset(".".join(name) for name in NAMES)
FACTS = {"structuredProperties", "datasetProfile", "schemaMetadata", "upstreamLineage", "datasetKey"}
"""What may be written on a dataset that somebody else describes."""


def ingest(folder: Path, **config: Any) -> Pipeline:
    return run(folder, "llm-pinecone", {"retry_max_times": 1, "api_key": KEY, **config})


def live(folder: Path) -> set[str]:
    """Datasets that are not soft-deleted, by their name in the URN."""
    prefix = "urn:li:dataset:(urn:li:dataPlatform:pinecone,"
    return {full_name(urn) for urn, _ in live_graph(folder) if urn.startswith(prefix)}


@pytest.fixture
def service() -> Iterator[PineconeService]:
    with PineconeService(*estate()) as server:
        yield server


class TestSource(SourceContract):
    source = PineconeSource
    system = "pinecone"
    collections = DATASETS
    filters: ClassVar[Config] = {
        "index_pattern": {"allow": ["docs", "written"]},
        "namespace_pattern": {"deny": ["__default__", "lla.*"]},
    }
    kept = frozenset({f"docs.{ODD_NAMESPACE}", "written.langchain"})
    filtered = 6 + 2
    job: ClassVar[Config] = {"index": "written.llama", "fields": {"url": "file_path"}}
    job_edges = frozenset({("body", "_node_content"), ("body", "_values"), ("url", "file_path")})
    wrong_recipes = (
        ({}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": KEY, "host": "y"}, "host"),
    )
    secrets = (KEY, PLANTED)
    provenance_fields = ("source", "text")
    rule = "plain"

    @pytest.fixture
    def recipe(self, service: PineconeService) -> Config:
        return {"url": service.url, "api_key": KEY, "sample_rows": 500, "retry_max_times": 1}

    @pytest.fixture
    def refused(self, recipe: Config) -> Config:
        return {**recipe, "api_key": "another"}

    @pytest.fixture
    def telling(self, recipe: Config, service: PineconeService) -> Config:
        service.fail("500", when=lambda call: call.path.startswith("/hosts/written"))
        return {**recipe, "described_elsewhere": False}

    def test_of_an_index_that_is_filtered_out_not_even_the_counts_are_asked_for(
        self, recipe: Config, service: PineconeService, tmp_path: Path
    ) -> None:
        run(tmp_path, "llm-pinecone", {**recipe, **self.filters})
        hosts = {call.path.split("/")[2] for call in service.calls if call.path.startswith("/hosts/")}
        assert hosts == {"docs", "written"}

    def test_a_connection_that_one_host_refuses_names_it(
        self, recipe: Config, service: PineconeService
    ) -> None:
        service.fail("403", when=lambda call: call.path.startswith("/hosts/docs"))
        assert self._verdict(recipe).startswith("False: Not allowed: docs")


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with PineconeService(*estate()) as server:
        assert failures(ingest(folder, url=server.url, sample_rows=500)) == []
    assert live(folder) == DATASETS
    return folder


"""How many namespaces are read all the same; of the two of `docs` one is picked for counting."""


def test_hosts_that_are_away_delete_nothing(service: PineconeService, known: Path) -> None:
    with refused_url() as url:
        service.indexes["docs"].more = {"host": url}
        pipeline = ingest(known, url=service.url)
    assert [message.partition(":")[0] for message in failures(pipeline)] == ["docs"]
    assert live(known) == DATASETS


def test_what_is_deleted_in_pinecone_goes_and_the_rest_stays(service: PineconeService, known: Path) -> None:
    del service.indexes["docs"].namespaces[ODD_NAMESPACE]
    del service.indexes["sparse"]
    assert failures(ingest(known, url=service.url)) == []
    assert live(known) == DATASETS - {f"docs.{ODD_NAMESPACE}", "sparse.terms"}


def test_a_project_that_became_empty_fails_the_run(service: PineconeService, known: Path) -> None:
    service.indexes.clear()
    pipeline = ingest(known, url=service.url)
    assert report(pipeline).failures
    assert live(known) == DATASETS


def test_names_that_share_a_urn_are_a_failure(tmp_path: Path) -> None:
    clash = FakeIndex(name="docs", counts={"a,b": 1, "a%2Cb": 2, "c": 3})
    with PineconeService(clash) as server:
        pipeline = ingest(tmp_path, url=server.url)
    assert "a%2Cb" in failures(pipeline)[0]
    assert live(tmp_path) == {"docs.c"}


def test_facts_are_where_they_are_for_every_store(known: Path) -> None:
    graph = live_graph(known)
    urn = "urn:li:dataset:(urn:li:dataPlatform:pinecone,docs.__default__,PROD)"
    properties = assigned_in(graph, urn)
    assert properties == {"dimension": 4.0, "metric": "cosine", "region": "us-east-1"}
    assert graph[urn, "datasetProfile"]["rowCount"] == 250
    fields = {field["fieldPath"] for field in graph[urn, "schemaMetadata"]["fields"]}
    assert fields == {"_values", "page", "ready", "score", "source", "tags", "text"}
    assert graph[urn, "subTypes"] == {"typeNames": ["Vector Collection"]}
    assert "vector_count" not in graph[urn, "datasetProperties"]["customProperties"]
    index = graph[urn, "container"]["container"]
    assert graph[index, "containerProperties"]["name"] == "docs"
    articles = "urn:li:dataset:(urn:li:dataPlatform:pinecone,articles.news,PROD)"
    # Facts of one of several vectors are on its field alone.
    assert assigned_in(graph, articles) == {"region": "us-east-1"}
    dense = f"urn:li:schemaField:({articles},body.embed)"
    assert assigned_in(graph, dense)["embedding_model"] == "pinecone/llama-text-embed-v2"


def test_payload_becomes_lineage_and_its_coverage_is_reported(
    service: PineconeService, tmp_path: Path
) -> None:
    pipeline = ingest(
        tmp_path,
        url=service.url,
        index_pattern={"allow": ["docs", "podded"]},
        namespace_pattern={"allow": ["__default__"]},
        sample_rows=100,
    )
    seen = report(pipeline)
    assert (seen.provenance_rows_scanned, seen.provenance_rows_total) == (100, 257)
    assert seen.payload_upstreams > 0
    assert seen.read_units == 1 + 10


def test_events_of_a_collection_are_few(service: PineconeService, tmp_path: Path) -> None:
    pipeline = ingest(tmp_path, url=service.url, index_pattern={"allow": ["integrated"]})
    with closing(LocalCatalog(tmp_path / "catalog.db")) as catalog:
        urn = "urn:li:dataset:(urn:li:dataPlatform:pinecone,integrated.__default__,PROD)"
        # Typed aspects are optional facts, each an event of its own.
        apart = {"datasetKey", *aspect_names()}
        mine = [record for record in catalog.records() if urn in record.urn and record.name not in apart]
    assert failures(pipeline) == []
    assert len(mine) <= 9 + 1


def test_the_control_plane_is_the_vendors_by_default() -> None:
    assert PineconeConfig.model_validate({"api_key": KEY}).url == "https://api.pinecone.io"


class Together:
    """Both sources over one project into one catalog."""

    def __init__(self, service: PineconeService, folder: Path) -> None:
        self.service = service
        self.folder = folder
        folder.mkdir()

    def ours(self, **config: Any) -> Pipeline:
        pipeline = ingest(self.folder, url=self.service.url, **config)
        assert failures(pipeline) == []
        return pipeline

    def theirs(self, **config: Any) -> Pipeline:
        pipeline = run(self.folder, "pinecone", {"api_key": KEY, **config})
        assert isinstance(pipeline.source, DataHubsPineconeSource)
        assert not report(pipeline).failures
        return pipeline


@pytest.fixture
def both(service: PineconeService, monkeypatch: pytest.MonkeyPatch) -> PineconeService:
    """What DataHub's source can read, too: its client fails for all indexes when one has no dimension."""
    for name in ("articles", "integrated", "sparse"):
        del service.indexes[name]
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", service.url)
    return service


@pytest.mark.parametrize("described_elsewhere", [None, True])
def test_either_order_twice_gives_the_same_graph(
    described_elsewhere: bool | None, both: PineconeService, tmp_path: Path
) -> None:
    graphs = []
    for order in ("ours first", "theirs first"):
        together = Together(both, tmp_path / order)
        for _ in range(2):
            first, second = (
                (together.ours, together.theirs)
                if order == "ours first"
                else (together.theirs, together.ours)
            )
            first(**({"described_elsewhere": described_elsewhere} if first == together.ours else {}))
            second(**({"described_elsewhere": described_elsewhere} if second == together.ours else {}))
        graphs.append(live_graph(together.folder))
    assert graphs[0].keys() == graphs[1].keys()
    assert graphs[0] == graphs[1]
    docs = "urn:li:dataset:(urn:li:dataPlatform:pinecone,docs.__default__,PROD)"
    assert graphs[0][docs, "datasetProperties"]["customProperties"]["vector_count"] == "250"
    assert assigned_in(graphs[0], docs)["region"] == "us-east-1"
    assert graphs[0][docs, "datasetProfile"]["rowCount"] == 250


def test_only_facts_are_added_to_what_datahubs_source_describes(
    both: PineconeService, tmp_path: Path
) -> None:
    together = Together(both, tmp_path / "both")
    together.theirs()
    before = live_graph(together.folder)
    together.ours()
    after = live_graph(together.folder)
    assert {key: after[key] for key in before} == before
    added = {key for key in after.keys() - before.keys() if key[0].startswith("urn:li:dataset:")}
    assert {name for _, name in added} <= FACTS | set(aspect_names())
    assert not [key for key in after.keys() - before.keys() if key[0].startswith("urn:li:container:")]


def test_what_datahubs_source_describes_is_not_ours_to_retire(both: PineconeService, tmp_path: Path) -> None:
    together = Together(both, tmp_path / "both")
    together.ours()
    together.theirs()
    there = live(together.folder)
    # Filtered out after the other source took over: its facts stay, and the dataset is the other source's.
    together.ours(index_pattern={"deny": ["docs"]})
    assert live(together.folder) == there
    together.ours(index_pattern={"deny": ["docs"]})
    assert live(together.folder) == there


def test_facts_of_a_namespace_that_is_gone_are_taken_back(both: PineconeService, tmp_path: Path) -> None:
    together = Together(both, tmp_path / "both")
    together.theirs()
    together.ours()
    docs = "urn:li:dataset:(urn:li:dataPlatform:pinecone,docs.__default__,PROD)"
    assert assigned_in(live_graph(together.folder), docs)
    del both.indexes["docs"].namespaces[""]
    together.ours()
    graph = live_graph(together.folder)
    assert assigned_in(graph, docs) == {}
    # The dataset itself is the other source's to retire.
    assert (docs, "datasetProperties") in graph


def test_without_datahubs_source_the_page_is_whole(service: PineconeService, tmp_path: Path) -> None:
    ingest(tmp_path, url=service.url)
    names = {name for urn, name in live_graph(tmp_path) if "pinecone,docs.__default__" in urn}
    assert {"datasetProperties", "schemaMetadata", "subTypes", "container", "datasetProfile"} <= names


def test_without_a_catalog_only_facts_are_written(service: PineconeService, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    recipe = {
        "source": {"type": "llm-pinecone", "config": {"url": service.url, "api_key": KEY}},
        "sink": {"type": "file", "config": {"filename": str(out)}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    written = {
        item["aspectName"]
        for item in json.loads(out.read_text())
        if item["entityUrn"].startswith("urn:li:dataset:")
    }
    assert written <= FACTS


def test_a_catalog_that_cannot_be_read_is_a_failure_and_only_facts_are_written(
    service: PineconeService, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0 and no more")
    pipeline = ingest(tmp_path, url=service.url, catalog=str(damaged))
    assert str(damaged) in failures(pipeline)[0]
    written = {name for urn, name in live_graph(tmp_path) if urn.startswith("urn:li:dataset:")}
    assert written <= FACTS | aspect_names()
