"""What the reader says of Pinecone's documented answers, and of a stand-in that answers in their shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from datahub_llmops.assets.collections import (
    Container,
    FailedListing,
    PayloadField,
    ProvenanceCount,
    Vector,
)
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient
from datahub_llmops.testing import KnownIds, OpenReader, StoreContract
from datahub_llmops.vector_stores.pinecone.facts import Index, parse_index, parse_stats
from datahub_llmops.vector_stores.pinecone.reader import API_VERSION, PineconeReader, absent
from datahub_llmops.vector_stores.pinecone.source import PineconeSource
from support.stub import Call, Reply, Stub, answer_json
from vector_stores.pinecone.estate import NAMES, ODD_NAMESPACE, estate
from vector_stores.pinecone.service import (
    KEY,
    PLANTED,
    FakeIndex,
    PineconeService,
    documented,
    records,
)

FIELDS = ("source", "file_path", "ref_doc_id")


def open_at(url: str, *, key: str = KEY, **options: Any) -> PineconeReader:
    headers = {"Api-Key": key, "X-Pinecone-Api-Version": API_VERSION}
    client = HttpClient(
        system="Pinecone", base_url=url, headers=headers, absent=absent, backoff=0.01, timeout=10.0
    )
    return PineconeReader(
        client, **{"sample_rows": 1000, "provenance_fields": FIELDS, "describe_namespaces": True, **options}
    )


@pytest.fixture
def service() -> Iterator[PineconeService]:
    with PineconeService(*estate()) as server:
        yield server


@pytest.fixture
def reader(service: PineconeService) -> Iterator[PineconeReader]:
    with closing(open_at(service.url)) as opened:
        yield opened


class TestContract(StoreContract):
    source = PineconeSource

    @pytest.fixture
    def open_reader(self, service: PineconeService) -> OpenReader:
        return lambda: open_at(service.url)

    @pytest.fixture
    def known_ids(self) -> KnownIds:
        return {
            ("docs", "__default__"): ["id-00100", "id-00249"],
            ("written", "langchain"): ["lc-0", "lc-3"],
            ("written", "llama"): ["doc-0#li-0"],
        }

    @pytest.fixture
    def open_faulty(self, service: PineconeService) -> OpenReader:
        true, wrong = service.answer, answer_json({"vectors": {"id": "id-00100"}})
        service.answer = lambda call: wrong if call.path.endswith("/vectors/list") else true(call)
        return lambda: open_at(service.url)


def test_namespaces_of_all_indexes_are_listed(reader: PineconeReader) -> None:
    # An index without namespaces holds nothing that could be a collection.
    assert list(reader.names()) == NAMES


def test_listing_is_one_request_and_one_for_each_index(service: PineconeService) -> None:
    with closing(open_at(service.url, describe_namespaces=False, sample_rows=0)) as reader:
        for name in list(reader.names()):
            assert isinstance(name, tuple)
            reader.read(name)
    assert sorted((call.method, call.path) for call in service.calls) == sorted(
        [("GET", "/indexes"), *(("POST", f"/hosts/{name}/describe_index_stats") for name in service.indexes)]
    )
    assert {call.headers["X-Pinecone-Api-Version"] for call in service.calls} == {"2026-07"}


def test_a_namespace_with_everything(reader: PineconeReader) -> None:
    docs = reader.read(("docs", "__default__"))
    assert docs.vectors == (Vector(name="_values", dimension=4, metric="cosine"),)
    assert docs.fields == (
        PayloadField(path="page", type="float", native_type="number", nullable=False),
        PayloadField(path="ready", type="boolean", native_type="boolean", nullable=False),
        PayloadField(path="score", type="float", native_type="number", nullable=False),
        PayloadField(path="source", type="string", native_type="string", nullable=False),
        PayloadField(path="tags", type="array", native_type="list of strings", nullable=False),
        PayloadField(path="text", type="string", native_type="string", nullable=False),
    )
    assert (docs.count, docs.count_is_estimate, docs.size_bytes) == (250, False, 250_000)
    assert docs.region == "us-east-1"
    assert (docs.created, docs.modified, docs.aliases, docs.partitions) == (None, None, (), ())
    assert docs.properties["tag_keys"] == "env, team"
    assert docs.properties["deletion_protection"] == "enabled"
    assert docs.properties["deployment"] == "serverless"
    assert docs.properties["cloud"] == "aws"
    assert docs.properties["host"].endswith("/hosts/docs")
    assert docs.containers == (
        Container(
            kind="Index",
            name="docs",
            properties={
                key: value for key, value in docs.properties.items() if key not in ("index", "namespace")
            },
        ),
    )
    assert PLANTED not in str(replace(docs, provenance=()))


def test_provenance_is_counted_in_the_sample_with_its_coverage(service: PineconeService) -> None:
    with closing(open_at(service.url, sample_rows=120)) as reader:
        docs = reader.read(("docs", "__default__"))
        units = reader.read_units
    assert docs.provenance == (
        ProvenanceCount(
            field="source",
            values={f"s3://kb/{n}.md": 1 for n in range(120)},
            rows_scanned=120,
            rows_total=250,
        ),
    )
    # Two pages of ids, and a unit for each ten records that were fetched.
    assert units == 2 + 10 + 2


def test_without_a_sample_no_record_is_read(service: PineconeService) -> None:
    with closing(open_at(service.url, sample_rows=0)) as reader:
        for name in NAMES:
            assert reader.read(name).provenance == ()
        assert reader.read_units == 0
    assert service.count("/vectors/") == service.count("/documents/") == 0


def test_pods_list_no_records_and_say_so(reader: PineconeReader) -> None:
    podded = reader.read(("podded", "__default__"))
    assert podded.provenance == (ProvenanceCount(field="source", values={}, rows_scanned=0, rows_total=7),)
    assert (podded.region, podded.size_bytes, podded.fields) == (None, None, ())
    assert {key: podded.properties[key] for key in ("deployment", "environment", "pod_type", "replicas")} == {
        "deployment": "pod",
        "environment": "us-east1-gcp",
        "pod_type": "p1.x1",
        "replicas": "2",
    }


def test_a_sparse_index_has_no_dimension(reader: PineconeReader) -> None:
    sparse = reader.read(("sparse", "terms"))
    assert sparse.vectors == (Vector(name="_sparse_values", metric="dotproduct", sparse=True),)
    assert sparse.vectors[0].native_type == "sparsevector"


def test_an_index_may_hold_a_dense_and_a_sparse_vector(reader: PineconeReader) -> None:
    assert reader.read(("hybrid", "all")).vectors == (
        Vector(name="_values", dimension=4, metric="dotproduct"),
        Vector(name="_sparse_values", sparse=True),
    )


def test_a_document_index_names_models_fields_and_text(reader: PineconeReader) -> None:
    news = reader.read(("articles", "news"))
    assert news.vectors == (
        Vector(
            name="body.embed", dimension=512, metric="cosine", embedding_model="pinecone/llama-text-embed-v2"
        ),
        Vector(name="body.sparse_embed", sparse=True, embedding_model="pinecone/pinecone-sparse-english-v0"),
    )
    assert news.fields == (
        PayloadField(path="body", type="string", native_type="string", description="What is read"),
        PayloadField(path="source", type="string", native_type="string", nullable=False),
        PayloadField(path="title", type="string", native_type="string"),
    )
    assert news.text_field == "body"
    assert sum(news.provenance[0].values.values()) == 5


def test_an_integrated_index_says_its_model_and_text(reader: PineconeReader) -> None:
    integrated = reader.read(("integrated", "__default__"))
    # Its schema has no dimension: the counts do.
    assert integrated.vectors == (
        Vector(
            name="_values",
            dimension=1024,
            metric="cosine",
            embedding_model="pinecone/multilingual-e5-large",
        ),
    )
    assert integrated.fields == (PayloadField(path="chunk_text", type="string", native_type="semantic_text"),)
    assert integrated.text_field == "chunk_text"
    assert (integrated.count, integrated.size_bytes) == (0, None)


def test_what_langchain_and_llama_index_wrote(reader: PineconeReader) -> None:
    langchain, llama = reader.read(("written", "langchain")), reader.read(("written", "llama"))
    assert [item.path for item in langchain.fields] == ["page", "source", "text"]
    assert langchain.text_field == "text"
    assert langchain.provenance[0].values == {"s3://kb/0.md": 2, "s3://kb/1.md": 2}
    described = {item.path: bool(item.description) for item in llama.fields}
    assert described == {
        "_node_content": True,
        "_node_type": True,
        "doc_id": True,
        "document_id": True,
        "file_path": False,
        "ref_doc_id": True,
    }
    assert llama.text_field == "_node_content"
    found = {item.field: item.values for item in llama.provenance}
    assert found["file_path"] == {"/kb/0.md": 1, "/kb/1.md": 1}
    assert found["ref_doc_id"] == {"doc-0": 1, "doc-1": 1}
    assert "planted text" not in str(llama)


def test_a_payload_field_may_be_called_like_the_vector() -> None:
    clash = FakeIndex(name="clash", namespaces={"n": records(1, _values="x")})
    with PineconeService(clash) as server, closing(open_at(server.url)) as reader:
        item = reader.read(("clash", "n"))
    assert ([vector.name for vector in item.vectors], [field.path for field in item.fields]) == (
        ["#_values"],
        ["_values"],
    )


def test_ids_are_asked_for_in_parts_that_an_address_can_carry() -> None:
    long = {f"{n:03d}" + "é" * 200: {"source": f"s{n}"} for n in range(150)}
    with (
        PineconeService(FakeIndex(name="long", namespaces={"n": long})) as server,
        closing(open_at(server.url)) as reader,
    ):
        item = reader.read(("long", "n"))
        fetches = [call for call in server.calls if call.path.endswith("/vectors/fetch")]
    assert item.provenance[0].rows_scanned == 150
    assert len(fetches) > 20


class TestDocumentedAnswers:
    """Every example of the vendor's reference, as it stands there."""

    def described(self, version: str, call: str = "GET /indexes") -> list[Index]:
        answer = documented(version, call)
        found = [parse_index(entry) for entry in answer.get("indexes", [answer])]
        assert None not in found
        return [item for item in found if item is not None]

    def test_2026_07(self) -> None:
        (movies,) = self.described("2026-07")
        assert self.described("2026-07", "GET /indexes/movie-recommendations") == [movies]
        counted = parse_stats(documented("2026-07", "POST /describe_index_stats"))
        assert counted is not None
        assert counted.namespaces == {"__default__": 50000, "example-namespace-2": 30000}
        assert movies.vectors(counted, ()) == (Vector(name="embedding", dimension=1536, metric="cosine"),)
        assert (movies.region, movies.deployment, movies.holds_documents) == ("us-east-1", "serverless", True)
        assert movies.properties()["read_capacity"] == "OnDemand"

    def test_2026_04(self) -> None:
        counted = parse_stats(documented("2026-04", "POST /describe_index_stats"))
        assert counted is not None
        pod, serverless, sparse = self.described("2026-04")
        # What an index says of itself goes before what its counts say.
        assert pod.vectors(counted, ())[0] == Vector(name="_values", dimension=384, metric="cosine")
        assert (pod.deployment, pod.can_list, pod.region) == ("pod", False, None)
        assert serverless.vectors(counted, ())[0] == Vector(
            name="_values", dimension=200, metric="dotproduct"
        )
        assert (serverless.region, serverless.state) == ("us-east-1", "Initializing")
        assert sparse.vectors(counted, ()) == (
            Vector(name="_sparse_values", metric="dotproduct", sparse=True),
        )
        (movies,) = self.described("2026-04", "GET /indexes/movie-recommendations")
        assert [(item.path, item.type) for item in movies.fields(())] == [
            ("genre", "unknown"),
            ("title", "unknown"),
        ]

    def test_2025_04(self) -> None:
        (example,) = self.described("2025-04")
        counted = parse_stats({"namespaces": {}})
        assert counted is not None
        assert example.vectors(counted, ()) == (
            Vector(
                name="_values",
                dimension=1024,
                metric="cosine",
                embedding_model="pinecone/llama-text-embed-v2",
            ),
        )
        assert example.text_field == "text"
        assert "tag_keys" not in example.properties()

    def test_namespaces_pages_and_records(self) -> None:
        """The documented answers behind one another, as the host of one index."""
        listed = documented("2026-07", "GET /namespaces")
        del listed["pagination"]
        ids = documented("2026-04", "GET /vectors/list")
        del ids["pagination"]
        movie = documented("2026-04", "GET /indexes/movie-recommendations")
        answers: dict[str, Any] = {
            "/indexes": {"indexes": [movie]},
            "/describe_index_stats": documented("2026-04", "POST /describe_index_stats"),
            "/namespaces": listed,
            "/vectors/list": ids,
            "/vectors/fetch": documented("2026-04", "GET /vectors/fetch"),
        }

        def answer(call: Call) -> Reply:
            return answer_json(answers[call.path])

        with Stub(answer) as server:
            movie["host"] = server.url
            with closing(open_at(server.url)) as reader:
                assert list(reader.names()) == [("movie-recommendations", "example-namespace")]
                found = reader.read(("movie-recommendations", "example-namespace"))
        assert (found.count, found.size_bytes) == (10000, 1048576)
        assert [field.path for field in found.fields] == ["description", "genre", "title", "year"]
        # The documented vectors carry no metadata at all.
        assert found.provenance == ()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        "text",
        {"namespaces": []},
        {"namespaces": None},
        {"dimension": 3},
        {"namespaces": [], "totalVectorCount": 12},
    ],
    ids=str,
)
def test_counts_that_say_nothing_are_not_an_empty_index(answer: object) -> None:
    assert parse_stats(answer) is None


