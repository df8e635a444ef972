"""A DataHub server as a catalog, over recorded exchanges with a real one, beside the local catalog with the same model.

``recorded.RecordedServer`` says which answers are not recordings themselves: batch reads beyond the recorded two, and
lineage of one or two hops, both put together from what was recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.graph.client import DataHubGraph, entity_type_to_graphql
from datahub.ingestion.graph.config import DatahubClientConfig
from datahub.metadata.schema_classes import (
    AssertionInfoClass,
    DataProcessInstanceRelationshipsClass,
    DatasetUsageStatisticsClass,
    GenericAspectClass,
    IncidentInfoClass,
    MetadataChangeProposalClass,
)

from catalog.recorded import (
    RecordedServer,
    exchanges,
    proposals,
    recorded_server,
    scrolled,
    stored,
    write_local,
)
from datahub_llmops.catalog.aspect_facts import LISTED_PROPERTIES, PROPERTY_PREFIX
from datahub_llmops.catalog.column_uses import uses_of
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.open import open_catalog, resolve
from datahub_llmops.catalog.protocol import Direction, Group
from datahub_llmops.catalog.server import client
from datahub_llmops.catalog.server.catalog import ServerCatalog
from datahub_llmops.catalog.urn_text import asset_of, entity_type, schema_field
from datahub_llmops.errors import CatalogError, UnknownAssetError
from support.stub import Call, Fault, Reply, Stub, answer_json, refused_url

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
EMAIL = f"urn:li:schemaField:({INDEX},customer_email)"
CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.customers,PROD)"
REVIEWS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.reviews,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-reviews)"
APPLICATION = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),support-bot)"
PERSONAL = "urn:li:glossaryTerm:PersonalData"
NOPE = "urn:li:dataset:(urn:li:dataPlatform:chroma,nope,PROD)"


def graph(url: str, **options: Any) -> DataHubGraph:
    return DataHubGraph(DatahubClientConfig(server=url, retry_max_times=0, **options))


@pytest.fixture
def recorded() -> Iterator[tuple[RecordedServer, ServerCatalog]]:
    with recorded_server(stored(proposals())) as (server, stub):
        yield server, ServerCatalog(graph(stub.url))


@pytest.fixture
def server(recorded: tuple[RecordedServer, ServerCatalog]) -> ServerCatalog:
    return recorded[1]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCatalog]:
    with write_local(tmp_path / "catalog.db", proposals()) as catalog:
        yield catalog


def test_batch_reads_are_built_as_the_server_gave_them() -> None:
    """The recorded batch read, beside what ``stored`` makes of the model: only what the server adds itself differs."""
    held = stored(proposals())
    answered = exchanges("entities_openapi_v3")[0]["response"]["body"]
    assert len(answered) == 2
    for entity in answered:
        given = {name: envelope["value"] for name, envelope in entity.items() if name != "urn"}
        for computed in ("browsePathsV2", "dataPlatformInstance"):
            del given[computed]
        if "ownership" in given:
            given["ownership"]["ownerTypes"] = {}
        assert given == held[entity["urn"]]


@pytest.mark.parametrize(
    ("root", "direction", "hops"),
    [
        (INDEX, "up", 5),
        (INDEX, "up", 1),
        (INDEX, "up", 2),
        (INDEX, "down", 5),
        (INDEX, "down", 2),
        (EMAIL, "up", 5),
        (EMAIL, "up", 1),
    ],
)
def test_same_walk_on_both(
    server: ServerCatalog, local: LocalCatalog, root: str, direction: Direction, hops: int
) -> None:
    assert server.lineage(root, direction, hops) == local.lineage(root, direction, hops)


def test_jobs_that_write_to_a_dataset(server: ServerCatalog, local: LocalCatalog) -> None:
    asked = [INDEX, CUSTOMERS, NOPE]
    assert list(server.jobs_into(asked)) == list(local.jobs_into(asked)) == [JOB]
    assert list(server.jobs_into([CUSTOMERS])) == list(local.jobs_into([CUSTOMERS])) == []


def test_jobs_that_may_use_a_column(server: ServerCatalog, local: LocalCatalog) -> None:
    asked = [schema_field(CUSTOMERS, "email"), schema_field(INDEX, "document")]
    assert list(server.jobs_using(asked[:1])) == list(local.jobs_using(asked[:1])) == [JOB]
    assert JOB in server.jobs_using(asked[1:]), "it may read the table that it writes to"
    assert uses_of(server, asked[:1]) == uses_of(local, asked[:1])
    assert list(server.jobs_using([schema_field(NOPE, "x")])) == []


def test_walk_up(server: ServerCatalog) -> None:
    walk = server.lineage(INDEX, "up")
    assert [(node.urn, node.hops) for node in walk.nodes] == [
        (INDEX, 0),
        (JOB, 1),
        (CUSTOMERS, 2),
        (REVIEWS, 2),
        ("urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)", 2),
    ]
    index, job, customers = walk.nodes[:3]
    assert (index.name, index.subtype, index.platform, index.terms) == (
        "reviews",
        "Vector Collection",
        "chroma",
        (PERSONAL,),
    )
    assert (job.type, job.subtype, job.platform) == ("dataJob", "Embedding Job", "airflow")
    assert (customers.owners, customers.terms) == (("urn:li:corpuser:datahub",), (PERSONAL,))
    (out,) = [edge for edge in walk.edges if edge.downstream == INDEX]
    assert (out.upstream, out.aspect) == (JOB, "dataJobInputOutput")
    assert [pair.downstream.rpartition(",")[2] for pair in out.columns] == [
        "customer_email)",
        "document)",
        "embedding)",
    ]
    assert {edge.found_by for edge in walk.edges if edge.downstream == JOB} == {("declared",), ()}


def test_walk_of_a_column_has_only_its_pair(server: ServerCatalog) -> None:
    walk = server.lineage(EMAIL, "up")
    assert [(node.urn, node.hops) for node in walk.nodes] == [(EMAIL, 0), (JOB, 1), (CUSTOMERS, 1)]
    assert [(edge.upstream, edge.downstream, len(edge.columns)) for edge in walk.edges] == [
        (JOB, EMAIL, 1),
        (CUSTOMERS, JOB, 0),
    ]


def test_a_walk_is_few_calls() -> None:
    """One query, one batch read for each type, one for what is attached to columns."""
    with recorded_server(stored(proposals())) as (_, stub):
        ServerCatalog(graph(stub.url)).lineage(INDEX, "up")
        assert [call.path for call in stub.calls].count("/api/graphql") == 1
        assert stub.count("/entity/schemaField/") == 1
        assert len(stub.calls) == 1 + 3 + 1


def test_pages(tmp_path: Path) -> None:
    """The recorded answer cut into pages of one, in the recorded form: the walk is the same."""
    held = stored(proposals())
    recorded = RecordedServer(held)
    whole = exchanges("lineage_upstream")[0]["response"]["body"]

    def answer(call: Call) -> Reply:
        if call.path != "/api/graphql":
            return recorded.answer(call)
        start = call.json["variables"]["input"]["start"]
        page = whole["data"]["searchAcrossLineage"]
        part = {**page, "start": start, "searchResults": page["searchResults"][start : start + 1]}
        return answer_json({"data": {"searchAcrossLineage": part}})

    with Stub(answer) as stub, write_local(tmp_path / "catalog.db", proposals()) as local:
        assert ServerCatalog(graph(stub.url)).lineage(INDEX, "up") == local.lineage(INDEX, "up")
        assert stub.count("/api/graphql") == 4


def test_a_walk_whose_pages_bring_nothing_new_ends() -> None:
    recorded = RecordedServer(stored(proposals()))
    whole = exchanges("lineage_upstream")[0]["response"]["body"]

    def answer(call: Call) -> Reply:
        if call.path != "/api/graphql":
            return recorded.answer(call)
        page = {**whole["data"]["searchAcrossLineage"], "total": 10**9}
        return answer_json({"data": {"searchAcrossLineage": page}})

    with Stub(answer) as stub, pytest.raises(CatalogError, match="has no end"):
        ServerCatalog(graph(stub.url)).lineage(INDEX, "up")


def test_a_scroll_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_CALLS_OF_TIME", 0)
    with recorded_server(stored(proposals())) as (_, stub), pytest.raises(CatalogError, match="has no end"):
        ServerCatalog(graph(stub.url)).describes("chroma")


def test_soft_deleted_assets_end_the_walk() -> None:
    """First a table of the model is removed, then the index itself."""
    held = stored(proposals())
    held[CUSTOMERS]["status"] = {"removed": True}
    with recorded_server(held) as (_, stub):
        walk = ServerCatalog(graph(stub.url)).lineage(INDEX, "up")
    assert CUSTOMERS not in {node.urn for node in walk.nodes}
    assert CUSTOMERS not in {edge.upstream for edge in walk.edges}
    held[INDEX]["status"] = {"removed": True}
    with recorded_server(held) as (_, stub), pytest.raises(UnknownAssetError, match="removed"):
        ServerCatalog(graph(stub.url)).lineage(INDEX, "up")


def test_unknown_asset(server: ServerCatalog) -> None:
    with pytest.raises(UnknownAssetError, match="does not know"):
        server.lineage(NOPE, "up")
    assert server.aspects(NOPE) == {}
    assert server.nodes([NOPE, INDEX])[0].urn == INDEX


def test_same_answers_on_both(server: ServerCatalog, local: LocalCatalog) -> None:
    urns = [
        INDEX,
        EMAIL,
        CUSTOMERS,
        f"urn:li:schemaField:({CUSTOMERS},email)",
        f"urn:li:schemaField:({CUSTOMERS},no)",
        PERSONAL,
    ]
    assert server.nodes(urns) == local.nodes(urns)
    assert [node.name for node in server.nodes([PERSONAL])] == ["Personal data"]
    assert dict(server.aspects(JOB)) == dict(local.aspects(JOB))
    assert dict(server.aspects(CUSTOMERS, ("subTypes",))) == {"subTypes": {"typeNames": ["Table"]}}
    assert server.latest(INDEX).keys() == local.latest(INDEX).keys() == {"datasetProfile", "operation"}
    assert server.latest(INDEX)["datasetProfile"]["rowCount"] == 12345
    assert dict(server.schemas(INDEX)) == dict(local.schemas(INDEX))
    assert server.aspects_of([JOB, NOPE]).keys() == local.aspects_of([JOB, NOPE]).keys() == {JOB}
    assert local.aspects_of([JOB, CUSTOMERS], ("subTypes",))[CUSTOMERS] == {
        "subTypes": {"typeNames": ["Table"]}
    }


def _usage(count: int) -> dict[str, Any]:
    """Records of a time series in the form that DataHub's own client reads."""
    records = [
        {"timestampMillis": 86_400_000 * day, "partitionSpec": {"type": "PARTITION", "partition": "host=a"}}
        for day in range(count, 0, -1)
    ]
    values = [{"aspect": {"value": json.dumps(one), "contentType": "application/json"}} for one in records]
    return {"value": {"entityName": "dataset", "aspectName": "datasetUsageStatistics", "values": values}}


