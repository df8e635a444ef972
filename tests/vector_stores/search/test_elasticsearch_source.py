"""`llm-elasticsearch` through DataHub's pipeline: over endpoints that fail, and beside DataHub's own source."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.source.elastic_search import ElasticsearchSource as DataHubsElasticsearchSource

from datahub_llmops import urns
from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import assigned_in, failures, ingest, live, live_graph, report
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.search.elasticsearch import ElasticsearchSource
from support.stub import FAULTS, Fault, Stub, time_out
from vector_stores.search.service import BACKING, COLLECTIONS, KEY, STREAM, ElasticService
from vector_stores.search.stores import PLANTED, call

ELASTICSEARCH = "elasticsearch"
FACTS = {"structuredProperties", "datasetProfile", "upstreamLineage", "datasetKey"}
"""What may be written on a dataset that somebody else describes."""


def urn(name: str, instance: str | None = None) -> str:
    return urns.collection(Deployment(platform=ELASTICSEARCH, instance=instance), (name,))


class TestSource(SourceContract):
    source = ElasticsearchSource
    system = ELASTICSEARCH
    collections = COLLECTIONS
    filters: ClassVar[Config] = {"index_pattern": {"allow": ["[a-l].*"], "deny": ["LLAMA"]}}
    kept = frozenset({"articles", STREAM, "langchain"})
    filtered = 2
    job: ClassVar[Config] = {"index": "langchain", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "text"), ("body", "vector"), ("url", "metadata.source")})
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://b", "api_kye": KEY}, "api_kye"),
        ({"url": "http://b", "timeout_sec": 0, "api_key": KEY}, "timeout_sec"),
    )
    secrets = (KEY, PLANTED)
    provenance_fields = ("source", "url", "path")

    @pytest.fixture
    def recipe(self, elastic: ElasticService, elasticsearch: Stub) -> Config:
        elastic.key = KEY
        return {"url": elasticsearch.url, "api_key": KEY}

    @pytest.fixture
    def refused(self, recipe: Config) -> Config:
        return {**recipe, "api_key": "other"}

    @pytest.fixture
    def telling(self, recipe: Config, elasticsearch: Stub) -> Config:
        elasticsearch.fail("500", when=lambda call: call.path == "/llama")
        return {**recipe, "described_elsewhere": False, "retry_max_times": 0}


@pytest.fixture(scope="module")
def read_once(elastic_filled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with elastic_filled[1].served() as server:
        assert failures(ingest(folder, ELASTICSEARCH, url=server.url)) == []
    assert live(folder, ELASTICSEARCH) == COLLECTIONS
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_an_inference_endpoint_deletes_what_exists(
    fault: Fault, elasticsearch: Stub, known: Path
) -> None:
    """The one request that neither the fault matrix nor OpenSearch's tests have."""
    elasticsearch.fail(fault, when=lambda call: call.path == "/_inference/openai-embeddings")
    options = {"timeout_sec": time_out(fault), "retry_max_times": 1, "max_workers": 1}
    pipeline = ingest(known, ELASTICSEARCH, url=elasticsearch.url, **options)
    assert live(known, ELASTICSEARCH) == COLLECTIONS
    messages = failures(pipeline)
    # A 404 in Elasticsearch's own words means that the endpoint was deleted: the index is there all the same.
    assert (messages == []) == (fault == "404")
    for message in messages:
        assert f"Elasticsearch at 127.0.0.1:{elasticsearch.port}" in message
        assert "/_inference/openai-embeddings" in message or fault == "killed"
    if fault != "killed":
        assert report(pipeline).items_scanned == len(COLLECTIONS) - (fault != "404")


class Together:
    """Both sources over one cluster into one catalog."""

    def __init__(self, server: Stub, folder: Path, **both: Any) -> None:
        self.server = server
        self.folder = folder
        self.both = both
        folder.mkdir()

    def ours(self, **config: Any) -> Pipeline:
        pipeline = ingest(self.folder, ELASTICSEARCH, url=self.server.url, **self.both, **config)
        assert failures(pipeline) == []
        return pipeline

    def theirs(self, **config: Any) -> Pipeline:
        catalog = str(self.folder / "catalog.db")
        # Without state: with it the source of DataHub 1.7 breaks off before it reads anything.
        options = {"host": self.server.url.removeprefix("http://"), **self.both, **config}
        recipe = {
            "pipeline_name": "theirs",
            "source": {"type": "elasticsearch", "config": options},
            "sink": {"type": "llm-local", "config": {"path": catalog}},
        }
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        pipeline.run()
        assert isinstance(pipeline.source, DataHubsElasticsearchSource)
        assert not report(pipeline).failures
        return pipeline