def test_counts_without_names_are_those_of_the_default_namespace() -> None:
    counted = parse_stats({"namespaces": {}, "totalVectorCount": 12})
    assert counted is not None
    assert counted.namespaces == {"__default__": 12}


def test_an_index_that_lists_its_default_namespace_twice_is_unlisted() -> None:
    twice = FakeIndex(name="twice", counts={"": 1, "__default__": 2, "other": 3})
    with PineconeService(twice) as server, closing(open_at(server.url)) as reader:
        entries = list(reader.names())
    assert isinstance(entries[0], FailedListing)
    assert "lists its default namespace twice" in str(entries[0].error)


@pytest.mark.parametrize("answer", [{}, {"indexes": {}}, {"indexes": None}, []], ids=str)
def test_what_is_not_a_control_plane_is_not_an_empty_project(answer: Any) -> None:
    with (
        Stub(lambda call: answer_json(answer)) as server,
        closing(open_at(server.url)) as reader,
        pytest.raises(UnreachableError, match="not Pinecone's control plane"),
    ):
        list(reader.names())


def test_an_entry_that_is_no_index_breaks_the_listing(service: PineconeService) -> None:
    service.indexes["docs"].more = {"name": ""}
    with closing(open_at(service.url)) as reader, pytest.raises(UnreadableError, match="2026-07"):
        list(reader.names())