def test_the_records_of_one_time_series() -> None:
    asked: list[dict[str, Any]] = []

    def answer(call: Call) -> Reply:
        assert call.path == "/aspects"
        assert call.query == {"action": ["getTimeseriesAspectValues"]}
        asked.append(json.loads(call.body))
        return answer_json(_usage(3))

    with Stub(answer) as stub:
        client = graph(stub.url)
        found = ServerCatalog(client).series(INDEX, "datasetUsageStatistics", 86_400_000)
        theirs = client.get_timeseries_values(INDEX, DatasetUsageStatisticsClass, filter={})
    assert [one["timestampMillis"] for one in found] == [86_400_000 * day for day in (1, 2, 3)]
    assert [one.timestampMillis for one in reversed(theirs)] == [one["timestampMillis"] for one in found]
    assert {key: asked[0][key] for key in ("urn", "entity", "aspect")} == {
        key: asked[1][key] for key in ("urn", "entity", "aspect")
    }
    assert asked[0]["startTimeMillis"] == 86_400_000


def test_more_records_than_a_server_gives_at_once_are_an_error() -> None:
    with (
        Stub(lambda _: answer_json(_usage(10_000))) as stub,
        pytest.raises(CatalogError, match="more than 10000 records"),
    ):
        ServerCatalog(graph(stub.url)).series(INDEX, "datasetUsageStatistics", 0)


