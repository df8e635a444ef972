"""`llm-milvus` through DataHub's pipeline, twice, over a server that fails: nothing that exists is ever deleted."""

from __future__ import annotations

import base64
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.errors import DeniedError
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import aspect, failures, ingest, live, outputs, report
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
from datahub_llmops.vector_stores.milvus.reader import MilvusReader
from datahub_llmops.vector_stores.milvus.source import MilvusConfig, MilvusSource
from faults.matrix import NEXT_STEP
from support.stub import CERTIFICATE, Stub, answer_json, refused_url
from vector_stores.milvus.engine import ROOT, MilvusEngine, running
from vector_stores.milvus.faults import WAIT_FOR_A_TIME_OUT
from vector_stores.milvus.proxy import FAULTS, Answer, Connection, Fault, MilvusProxy, Status
from vector_stores.milvus.replay import replayed
from vector_stores.milvus.stores import COLLECTIONS, DATABASE, PLANTED, client, fill_small

MILVUS = "milvus"
SECRET = "planted-token-5ec7e7"
# Other tests may have databases of their own meanwhile.
OURS = {"database_pattern": {"deny": ["own_.*"]}, "token": ROOT}


def urn(*name: str) -> str:
    return urns.collection(Deployment(platform=MILVUS), name)


class TestSource(SourceContract):
    """Of one database: other tests may have some of their own meanwhile."""

    source = MilvusSource
    system = MILVUS
    collections = frozenset(name for name in COLLECTIONS if name.startswith(f"{DATABASE}."))
    filters: ClassVar[Config] = {"collection_pattern": {"allow": ["[a-n].*"], "deny": ["NOTES", "bare"]}}
    kept = frozenset({"kb.articles", "kb.asleep", "kb.bits", "kb.llama", "kb.nested"})
    filtered = 2
    job: ClassVar[Config] = {"index": "kb.notes", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "text"), ("body", "vector"), ("url", "source")})
    wrong_recipes = (
        ({}, "url"),
        ({"url": "http://b", "tokne": SECRET}, "tokne"),
        ({"url": "http://b", "timeout_sec": 0, "token": SECRET}, "timeout_sec"),
        ({"url": "http://b", "database_pattern": SECRET, "token": SECRET}, "database_pattern"),
    )
    secrets = (SECRET, PLANTED, ROOT, base64.b64encode(ROOT.encode()).decode().rstrip("="))
    provenance_fields = ("source", "tenant", "odd key")

    @pytest.fixture
    def recipe(self, milvus: MilvusEngine) -> Config:
        return {"url": milvus.url, "token": ROOT, "database": DATABASE}

    @pytest.fixture
    def refused(self, recipe: Config) -> Config:
        return {**recipe, "token": SECRET}

    @pytest.fixture
    def telling(self, recipe: Config, milvus_proxy: MilvusProxy) -> Config:
        # The pages behind the first one ask by a key, which is a value of a row.
        milvus_proxy.fail(
            "unexpected", when=lambda method, request: method == "Query" and b"notes" in request
        )
        return {**recipe, "url": milvus_proxy.url, "timeout_sec": 5.0, "retry_max_times": 1}

    def test_a_database_that_is_not_there_cannot_be_reached(self, recipe: Config) -> None:
        assert self._verdict({**recipe, "database": "nobodys"}).startswith("False: Cannot reach: ")