def test_an_index_without_a_host_is_unlisted(service: PineconeService) -> None:
    service.indexes["docs"].more = {"host": None, "status": {"ready": False, "state": "Initializing"}}
    with closing(open_at(service.url)) as reader:
        entries = list(reader.names())
    (unlisted,) = [entry for entry in entries if isinstance(entry, FailedListing)]
    assert unlisted.name == ("docs",)
    assert "Initializing" in str(unlisted.error)
    assert [entry for entry in entries if entry != unlisted] == [name for name in NAMES if name[0] != "docs"]


class TestKey:
    """The key goes to the control plane and to the hosts that it names, and nowhere else."""

    def test_it_goes_to_the_hosts_that_are_named(self, service: PineconeService) -> None:
        with closing(open_at(service.url)) as reader:
            list(reader.names())
        assert {call.headers.get("Api-Key") for call in service.calls} == {KEY}

    def test_it_does_not_follow_a_redirect(self, service: PineconeService) -> None:
        with Stub(lambda call: answer_json({"namespaces": {}})) as elsewhere:
            service.redirect_to = elsewhere.url
            service.fail("redirect", when=lambda call: call.path.startswith("/hosts/docs"))
            with closing(open_at(service.url)) as reader:
                entries = list(reader.names())
            assert elsewhere.calls == []
        assert [entry.name for entry in entries if isinstance(entry, FailedListing)] == [("docs",)]

    def test_it_is_not_sent_in_clear_where_the_control_plane_speaks_tls(self) -> None:
        client = HttpClient(system="Pinecone", base_url="https://pinecone.invalid", headers={"Api-Key": KEY})
        docs = parse_index({"name": "docs", "schema": {}, "host": "http://127.0.0.1:9"})
        assert docs is not None
        with closing(PineconeReader(client)) as reader:
            result = reader._try_open(docs)
        assert isinstance(result, UnreadableError)
        assert "not https" in str(result)

    def test_a_wrong_key_is_denied(self, service: PineconeService) -> None:
        with (
            closing(open_at(service.url, key="another")) as reader,
            pytest.raises(DeniedError, match="key") as caught,
        ):
            list(reader.names())
        assert "another" not in str(caught.value)

    def test_credentials_of_the_url_stay_with_the_control_plane(self, service: PineconeService) -> None:
        with closing(open_at(service.url.replace("://", "://user:secret@"))) as reader:
            list(reader.names())
        with_login = {call.path for call in service.calls if "Authorization" in call.headers}
        assert with_login == {"/indexes"}

    def test_private_endpoints_are_asked_where_there_are_some(self, service: PineconeService) -> None:
        service.indexes["docs"].more = {
            "private_host": f"{service.url}/hosts/docs",
            "host": "http://127.0.0.1:9",
        }
        with closing(open_at(service.url, private=True)) as reader:
            assert list(reader.names()) == NAMES

    @pytest.mark.parametrize(
        ("host", "problem"),
        [
            ("http://127.0.0.2:9/latest/meta-data", "belongs neither"),
            ("169.254.169.254", "belongs neither"),
            ("docs.pinecone.io.evil.example", "belongs neither"),
            ("evilpinecone.io", "belongs neither"),
            ("http://127.0.0.2@127.0.0.1", "credentials"),
            ("http://[::ffff:127.0.0.2]:1", "belongs neither"),
            ("127.0.0.2\r\nX: y", "is not an address"),
            ("file:///etc/passwd", "is not an address"),
            ("ftp://x", "is not an address"),
            ("http://[::1", "is not an address"),
            ("//x", "is not an address"),
        ],
    )
    def test_it_goes_to_no_other_host(self, service: PineconeService, host: str, problem: str) -> None:
        service.indexes["docs"].more = {"host": host}
        with closing(open_at(service.url)) as reader:
            entries = list(reader.names())
        (failed,) = (entry for entry in entries if isinstance(entry, FailedListing))
        assert failed.name == ("docs",)
        assert problem in str(failed.error)
        assert not any(call.path.startswith("/hosts/docs") for call in service.calls)

    @pytest.mark.parametrize(
        "host",
        ["docs-abc.svc.aped-4627-b74a.pinecone.io", "docs.svc.private.x.pinecone.io:443", "pinecone.invalid"],
    )
    def test_it_goes_to_the_vendors_hosts_and_to_that_of_the_recipe(self, host: str) -> None:
        client = HttpClient(system="Pinecone", base_url="https://pinecone.invalid", headers={"Api-Key": KEY})
        with closing(PineconeReader(client)) as reader:
            assert reader._find_problem(f"https://{host}") is None