@pytest.mark.parametrize(
    ("both", "ours", "theirs"),
    [
        ({}, {}, {}),
        ({}, {"described_elsewhere": True}, {}),
        ({"platform_instance": "eu"}, {}, {}),
        ({}, {}, {"profiling": {"enabled": True}}),
    ],
    ids=["looked up", "told", "instance", "profiles"],
)
def test_either_order_twice_gives_the_same_graph(
    both: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], elasticsearch: Stub, tmp_path: Path
) -> None:
    graphs = []
    for order in ("ours first", "theirs first"):
        together = Together(elasticsearch, tmp_path / order, **both)
        for _ in range(2):
            if order == "ours first":
                together.ours(**ours)
            together.theirs(**theirs)
            if order == "theirs first":
                together.ours(**ours)
        graphs.append(live_graph(together.folder))
    first, second = graphs
    assert sorted(first.keys() ^ second.keys()) == []
    assert first == second
    articles = urn("articles", both.get("platform_instance"))
    assert first[articles, "subTypes"] == {"typeNames": ["Index"]}
    dense = urns.schema_field(articles, "[version=2.0].[type=dense_vector].dense")
    assert assigned_in(first, dense)["dimension"] == 3.0
    # The field of the fact is a field of the schema that DataHub's source wrote.
    paths = {field["fieldPath"] for field in first[articles, "schemaMetadata"]["fields"]}
    assert "[version=2.0].[type=dense_vector].dense" in paths
    stream = urn(STREAM, both.get("platform_instance"))
    assert first[stream, "subTypes"] == {"typeNames": ["Datastream"]}
    assert assigned_in(first, stream)["metric"] == "l2_norm"
    # A profile of the other source goes before ours; of streams it writes none.
    assert ("messageId" not in first[articles, "datasetProfile"]) == bool(theirs)
    assert (first[articles, "datasetProfile"]["rowCount"], first[stream, "datasetProfile"]["rowCount"]) == (
        6,
        4,
    )


def test_every_vector_path_is_one_that_datahubs_source_writes(elasticsearch: Stub, tmp_path: Path) -> None:
    together = Together(elasticsearch, tmp_path / "both")
    together.theirs()
    with closing(ElasticsearchSource.open(ElasticsearchSource.config_type(url=elasticsearch.url))) as reader:
        graph = live_graph(together.folder)
        for name in sorted(COLLECTIONS):
            item = reader.read((name,))
            theirs = {field["fieldPath"] for field in graph[urn(name), "schemaMetadata"]["fields"]}
            assert {vector.schema_path for vector in item.vectors} <= theirs
            # It leaves multi-fields out.
            ours = {field.schema_path for field in item.fields if not field.path.endswith(".keyword")}
            assert ours | {vector.schema_path for vector in item.vectors} == theirs


def test_only_facts_are_added_to_what_datahubs_source_describes(elasticsearch: Stub, tmp_path: Path) -> None:
    together = Together(elasticsearch, tmp_path / "both")
    together.theirs()
    before = live_graph(together.folder)
    together.ours()
    after = live_graph(together.folder)
    assert {key: after[key] for key in before} == before
    added = {key for key in after.keys() - before.keys() if key[0].startswith("urn:li:dataset:")}
    ours = {key for key in added if f"dataPlatform:{ELASTICSEARCH}," in key[0]}
    assert {name for _, name in ours} <= FACTS | set(aspect_names())
    assert {key[0] for key in ours} == {urn(name) for name in COLLECTIONS}


def test_what_datahubs_source_describes_is_not_ours_to_retire(elasticsearch: Stub, tmp_path: Path) -> None:
    together = Together(elasticsearch, tmp_path / "both")
    together.ours()
    together.theirs()
    for _ in range(2):
        # Filtered out after the other source took over: its facts stay, and the dataset is the other source's.
        together.ours(index_pattern={"deny": ["articles"]})
        graph = live_graph(together.folder)
        assert (urn("articles"), "datasetProperties") in graph
        dense = urns.schema_field(urn("articles"), "[version=2.0].[type=dense_vector].dense")
        assert assigned_in(graph, dense)


def test_the_count_goes_on_after_datahubs_source_took_over(elasticsearch: Stub, tmp_path: Path) -> None:
    together = Together(elasticsearch, tmp_path / "both")
    together.ours()
    together.theirs()
    call(elasticsearch.url, "PUT", "/langchain/_doc/more?refresh=true", {"text": PLANTED})
    together.ours()
    assert live_graph(together.folder)[urn("langchain"), "datasetProfile"]["rowCount"] == 10


def test_facts_of_an_index_that_is_gone_are_taken_back(elasticsearch: Stub, tmp_path: Path) -> None:
    together = Together(elasticsearch, tmp_path / "both")
    together.theirs()
    together.ours()
    field = urns.schema_field(urn("langchain"), "[version=2.0].[type=dense_vector].vector")
    assert assigned_in(live_graph(together.folder), field)
    call(elasticsearch.url, "DELETE", "/langchain")
    together.ours()
    graph = live_graph(together.folder)
    assert assigned_in(graph, field) == assigned_in(graph, urn("langchain")) == {}
    # The dataset itself is the other source's to retire.
    assert (urn("langchain"), "datasetProperties") in graph


def test_without_datahubs_source_the_page_is_whole(read_once: Path) -> None:
    graph = live_graph(read_once)
    names = {name for asset, name in graph if asset == urn("articles")}
    assert {"datasetProperties", "schemaMetadata", "subTypes", "status", "datasetProfile"} <= names
    assert graph[urn("articles"), "subTypes"] == {"typeNames": ["Vector Collection"]}
    assert not [asset for asset, _ in graph if BACKING[0] in asset]


def test_without_a_catalog_only_facts_are_written(elasticsearch: Stub, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    recipe = {
        "source": {"type": "llm-elasticsearch", "config": {"url": elasticsearch.url}},
        "sink": {"type": "file", "config": {"filename": str(out)}},
    }
    Pipeline.create(recipe, no_progress=True, report_to=None).run()
    items = [item for item in json.loads(out.read_text()) if f"{ELASTICSEARCH}," in item["entityUrn"]]
    written = {item["aspectName"] for item in items if item["entityUrn"].startswith("urn:li:dataset:")}
    assert written <= FACTS