@pytest.mark.parametrize("body", [{}, {"value": {"values": [{"aspect": {}}]}}, {"value": {"values": [3]}}])
def test_an_answer_without_records_is_no_empty_time_series(body: dict[str, Any]) -> None:
    with (
        Stub(lambda _: answer_json(body)) as stub,
        pytest.raises(CatalogError, match="not a DataHub metadata service"),
    ):
        ServerCatalog(graph(stub.url)).series(INDEX, "datasetUsageStatistics", 0)


def test_schema_without_regard_to_case(server: ServerCatalog, local: LocalCatalog) -> None:
    """Found by the recorded scroll over the platform."""
    typed = INDEX.replace("default_database.reviews", "Default_Database.REVIEWS")
    assert dict(server.schemas(typed)) == dict(local.schemas(typed))
    assert dict(server.schemas(typed)) == {
        INDEX: {"embedding": "vector(768)", "document": "string", "customer_email": "string"}
    }


def test_a_platform_of_which_it_has_a_schema(server: ServerCatalog, local: LocalCatalog) -> None:
    assert server.describes("chroma")
    assert local.describes("chroma")


def test_search(server: ServerCatalog) -> None:
    assert [node.urn for node in server.search("reviews")] == [
        INDEX,
        "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.reviews-retriever,PROD)",
        REVIEWS,
        JOB,
    ]


