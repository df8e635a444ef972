"""`llm-opensearch` through DataHub's pipeline, over a cluster that fails: nothing that exists is ever deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from osmem_server import OsmemServer  # type: ignore[import-untyped]  # it has no types

from datahub_llmops import urns
from datahub_llmops.aspects.manifest import aspect_names
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import aspect, assigned, failures, ingest, live, report
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.search.opensearch import OpenSearchConfig, OpenSearchSource
from support.stub import CERTIFICATE, FAULTS, Call, Fault, Reply, Stub, forward, refused_url, time_out
from vector_stores.search.stores import COLLECTIONS, NO_INDEX, ODD, PLANTED, call

SECRET = "planted-password-5ec7e7"
OPENSEARCH = "opensearch"
PLATFORM = "elasticsearch"


def urn(name: str) -> str:
    return urns.collection(Deployment(platform=PLATFORM), (name,))


def there(folder: Path) -> set[str]:
    return live(folder, PLATFORM)


class TestSource(SourceContract):
    source = OpenSearchSource
    system = OPENSEARCH
    collections = COLLECTIONS
    filters: ClassVar[Config] = {
        "indices": "n*,a*,empty",
        "index_pattern": {"allow": ["[a-n].*"], "deny": ["EMPTY"]},
    }
    kept = frozenset({"articles", "notes"})
    filtered = 1
    job: ClassVar[Config] = {"index": "notes", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "text"), ("body", "vector_field"), ("url", "metadata.source")})
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://b", "username": "ada", "pasword": SECRET}, "pasword"),
        ({"url": "http://b", "timeout_sec": 0, "token": SECRET}, "timeout_sec"),
        ({"url": "http://b", "index_pattern": SECRET, "token": SECRET}, "index_pattern"),
    )
    secrets = (SECRET, base64.b64encode(f"ada:{SECRET}".encode()).decode(), PLANTED)
    provenance_fields = ("source", "url", "uri")

    @pytest.fixture
    def recipe(self, opensearch: Stub) -> Config:
        return {"url": opensearch.url}

    @pytest.fixture
    def refused(self, opensearch: Stub) -> Config:
        opensearch.fail("403", when=lambda call: "_resolve" in call.path)
        return {"url": opensearch.url}

    @pytest.fixture
    def telling(self, opensearch: Stub) -> Config:
        opensearch.fail("500", when=lambda call: call.path == "/notes/_search")
        login = {"username": "ada", "password": SECRET}
        return {
            "url": opensearch.url,
            **login,
            "timeout_sec": 2.0,
            "retry_max_times": 1,
            "described_elsewhere": False,
        }

    def test_the_expression_is_the_clusters_to_resolve(
        self, recipe: Config, opensearch: Stub, tmp_path: Path
    ) -> None:
        ingest(tmp_path, OPENSEARCH, **recipe, **self.filters)
        assert opensearch.calls[1].path == "/_resolve/index/n*,a*,empty"


@pytest.fixture(scope="module")
def read_once(osmem: OsmemServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    with osmem.clone() as clone:
        assert failures(ingest(folder, OPENSEARCH, url=clone.url)) == []
    assert there(folder) == COLLECTIONS
    return folder


DEPLOYMENTS = {
    "cluster": "/",
    "mappings": "/_mapping",
    "counting": "/articles/_count",
    "size": "/articles/_stats/store",
}


@pytest.mark.parametrize("place", list(DEPLOYMENTS))
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_the_other_requests_deletes_what_exists(
    fault: Fault, place: str, opensearch: Stub, known: Path
) -> None:
    """Those that the fault matrix leaves out."""
    of_all = place in ("cluster", "mappings")

    def picks(call: Call) -> bool:
        return call.path == DEPLOYMENTS[place] or (place == "mappings" and call.path.endswith("/_mapping"))

    opensearch.fail(fault, when=picks)
    options = {"timeout_sec": time_out(fault), "retry_max_times": 1, "max_workers": 1}
    pipeline = ingest(known, OPENSEARCH, url=opensearch.url, **options)
    # A 404 in OpenSearch's own words means that the index was deleted since it was listed.
    vanished = int(fault == "404" and not of_all)
    assert len(there(known)) == len(COLLECTIONS) - vanished
    messages = failures(pipeline)
    assert (messages == []) == bool(vanished)
    for message in messages:
        assert f"OpenSearch at 127.0.0.1:{opensearch.port}" in message
        assert DEPLOYMENTS[place] in message or fault == "killed"
    if fault != "killed":
        assert report(pipeline).items_scanned == (0 if of_all else len(COLLECTIONS) - 1)


@pytest.mark.parametrize(
    "words", ["", "<h1>404</h1>", '{"error": "no handler found for uri"}', '{"message": "x"}']
)
def test_a_404_that_is_not_opensearchs_own_deletes_nothing(words: str, opensearch: Stub, known: Path) -> None:
    inner = opensearch.answer

    def answer(call: Call) -> Reply:
        gone = call.path == "/articles"
        return Reply(status=404, body=words.encode()) if gone else inner(call)

    opensearch.answer = answer
    pipeline = ingest(known, OPENSEARCH, url=opensearch.url)
    assert "not as OpenSearch does it" in failures(pipeline)[0]
    assert there(known) == COLLECTIONS


def test_a_certificate_of_unknown_origin_stops_the_run(osmem: OsmemServer, known: Path) -> None:
    with osmem.clone() as clone, Stub(forward(clone.url), missing=NO_INDEX, tls=True) as server:
        pipeline = ingest(known, OPENSEARCH, url=server.url)
        assert "ca_certificate_path" in failures(pipeline)[0]
        assert there(known) == COLLECTIONS
        assert server.count() == 0
        trusted = ingest(known, OPENSEARCH, url=server.url, ca_certificate_path=str(CERTIFICATE))
        assert failures(trusted) == []


def test_a_cluster_that_is_away_deletes_nothing(known: Path) -> None:
    with refused_url() as url:
        pipeline = ingest(known, OPENSEARCH, url=url)
    assert "refused" in failures(pipeline)[0]
    assert there(known) == COLLECTIONS


def test_the_other_product_deletes_nothing(opensearch: Stub, known: Path) -> None:
    pipeline = ingest(known, "elasticsearch", url=opensearch.url)
    assert "this is OpenSearch. Use the source llm-opensearch" in failures(pipeline)[0]
    assert there(known) == COLLECTIONS


def test_what_is_deleted_in_the_store_goes_and_the_rest_stays(opensearch: Stub, known: Path) -> None:
    call(opensearch.url, "DELETE", "/notes")
    assert failures(ingest(known, OPENSEARCH, url=opensearch.url)) == []
    assert there(known) == COLLECTIONS - {"notes"}


def without_indexes(stub: Stub) -> Callable[[Call], Reply]:
    inner = stub.answer

    def answer(call: Call) -> Reply:
        nothing = json.dumps({"indices": [], "aliases": [], "data_streams": []}).encode()
        return replace(inner(call), body=nothing) if "_resolve" in call.path else inner(call)

    return answer


def test_a_cluster_that_became_empty_fails_the_run(opensearch: Stub, known: Path) -> None:
    opensearch.answer = without_indexes(opensearch)
    pipeline = ingest(known, OPENSEARCH, url=opensearch.url)
    assert there(known) == COLLECTIONS
    assert report(pipeline).failures


def test_the_report_says_what_is_not_known(known: Path, opensearch: Stub) -> None:
    (said,) = report(ingest(known, OPENSEARCH, url=opensearch.url)).infos
    assert said.title == "Not known"
    assert "document-level" in said.message


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("articles"), "datasetProperties")
    assert (properties["name"], properties["description"]) == ("articles", "Release notes")
    custom = properties["customProperties"]
    assert (custom["aliases"], custom["num_shards"], custom["dense.m"]) == ("current", "2", "24")
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("articles"), "schemaMetadata")["fields"]
    }
    # Spelled as DataHub's own source spells them.
    assert fields["[version=2.0].[type=knn_vector].dense"] == "vector(4)"
    assert fields["[version=2.0].[type=properties].passages.[type=text].body"] == "text"
    dense = urns.schema_field(urn("articles"), "[version=2.0].[type=knn_vector].dense")
    assert assigned(read_once, dense) == {
        "dimension": 4.0,
        "metric": "innerproduct",
        "index_type": "hnsw",
        "quantization": "sq fp16",
        "embedding_model": "openai/text-embedding-3-small",
        "index_parameters": "ef_construction=120, encoder.clip=true, engine=faiss, m=24",
    }
    # One vector: its facts are the index's too.
    assert assigned(read_once, urn("notes"))["dimension"] == 8.0
    assert assigned(read_once, urn("articles")) == {}
    with closing(LocalCatalog(read_once / "catalog.db")) as catalog:
        profile = catalog.latest(urn("articles"))["datasetProfile"]
    assert (profile["rowCount"], profile["columnCount"]) == (20, 12)
    assert profile["sizeInBytes"] > 0
    upstreams = aspect(read_once, urn(ODD), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in range(2)
    }


def test_an_expression_that_names_nothing_is_a_failure(known: Path, opensearch: Stub) -> None:
    pipeline = ingest(known, OPENSEARCH, url=opensearch.url, indices="gone")
    assert report(pipeline).failures
    assert there(known) == COLLECTIONS


def test_a_login_does_not_follow_a_redirect(opensearch: Stub) -> None:
    with Stub(opensearch.answer) as other, Stub(opensearch.answer, redirect_to=other.url) as server:
        server.fail("redirect")
        recipe = {"url": server.url, "token": SECRET}
        config = OpenSearchConfig.model_validate(recipe)
        verdict = OpenSearchSource.test_connection(recipe).basic_connectivity
        assert verdict is not None
        assert "was redirected" in str(verdict.failure_reason)
        assert SECRET not in str(verdict)
        assert SECRET not in str(config)
        assert other.count() == 0


def test_names_that_share_a_urn_are_a_failure(tmp_path: Path, opensearch: Stub) -> None:
    vector = {"mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 3}}}}
    for name in ("a%2528", "a("):
        call(opensearch.url, "PUT", f"/{name}", vector)
    pipeline = ingest(tmp_path, OPENSEARCH, url=opensearch.url)
    assert "a%28" in failures(pipeline)[0]
    assert there(tmp_path) == COLLECTIONS


def test_events_of_a_collection_are_few(read_once: Path) -> None:
    with closing(LocalCatalog(read_once / "catalog.db")) as catalog:
        apart = {"datasetKey", "schemaFieldKey", *aspect_names()}
        mine = [r for r in catalog.records() if urn("llama") in r.urn and r.name not in apart]
    # Facts of the one vector are on its field too.
    assert len(mine) <= 9 + 1