@pytest.fixture(scope="module")
def read_once(milvus: MilvusEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    assert failures(ingest(folder, MILVUS, url=milvus.url, **OURS)) == []
    assert live(folder, MILVUS) == COLLECTIONS
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_databases_that_cannot_be_listed_delete_nothing(
    fault: Fault, milvus_proxy: MilvusProxy, known: Path
) -> None:
    # What becomes of collections and of their rows: milvus_faults.py.
    milvus_proxy.fail(fault, when=lambda method, request: method == "ListDatabases")
    limit = 2.0 if fault in WAIT_FOR_A_TIME_OUT else 20.0
    options = {"timeout_sec": limit, "retry_max_times": 1, "max_workers": 1}
    pipeline = ingest(known, MILVUS, url=milvus_proxy.url, **OURS, **options)
    assert live(known, MILVUS) == COLLECTIONS
    (message,) = failures(pipeline)
    assert f"Milvus at 127.0.0.1:{milvus_proxy.port}: its databases (ListDatabases): " in message
    assert NEXT_STEP.search(message)
    assert "by the proxy" not in message


def test_every_kind_of_fault_is_among_them() -> None:
    assert set(FAULTS) == {*get_args(Status), *get_args(Answer), *get_args(Connection)}


def test_a_server_that_is_away_deletes_nothing(known: Path) -> None:
    with refused_url() as url:
        pipeline = ingest(known, MILVUS, url=url, **OURS, retry_max_times=0)
    assert "refused" in failures(pipeline)[0]
    assert live(known, MILVUS) == COLLECTIONS


def test_one_that_takes_connections_and_says_nothing(known: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        pipeline = ingest(known, MILVUS, url=url, **OURS, timeout_sec=1.0)
    assert "no answer within 1 s" in failures(pipeline)[0]
    assert live(known, MILVUS) == COLLECTIONS


def test_a_host_that_does_not_exist(known: Path) -> None:
    pipeline = ingest(known, MILVUS, url="http://milvus.invalid", **OURS, timeout_sec=5.0)
    assert "Milvus at milvus.invalid:19530" in failures(pipeline)[0]
    assert live(known, MILVUS) == COLLECTIONS


def test_a_web_server_is_not_taken_for_milvus(known: Path) -> None:
    with Stub(lambda call: answer_json({"status": "ok"})) as web:
        pipeline = ingest(known, MILVUS, url=web.url, **OURS, retry_max_times=0)
    assert "Milvus at 127.0.0.1" in failures(pipeline)[0]
    assert live(known, MILVUS) == COLLECTIONS


def test_a_certificate_of_unknown_origin_stops_the_run(tmp_path: Path) -> None:
    with replayed("2.6", tls=True) as url:
        trusted = ingest(tmp_path, MILVUS, url=url, ca_certificate_path=str(CERTIFICATE))
        assert failures(trusted) == []
        assert live(tmp_path, MILVUS) == {"default.kinds", "default.texts"}
        (message,) = failures(ingest(tmp_path, MILVUS, url=url, retry_max_times=0))
        assert "ca_certificate_path" in message
        # Neither is the other one's protocol spoken.
        (message,) = failures(ingest(tmp_path, MILVUS, url=url.replace("https", "http"), retry_max_times=0))
        assert NEXT_STEP.search(message)
        assert live(tmp_path, MILVUS) == {"default.kinds", "default.texts"}


def test_tls_where_there_is_none(known: Path, milvus: MilvusEngine) -> None:
    url = milvus.url.replace("http:", "https:")
    (message,) = failures(ingest(known, MILVUS, url=url, **OURS, retry_max_times=0))
    assert "Check http or https in the url" in message
    assert live(known, MILVUS) == COLLECTIONS


def test_a_server_killed_in_the_middle_deletes_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "server", fill_small) as engine:
        assert failures(ingest(tmp_path, MILVUS, url=engine.url, token=ROOT)) == []
        assert live(tmp_path, MILVUS) == {"default.docs", "default.other"}

        def kill(method: str, request: bytes) -> bool:
            if method == "DescribeIndex":
                os.kill(engine.pid, signal.SIGKILL)
            return False

        with MilvusProxy(f"127.0.0.1:{engine.port}") as proxy:
            proxy.fail("silence", when=kill)
            pipeline = ingest(tmp_path, MILVUS, url=proxy.url, token=ROOT, timeout_sec=2.0)
        assert failures(pipeline)
        assert live(tmp_path, MILVUS) == {"default.docs", "default.other"}


def test_a_collection_dropped_in_between_goes_and_the_rest_stays(
    milvus: MilvusEngine, milvus_proxy: MilvusProxy, tmp_path: Path
) -> None:
    database = f"own_{uuid.uuid4().hex[:12]}"
    with closing(client(milvus)) as first:
        first.create_database(database)
    with closing(client(milvus, database)) as own:
        for name in ("docs", "other", "third"):
            own.create_collection(name, dimension=2)
        options = {"url": milvus_proxy.url, "token": ROOT, "database": database, "max_workers": 1}
        assert failures(ingest(tmp_path, MILVUS, **options)) == []
        assert len(live(tmp_path, MILVUS)) == 3

        def drop(method: str, request: bytes) -> bool:
            if method == "DescribeCollection" and b"docs" in request and own.has_collection("docs"):
                own.drop_collection("docs")
            return False

        milvus_proxy.fail("silence", when=drop)
        pipeline = ingest(tmp_path, MILVUS, **options)
        assert failures(pipeline) == []
        assert report(pipeline).items_vanished == 1
        assert live(tmp_path, MILVUS) == {f"{database}.other", f"{database}.third"}
        # A database that became empty is the same as one whose user lost every privilege: more than is usual.
        for name in ("other", "third"):
            own.drop_collection(name)
        emptied = ingest(tmp_path, MILVUS, **options)
        assert report(emptied).failures
        assert live(tmp_path, MILVUS) == {f"{database}.other", f"{database}.third"}
    with closing(client(milvus)) as last:
        last.drop_database(database)


def wait_until_granted(url: str, token: str) -> None:
    """Wait until a user may read everything, and goes on to.

    Each grant makes the server read its privileges again, and these refreshes end in any order: an older one may take
    away what was seen granted. Hence all of it several times in a row, each over a connection of its own.
    """
    in_a_row = 0
    denied: object = None
    for _ in range(300):
        denied = _denied(url, token)
        in_a_row = 0 if denied else in_a_row + 1
        if in_a_row == 10:
            return
        time.sleep(0.1)
    pytest.fail(f"what was granted does not hold: {denied}")


def _denied(url: str, token: str) -> object:
    """Return what a user may not read, or not see; ``None`` if it is nothing."""
    with closing(MilvusReader(MilvusGrpcClient(url, token=token))) as reader:
        try:
            listed = list(reader.names())
            for name in COLLECTIONS:
                reader.read(tuple(name.split(".")))
        except DeniedError as error:
            return error
    # The reader names a database whose collections it may not list, and goes on.
    seen = {".".join(entry) for entry in listed if not isinstance(entry, FailedListing)}
    return COLLECTIONS - seen or None


def test_a_user_without_the_privilege_to_read_rows(known: Path, milvus: MilvusEngine) -> None:
    token = f"reader_{uuid.uuid4().hex[:8]}"
    password = "planted-Passw0rd"
    role = f"role_{token}"
    with closing(client(milvus)) as root:
        root.create_user(token, password)
        root.create_role(role)
        root.grant_role(token, role)
        asking = {**OURS, "token": f"{token}:{password}"}
        pipeline = ingest(known, MILVUS, url=milvus.url, **asking)
        assert live(known, MILVUS) == COLLECTIONS
        assert any("not allowed" in message for message in failures(pipeline))
        assert password not in report(pipeline).as_string()
        # What docs/connectors/milvus.md says is enough.
        for database in ("default", "kb", "archive"):
            for privilege in ("Query", "GetStatistics", "ShowPartitions", "IndexDetail"):
                root.grant_privilege(role, "Collection", privilege, "*", db_name=database)
            for privilege in ("DescribeCollection", "ShowCollections"):
                root.grant_privilege(role, "Global", privilege, "*", db_name=database)
        root.grant_privilege(role, "Global", "ListDatabases", "*", db_name="*")
        wait_until_granted(milvus.url, f"{token}:{password}")
        pipeline = ingest(known, MILVUS, url=milvus.url, **asking)
        assert failures(pipeline) == []
        assert report(pipeline).items_scanned == len(COLLECTIONS)
        # The same is seen of them as by one who may do everything: what is loaded, and how far.
        second: Any = pipeline.sink.get_report()
        assert (second.changed, second.removed) == (0, 0)


def test_what_is_not_loaded_keeps_the_edges_that_its_rows_showed(
    milvus: MilvusEngine, tmp_path: Path
) -> None:
    database = f"own_{uuid.uuid4().hex[:12]}"
    with closing(client(milvus)) as first:
        first.create_database(database)
    with closing(client(milvus, database)) as own:
        own.create_collection("docs", dimension=2)
        own.insert("docs", [{"id": 1, "vector": [1.0, 2.0], "source": "s3://b/1"}])
        own.flush("docs")
        own.query("docs", filter="", output_fields=["count(*)"], consistency_level="Strong")
        options = {"url": milvus.url, "token": ROOT, "database": database}
        upstreams = []
        for _ in range(2):
            pipeline = ingest(tmp_path, MILVUS, **options)
            assert failures(pipeline) == []
            found = aspect(tmp_path, urn(database, "docs"), "upstreamLineage").get("upstreams", [])
            upstreams.append([edge["dataset"] for edge in found])
            seen = report(pipeline)
            upstreams.append([seen.provenance_rows_scanned, seen.provenance_rows_total])
            own.release_collection("docs")
        source = [urns.dataset("s3", "b/1", env="PROD")]
        assert upstreams == [source, [1, 1], source, [0, 1]]
        own.drop_collection("docs")
    with closing(client(milvus)) as last:
        last.drop_database(database)


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("kb", "articles"), "datasetProperties")
    assert (properties["name"], properties["description"]) == ("articles", "Release notes")
    assert properties["created"]["time"] > 1_795_000_000_000
    custom = properties["customProperties"]
    assert (custom["aliases"], custom["M"]) == ("a_stable, current", "24")
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("kb", "articles"), "schemaMetadata")["fields"]
    }
    assert (fields["dense"], fields["id"], fields["extra"]) == ("vector(4)", "VARCHAR(64)", "JSON")
    upstreams = aspect(read_once, urn("kb", "bits"), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in range(3)
    }
    estimated = aspect(read_once, urn("kb", "asleep"), "datasetProperties")["customProperties"]
    assert estimated["count_is_estimate"] == "true"