def test_short_names(server: ServerCatalog) -> None:
    assert resolve(server, "chroma:default_database.reviews") == INDEX
    assert resolve(server, "chroma:default_database.reviews#customer_email") == EMAIL
    with pytest.raises(UnknownAssetError) as ambiguous:
        resolve(server, "reviews")
    assert INDEX in str(ambiguous.value)
    assert REVIEWS in str(ambiguous.value)


def test_what_carries_a_term(local: LocalCatalog) -> None:
    """As above, filters on terms were not recorded."""
    held = stored(proposals())
    with recorded_server(held) as (server, stub):
        server.extra["fieldGlossaryTerms"] = scrolled([CUSTOMERS, EMAIL, NOPE])
        found = list(ServerCatalog(graph(stub.url)).carrying(PERSONAL))
        rules = [rule for either in stub.calls[0].json["variables"]["orFilters"] for rule in either["and"]]
    assert found == [CUSTOMERS, EMAIL]
    assert set(found) <= {asset_of(urn) for urn in local.carrying(PERSONAL)} | set(local.carrying(PERSONAL))
    asked = {rule["field"] for rule in rules if rule["values"] == [PERSONAL]}
    assert asked == {"glossaryTerms", "fieldGlossaryTerms", "editedFieldGlossaryTerms"}


def test_labelled(local: LocalCatalog) -> None:
    """Filters on terms and tags were not recorded: the answer is a scroll's, with what carries a term in the model."""
    held = stored(proposals())
    with recorded_server(held) as (server, stub):
        server.extra["fieldGlossaryTerms"] = scrolled([CUSTOMERS, EMAIL, NOPE])
        found = list(ServerCatalog(graph(stub.url)).labelled())
        asked = stub.calls[0].json["variables"]
        held[INDEX]["status"] = {"removed": True}
        left = list(ServerCatalog(graph(stub.url)).labelled())
    assert found == [CUSTOMERS, EMAIL]
    assert set(found) <= set(local.labelled())
    assert left == [CUSTOMERS], "a column of a removed asset went with it"
    live = {"field": "removed", "condition": "EQUAL", "values": ["true"], "negated": True}
    assert all(live in either["and"] for either in asked["orFilters"])
    fields = ["", "field", "editedField"]
    assert {rule["field"] for either in asked["orFilters"] for rule in either["and"] if rule != live} == {
        *(f"{field}GlossaryTerms" if field else "glossaryTerms" for field in fields),
        *(f"{field}Tags" if field else "tags" for field in fields),
    }