class TestEndless:
    @pytest.mark.parametrize(("path", "key"), [("/namespaces", "namespaces"), ("/vectors/list", "vectors")])
    def test_pages_in_a_circle_are_left(self, service: PineconeService, path: str, key: str) -> None:
        whole = service.answer

        def answer(call: Call) -> Reply:
            if not (call.path.startswith("/hosts/docs") and call.path.endswith(path)):
                return whole(call)
            token = call.query.get("paginationToken", ["A"])[0]
            return answer_json({key: [], "pagination": {"next": "B" if token == "A" else "A"}})

        service.answer = answer
        with closing(open_at(service.url)) as reader:
            names = list(reader.names())
            if key == "namespaces":
                assert [entry.name for entry in names if isinstance(entry, FailedListing)] == [("docs",)]
            else:
                with pytest.raises(UnreadableError, match="same page again"):
                    reader.read(next(name for name in names if isinstance(name, tuple) and name[0] == "docs"))


class TestGone:
    def test_an_index_that_is_deleted_while_it_is_listed(self, service: PineconeService) -> None:
        service.fail("404", when=lambda call: call.path == "/indexes/docs")
        service.fail("404", when=lambda call: call.path.startswith("/hosts/docs"))
        with closing(open_at(service.url)) as reader:
            assert list(reader.names()) == [name for name in NAMES if name[0] != "docs"]

    def test_a_host_that_does_not_know_its_index_is_no_deletion(self, service: PineconeService) -> None:
        service.fail("404", when=lambda call: call.path.startswith("/hosts/docs"))
        with closing(open_at(service.url)) as reader:
            entries = list(reader.names())
        assert [entry.name for entry in entries if isinstance(entry, FailedListing)] == [("docs",)]

    def test_a_namespace_that_is_deleted_while_its_records_are_read(self, service: PineconeService) -> None:
        with closing(open_at(service.url)) as reader:
            list(reader.names())
            del service.indexes["docs"].namespaces[ODD_NAMESPACE]
            service.fail("404", when=lambda call: call.query.get("namespace") == [ODD_NAMESPACE])
            with pytest.raises(VanishedError):
                reader.read(("docs", ODD_NAMESPACE))

    def test_records_that_are_not_found_are_no_deletion(self, service: PineconeService) -> None:
        service.fail("404", when=lambda call: "/vectors/" in call.path)
        with closing(open_at(service.url)) as reader:
            list(reader.names())
            with pytest.raises(UnreadableError):
                reader.read(("docs", ODD_NAMESPACE))

    def test_a_key_that_may_count_but_not_read(self, service: PineconeService) -> None:
        service.fail("403", when=lambda call: "/vectors/" in call.path)
        with (
            closing(open_at(service.url)) as reader,
            pytest.raises(DeniedError, match="Set sample_rows to 0"),
        ):
            reader.read(("docs", ODD_NAMESPACE))