def test_the_filters_are_database_and_collection(tmp_path: Path, milvus: MilvusEngine) -> None:
    pipeline = ingest(
        tmp_path,
        MILVUS,
        url=milvus.url,
        token=ROOT,
        database_pattern={"allow": ["kb", "archive"]},
        collection_pattern={"allow": ["[a-n].*"], "deny": ["NOTES", "bare"]},
    )
    assert live(tmp_path, MILVUS) == {"kb.articles", "kb.asleep", "kb.bits", "kb.llama", "kb.nested"}
    assert report(pipeline).items_filtered >= 3


def test_the_token_goes_where_milvus_asks_for_it(milvus_proxy: MilvusProxy) -> None:
    config = MilvusConfig.model_validate(
        {"url": milvus_proxy.url, "token": f"{ROOT}\n", "database": DATABASE}
    )
    with closing(MilvusSource.open(config)) as reader:
        assert list(reader.names())
    # base64 of root:Milvus
    assert milvus_proxy.tokens == {"cm9vdDpNaWx2dXM="}


def test_a_wrong_token_is_shown_nowhere(
    milvus: MilvusEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = outputs(tmp_path, MILVUS, {"url": milvus.url, "token": SECRET})
    assert "not allowed" in shown[0]
    printed = capfd.readouterr()
    for text in (*shown, caplog.text, printed.out, printed.err):
        assert SECRET not in text


def test_pymilvus_itself_is_not_loaded() -> None:
    """It would read ``.env``, set up logging, and fail over this variable."""
    code = (
        "import logging, sys, datahub_llmops.vector_stores.milvus.reader as r; "
        "print('pymilvus' in sys.modules, 'pandas' in sys.modules, 'pymilvus' in logging.root.manager.loggerDict)"
    )
    environment = {**os.environ, "MILVUS_URI": "what is this"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"] * 3


def test_an_embedding_function_becomes_a_model(tmp_path: Path) -> None:
    with replayed("2.6") as url:
        assert failures(ingest(tmp_path, MILVUS, url=url)) == []
    dense = urns.schema_field(urn("default", "texts"), "dense")
    assigned = aspect(tmp_path, dense, "structuredProperties")["properties"]
    found = {item["propertyUrn"].rpartition(".")[2]: item["values"][0] for item in assigned}
    assert "openai/text-embedding-3-small" in str(found["embedding_model"])
    sparse = urns.schema_field(urn("default", "texts"), "sparse")
    assert "BM25" in str(aspect(tmp_path, sparse, "structuredProperties"))