def test_export_of_a_server(tmp_path: Path, local: LocalCatalog) -> None:
    """Scrolls by type in the recorded form, in pages of two, over the model: its export makes the same catalog.

    Of what the server works out itself and refuses to be told, nothing is exported.
    """
    held = stored(proposals())
    held["urn:li:dataset:(urn:li:dataPlatform:langfuse,answer.v2,PROD)"]["versionProperties"]["isLatest"] = (
        True
    )
    recorded = RecordedServer(held)

    def answer(call: Call) -> Reply:
        if call.path != "/api/graphql":
            return recorded.answer(call)
        variables = call.json["variables"]
        urns = [urn for urn in held if [entity_type_to_graphql(entity_type(urn))] == variables["types"]]
        start = int(variables["scrollId"] or 0)
        return answer_json(
            scrolled(urns[start : start + 2], str(start + 2) if start + 2 < len(urns) else None)
        )

    with Stub(answer) as stub:
        records = list(ServerCatalog(graph(stub.url)).records())
    assert records[0].name == "propertyDefinition"
    assert records[-1].name == "versionSetProperties"
    assert not any("isLatest" in record.aspect for record in records)
    written = [
        MetadataChangeProposalClass(
            entityType=entity_type(record.urn),
            entityUrn=record.urn,
            changeType="UPSERT",
            aspectName=record.name,
            aspect=GenericAspectClass(
                value=json.dumps(record.aspect).encode(), contentType="application/json"
            ),
        )
        for record in records
    ]
    with write_local(tmp_path / "again.db", written) as again:
        assert again.lineage(INDEX, "up") == local.lineage(INDEX, "up")
        assert again.lineage(EMAIL, "up") == local.lineage(EMAIL, "up")
        assert again.latest(INDEX) == local.latest(INDEX)
        left_out = {record.urn for record in local.records()} - {record.urn for record in again.records()}
        assert {entity_type(urn) for urn in left_out} == {"dataPlatform"}


def test_graphql_error_says_what_the_server_said() -> None:
    refusal = exchanges("graphql_error")[0]["response"]["body"]
    with Stub(lambda _: answer_json(refusal)) as stub, pytest.raises(CatalogError, match="FieldUndefined"):
        ServerCatalog(graph(stub.url)).lineage(INDEX, "up")


ASKED: list[Callable[[ServerCatalog], object]] = [
    lambda catalog: catalog.lineage(INDEX, "up"),
    lambda catalog: catalog.aspects(INDEX),
    lambda catalog: list(catalog.labelled()),
]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "DATAHUB_GMS_TOKEN"),
        ("403", "DATAHUB_GMS_TOKEN"),
        ("404", "not a DataHub metadata service"),
        ("501", "not a DataHub metadata service"),
        ("429", "429"),
        ("500", "500"),
        ("503", "503"),
        ("login_page", "not a DataHub metadata service"),
        ("garbage", "not a DataHub metadata service"),
        ("empty", "not a DataHub metadata service"),
        ("half", "broke off"),
        ("reset", "broke off"),
        ("killed", "nobody answers"),
        ("silence", "within 1 s"),
        ("drip_headers", "within 1 s"),
        ("drip_body", "within 1 s"),
    ],
)
def test_bad_servers(fault: Fault, said: str) -> None:
    """Every fault is a ``CatalogError`` that names the server, in time, for each kind of request."""
    for ask in ASKED:
        with Stub(lambda _: answer_json({})) as stub:
            stub.fail(fault)
            catalog = ServerCatalog(graph(stub.url, token="s3cret"), timeout=1)
            started = time.monotonic()
            with pytest.raises(CatalogError, match=said) as caught:
                ask(catalog)
            assert time.monotonic() - started < 20, "it hung"
            assert stub.url in str(caught.value)
            assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [{}, [], {"data": None}, {"data": {"searchAcrossLineage": {"searchResults": [{}]}}}, 7]
)
def test_answers_of_another_shape(answer: object) -> None:
    with Stub(lambda _: answer_json(answer)) as stub:
        catalog = ServerCatalog(graph(stub.url))
        with pytest.raises(CatalogError, match="not a DataHub metadata service"):
            catalog.lineage(INDEX, "up")
        if answer != []:
            with pytest.raises(CatalogError, match="not a DataHub metadata service"):
                catalog.aspects(INDEX)