def test_pages_that_never_end_are_noticed(service: PineconeService) -> None:
    def answer(call: Call) -> Reply:
        if call.path.endswith("/vectors/list"):
            return answer_json({"vectors": [], "pagination": {"next": "again"}})
        return inner(call)

    inner, service.answer = service.answer, answer
    with closing(open_at(service.url)) as reader, pytest.raises(UnreadableError, match="same page again"):
        reader.read(("docs", "__default__"))


NODES = [f"00000000-0000-4000-8000-{n:012d}" for n in range(1_100)]


def test_ids_are_looked_up_by_listings_that_return_no_values(service: PineconeService) -> None:
    with closing(open_at(service.url)) as reader:
        assert reader.has(("docs", "__default__"), ["id-00001", "id-0000"]) == {"id-00001"}
        assert reader.has(("articles", "news"), ["id-00004", "id-00005"]) == {"id-00004"}
        assert reader.read_units == 4
    assert service.count("fetch") == 0


def test_ids_of_a_pod_are_fetched(service: PineconeService) -> None:
    with closing(open_at(service.url)) as reader:
        assert reader.has(("podded", "__default__"), ["id-00006", "id-00007"]) == {"id-00006"}
    assert service.count("/vectors/list") == 0


def test_a_node_of_llamaindex_is_the_end_of_a_records_id() -> None:
    held: dict[str, Any] = {f"doc-{n // 10}#{node}": {} for n, node in enumerate(NODES[:250])}
    with (
        PineconeService(FakeIndex(name="nodes", namespaces={"a": held, "b": {"x": {}}})) as service,
        closing(open_at(service.url)) as reader,
    ):
        written = NODES[249].replace("-", "")
        assert reader.has(("nodes", "a"), [NODES[0], written, NODES[250]]) == {NODES[0], written}
        assert reader.has(("nodes", "b"), [NODES[0]]) == frozenset()
        # Only a UUID can be such a node: "1" is the end of many ids.
        assert reader.has(("nodes", "a"), [NODES[0][-1]]) == frozenset()


def test_whether_many_records_hold_a_node_is_not_known() -> None:
    held: dict[str, Any] = {f"doc#{node}": {} for node in NODES}
    with (
        PineconeService(FakeIndex(name="nodes", namespaces={"a": held})) as service,
        closing(open_at(service.url)) as reader,
    ):
        assert reader.has(("nodes", "a"), [NODES[999]]) == {NODES[999]}
        with pytest.raises(UnreadableError, match="too many records of LlamaIndex"):
            reader.has(("nodes", "a"), [NODES[1_050]])
        assert reader.has(("nodes", "a"), [f"doc#{NODES[1_050]}"]) == {f"doc#{NODES[1_050]}"}