def test_nobody_there() -> None:
    with refused_url() as url, pytest.raises(CatalogError, match="connection refused"):
        ServerCatalog(graph(url)).lineage(INDEX, "up")


def test_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_GMS_TOKEN", "t0ken\n")
    with recorded_server(stored(proposals())) as (_, stub):
        catalog = open_catalog(stub.url)
        catalog.aspects(INDEX)
        catalog.close()
        assert stub.calls[0].headers["Authorization"] == "Bearer t0ken"


def test_token_of_the_file_goes_to_its_own_server_only(tmp_path: Path) -> None:
    """In a process of its own: DataHub finds the home folder on import."""
    import os
    import subprocess
    import sys

    with (
        recorded_server(stored(proposals())) as (_, stub),
        recorded_server(stored(proposals())) as (_, other),
    ):
        (tmp_path / ".datahubenv").write_text(f"gms:\n  server: {stub.url}\n  token: filet0ken\n")
        env = {key: value for key, value in os.environ.items() if not key.startswith("DATAHUB")}
        for url in (stub.url, other.url):
            code = f"from datahub_llmops.catalog.open import open_catalog; open_catalog({url!r}).aspects({INDEX!r})"
            subprocess.run(
                [sys.executable, "-c", code], env={**env, "HOME": str(tmp_path)}, check=True, timeout=60
            )
        assert stub.calls[0].headers["Authorization"] == "Bearer filet0ken"
        assert "Authorization" not in other.calls[0].headers


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("http://ada:s3cret@localhost:8080", "DATAHUB_GMS_TOKEN"),
        ("http://", "needs a host"),
        ("http://localhost:99999", "cannot be read"),
        ("ftp://localhost", "path of a file"),
        ("ftp://ada:s3cret@localhost", r"ftp://\*\*\*@localhost"),
        ("postgresql://ada:x/s3cret@y@localhost/x", "path of a file"),
        ("ada:s3cret@localhost", "is not shown"),
        ("http:/ada:s3cret@localhost", "is not shown"),
    ],
)
def test_wrong_addresses(where: str, said: str) -> None:
    with pytest.raises(CatalogError, match=said) as caught:
        open_catalog(where)
    assert "s3cret" not in str(caught.value)


def test_aliases_are_those_of_live_datasets_of_the_platform(tmp_path: Path) -> None:
    """A scroll of one platform was not recorded: the answer is in the form of the one by subtype."""
    first, second, other = (
        f"urn:li:dataset:(urn:li:dataPlatform:{name},PROD)"
        for name in ("qdrant,docs_v1", "qdrant,docs_v2", "qdrantine,docs")
    )
    said = {first: "docs", second: "current, docs", other: "docs"}
    held = {
        urn: {"datasetProperties": {"customProperties": {"aliases": names}, "tags": []}}
        for urn, names in said.items()
    }
    with recorded_server(held) as (server, stub):
        server.extra["platform.keyword"] = scrolled([second, first])
        assert ServerCatalog(graph(stub.url)).aliases("qdrant") == {
            "docs": [first, second],
            "current": [second],
        }
    with write_local(tmp_path / "catalog.db", _written(held)) as catalog:
        assert catalog.aliases("qdrant") == {"docs": [first, second], "current": [second]}


def test_groups_are_the_same_on_both(tmp_path: Path) -> None:
    first, second, other = (
        f"urn:li:dataset:(urn:li:dataPlatform:mlflow,{name},PROD)" for name in ("a.v1", "a.v2", "b.v1")
    )
    held: dict[str, dict[str, Any]] = {
        urn: {"subTypes": {"typeNames": ["Prompt"]}, "datasetProperties": {"name": name, "tags": []}}
        for urn, name in ((first, "a"), (second, "a"), (other, "b"))
    }
    labelled = {"propertyUrn": f"{PROPERTY_PREFIX}prompt_labels", "values": [{"string": "production"}]}
    held[second]["structuredProperties"] = {"properties": [labelled]}
    expected = [
        Group("mlflow", "a", [first, second], {second: {"prompt_labels": ("production",)}}),
        Group("mlflow", "b", [other], {}),
    ]
    with recorded_server(held) as (server, stub):
        server.extra["typeNames"] = scrolled([other, second, first])
        assert list(ServerCatalog(graph(stub.url)).groups("Prompt", LISTED_PROPERTIES)) == expected
    with write_local(tmp_path / "catalog.db", _written(held)) as catalog:
        assert list(catalog.groups("Prompt", LISTED_PROPERTIES)) == expected


def test_time_series_of_many_assets_are_asked_only_where_there_are_records() -> None:
    usage = {"timestampMillis": 86_400_000, "partitionSpec": {"type": "PARTITION", "partition": "host=a"}}
    held = RecordedServer({INDEX: {"datasetUsageStatistics": usage}, REVIEWS: {"status": {"removed": False}}})
    asked: list[tuple[str, str]] = []

    def answer(call: Call) -> Reply:
        if call.path != "/aspects":
            return held.answer(call)
        asked.append((call.json["urn"], call.json["aspect"]))
        return answer_json(_usage(2))

    with Stub(answer) as stub:
        found = ServerCatalog(graph(stub.url)).series_of(
            [INDEX, REVIEWS], ["datasetUsageStatistics", "llmUsage"]
        )
    assert asked == [(INDEX, "datasetUsageStatistics")]
    assert {urn: list(own) for urn, own in found.items() if own} == {INDEX: ["datasetUsageStatistics"]}
    assert [one["timestampMillis"] for one in found[INDEX]["datasetUsageStatistics"]] == [
        86_400_000,
        172_800_000,
    ]


def _written(held: Mapping[str, Mapping[str, Any]]) -> list[MetadataChangeProposalClass]:
    return [
        MetadataChangeProposalClass(
            entityType="dataset",
            entityUrn=urn,
            changeType="UPSERT",
            aspectName=name,
            aspect=GenericAspectClass(contentType="application/json", value=json.dumps(aspect).encode()),
        )
        for urn, aspects in held.items()
        for name, aspect in aspects.items()
    ]


def test_assertions_and_incidents_are_searched_by_what_they_are_about(
    recorded: tuple[RecordedServer, ServerCatalog],
) -> None:
    server, catalog = recorded
    incident, assertion = "urn:li:incident:late", "urn:li:assertion:fresh"
    server.held = {
        **server.held,
        incident: {"incidentInfo": {"entities": [INDEX, REVIEWS], "status": {"state": "ACTIVE"}}},
        assertion: {
            "assertionInfo": {"type": "CUSTOM", "customAssertion": {"type": "Fresh", "entity": INDEX}},
            "assertionRunEvent": {"timestampMillis": 1, "result": {"type": "FAILURE"}},
        },
        "urn:li:incident:gone": {"incidentInfo": {"entities": [INDEX]}, "status": {"removed": True}},
    }
    server.extra["entities"] = scrolled([incident, "urn:li:incident:gone"])
    server.extra["entity"] = scrolled([assertion])
    found = catalog.quality([INDEX, CUSTOMERS])
    assert list(found) == [INDEX]
    assert sorted(found[INDEX]) == [assertion, incident]
    assert found[INDEX][assertion]["assertionRunEvent"]["result"]["type"] == "FAILURE"


def test_a_server_s_index_knows_what_assertions_and_incidents_are_about() -> None:
    """The names of the search fields are those of the annotations in DataHub's own schemas."""
    named = {
        field.name: field.other_props["Searchable"]
        for aspect in (AssertionInfoClass, IncidentInfoClass)
        for field in aspect.RECORD_SCHEMA.fields
        if field.name in ("entityUrn", "entities")
    }
    assert named["entityUrn"]["fieldName"] == "entity"
    assert named["entities"] == {"/*": {"fieldType": "URN"}}  # Without a name of its own: that of the field.


def test_runs_are_searched_by_their_job_newest_first(
    recorded: tuple[RecordedServer, ServerCatalog],
) -> None:
    server, catalog = recorded

    def run(job: str, at: int, **more: Any) -> dict[str, Any]:
        return {
            "dataProcessInstanceProperties": {
                "name": "r",
                "created": {"time": at, "actor": "urn:li:corpuser:a"},
            },
            "dataProcessInstanceRelationships": {"parentTemplate": job, "upstreamInstances": []},
            "dataProcessInstanceRunEvent": {"timestampMillis": at, "status": "COMPLETE"},
            **more,
        }

    one, two, gone, other = (f"urn:li:dataProcessInstance:{name}" for name in ("one", "two", "gone", "other"))
    server.held = {
        **server.held,
        one: run(JOB, 1),
        two: run(JOB, 2),
        gone: run(JOB, 3, status={"removed": True}),
        other: run(f"{JOB[:-1]}-2)", 4),
    }
    found = catalog.runs([JOB, "urn:li:dataJob:(urn:li:dataFlow:(airflow,a,PROD),b)"])
    assert {job: list(runs) for job, runs in found.items()} == {JOB: [two, one]}
    assert found[JOB][two]["dataProcessInstanceRunEvent"]["timestampMillis"] == 2
    assert list(catalog.runs([JOB], most=2)[JOB]) == [two]


def test_a_server_s_index_knows_the_job_of_a_run() -> None:
    (field,) = (
        field
        for field in DataProcessInstanceRelationshipsClass.RECORD_SCHEMA.fields
        if field.name == "parentTemplate"
    )
    assert field.other_props["Searchable"]["/*"]["fieldName"] == "parentTemplate"


def test_walks_of_many_assets_at_once_are_those_of_each(
    recorded: tuple[RecordedServer, ServerCatalog],
) -> None:
    _, catalog = recorded
    found = catalog.upstreams([INDEX, REVIEWS, NOPE], 5)
    one = catalog.lineage(INDEX, "up", 5)
    assert sorted(found) == [INDEX, REVIEWS]
    assert found[INDEX].edges == one.edges
    assert found[INDEX].nodes == one.nodes
    assert [node.urn for node in found[REVIEWS].nodes] == [REVIEWS]


def test_walks_of_many_assets_take_few_requests(tmp_path: Path) -> None:
    held = stored(proposals())
    for number in range(100):
        held[f"{INDEX[:-6]}{number},PROD)"] = held[INDEX]
        job = JOB[:-1] + f"{number})"
        edges = {**held[JOB]["dataJobInputOutput"]}
        edges["outputDatasetEdges"] = [{"destinationUrn": f"{INDEX[:-6]}{number},PROD)"}]
        edges["outputDatasets"] = []
        held[job] = {**held[JOB], "dataJobInputOutput": edges}
    with recorded_server(held) as (_, stub):
        catalog = ServerCatalog(graph(stub.url))
        before = len(stub.calls)
        found = catalog.upstreams([f"{INDEX[:-6]}{number},PROD)" for number in range(100)])
        asked = len(stub.calls) - before
    assert len(found) == 100
    assert all(len(walk.nodes) == len(found[next(iter(found))].nodes) > 2 for walk in found.values())
    assert asked <= 60
