"""`llm-lancedb` through DataHub's pipeline, twice, over damaged databases: nothing that exists is ever deleted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import lancedb
import pytest
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.errors import UnreachableError
from datahub_llmops.testing import Config, SourceContract
from datahub_llmops.testing.runs import aspect, failures, ingest, live
from datahub_llmops.urns import Deployment
from datahub_llmops.vector_stores.lancedb.source import LanceConfig, LanceSource
from support.objects import bucket_of
from support.stub import Stub
from vector_stores.lancedb.stores import PLANTED, TABLES
from vector_stores.lancedb.test_reader import state

SECRET = "planted-key-5ec7e7"
LANCEDB = "lancedb"


def urn(*name: str) -> str:
    return urns.collection(Deployment(platform=LANCEDB), name)


class TestSource(SourceContract):
    source = LanceSource
    system = LANCEDB
    collections = frozenset(TABLES)
    filters: ClassVar[Config] = {
        "table_pattern": {"allow": ["team\\..*", "[a-h].*"], "deny": [".*INNER", "house"]}
    }
    kept = frozenset({"articles", "bare", "empty", "team.top"})
    filtered = len(TABLES) - 4
    job: ClassVar[Config] = {"index": "notes", "fields": {"url": "source"}}
    job_edges = frozenset({("body", "text"), ("body", "vector"), ("url", "metadata.source")})
    wrong_recipes = (
        ({}, "give either path"),
        ({"path": "a", "uri": "s3://b"}, "give either path"),
        ({"path": "a", "storage_options": {"key": SECRET}}, "belong to a uri"),
        ({"uri": "s3://b", "storage_optoins": {"key": SECRET}}, "storage_optoins"),
        ({"uri": "s3://b", "timeout_sec": 0}, "timeout_sec"),
    )
    secrets = (SECRET, PLANTED)
    provenance_fields = ("source", "kind", "owner", "raw")

    @pytest.fixture
    def recipe(self, lancedb_folder: Path) -> Config:
        return {"path": str(lancedb_folder)}

    @pytest.fixture
    def refused(self, bucket: Stub) -> Config:
        bucket.fail("403")
        return in_bucket(bucket)

    @pytest.fixture
    @override
    def away(self, tmp_path: Path) -> Config:
        return {"path": str(tmp_path / "nowhere")}

    @pytest.fixture
    def telling(self, recipe: Config, lancedb_folder: Path) -> Config:
        next((lancedb_folder / "bare.lance" / "data").iterdir()).unlink()
        return recipe


@pytest.fixture(scope="module")
def read_once(lancedb_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog after one good run."""
    folder = tmp_path_factory.mktemp("catalog")
    assert failures(ingest(folder, LANCEDB, path=str(lancedb_written))) == []
    assert live(folder, LANCEDB) == TABLES
    return folder


def test_what_is_dropped_in_the_store_goes_and_the_rest_stays(known: Path, lancedb_folder: Path) -> None:
    db = lancedb.connect(lancedb_folder)
    db.drop_table("notes")
    db.drop_table("inner", namespace_path=["team", "kb"])
    assert failures(ingest(known, LANCEDB, path=str(lancedb_folder))) == []
    assert live(known, LANCEDB) == TABLES - {"notes", "team.kb.inner"}


def test_a_folder_that_is_no_table_is_said_and_the_rest_goes_on(known: Path, lancedb_folder: Path) -> None:
    """A file manager's copy of a table: LanceDB lists it, and opens no table of such a name."""
    shutil.copytree(lancedb_folder / "notes.lance", lancedb_folder / "notes copy.lance")
    lancedb.connect(lancedb_folder).drop_table("articles")
    pipeline = ingest(known, LANCEDB, path=str(lancedb_folder))
    assert failures(pipeline) == []
    assert live(known, LANCEDB) == TABLES - {"articles"}
    (stray,) = [entry for entry in pipeline.source.get_report().warnings if "Not a" in str(entry.title)]
    assert "table_pattern" in str(list(stray.context))
    pipeline = ingest(known, LANCEDB, path=str(lancedb_folder), table_pattern={"deny": [".* copy"]})
    assert not [entry for entry in pipeline.source.get_report().warnings if "Not a" in str(entry.title)]


def test_a_second_run_changes_nothing(lancedb_folder: Path, tmp_path: Path) -> None:
    before = state(lancedb_folder)
    ingest(tmp_path, LANCEDB, path=str(lancedb_folder))
    second: Any = ingest(tmp_path, LANCEDB, path=str(lancedb_folder)).sink.get_report()
    assert (second.changed, second.removed) == (0, 0)
    assert state(lancedb_folder) == before


def test_what_arrives_in_the_catalog(read_once: Path) -> None:
    properties = aspect(read_once, urn("articles"), "datasetProperties")
    assert properties["name"] == "articles"
    assert properties["created"]["time"] <= properties["lastModified"]["time"]
    assert properties["customProperties"]["dense.max_connections"] == "24"
    inner = aspect(read_once, urn("team", "kb", "inner"), "datasetProperties")
    assert (inner["name"], inner["qualifiedName"]) == ("inner", "team.kb.inner")
    fields = {
        field["fieldPath"]: field["nativeDataType"]
        for field in aspect(read_once, urn("articles"), "schemaMetadata")["fields"]
    }
    assert (fields["dense"], fields["late"]) == ("vector(16)", "multivector(2)")
    assert (fields["uri"], fields["metadata.page"]) == ("list<string>", "int64")
    upstreams = aspect(read_once, urn("team", "kb", "inner"), "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in upstreams} == {
        urns.dataset("s3", f"b/{n}", env="PROD") for n in (1, 2)
    }


@pytest.fixture
def bucket(lancedb_folder: Path) -> Iterator[Stub]:
    """The database as the folder ``kb`` of a bucket."""
    with Stub(bucket_of(lancedb_folder.parent)) as server:
        yield server


def in_bucket(server: Stub) -> dict[str, Any]:
    options = {
        "aws_access_key_id": "someone",
        "aws_secret_access_key": SECRET,
        "region": "eu-west-1",
        "aws_endpoint": server.url,
        "allow_http": "true",
    }
    return {"uri": "s3://bucket/kb", "storage_options": options, "timeout_sec": 20, "max_workers": 1}


def test_an_object_store_says_what_the_folder_says(bucket: Stub, lancedb_folder: Path) -> None:
    by_uri = LanceConfig.model_validate(in_bucket(bucket))
    by_path = LanceConfig.model_validate({"path": str(lancedb_folder)})
    with closing(LanceSource.open(by_uri)) as uri, closing(LanceSource.open(by_path)) as path:
        assert list(uri.names()) == list(path.names())
        for name in path.names():
            assert isinstance(name, tuple)
            assert replace(uri.read(name), containers=()) == replace(path.read(name), containers=())
        assert uri.read(("notes",)).containers[0].name == "bucket/kb"
    assert {call.method for call in bucket.calls} <= {"GET", "HEAD"}
    assert not any(SECRET in str(call) for call in bucket.calls)


def test_a_login_page_in_the_stores_place_is_no_dropped_table(bucket: Stub) -> None:
    # It parses as a listing of nothing.
    with closing(LanceSource.open(LanceConfig.model_validate(in_bucket(bucket)))) as reader:
        names = list(reader.names())
        bucket.fail("login_page")
        for name in names[:2]:
            assert isinstance(name, tuple)
            with pytest.raises(UnreachableError, match="s3://bucket/kb"):
                reader.read(name)


def test_a_refusal_of_an_object_store_is_told_from_a_failure(bucket: Stub) -> None:
    for fault, verdict in (("403", "Not allowed"), ("401", "Not allowed"), ("500", "Cannot reach")):
        bucket.fail(fault)  # type: ignore[arg-type]  # mypy widens the literals of a tuple
        found = LanceSource.test_connection(in_bucket(bucket)).basic_connectivity
        assert found is not None
        assert str(found.failure_reason).startswith(verdict)
        bucket.heal()


def test_without_its_package_the_recipe_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['lancedb'] = None\n"
        "from datahub_llmops.vector_stores.lancedb.source import LanceSource\n"
        "print(LanceSource.test_connection({'path': '.'}).basic_connectivity.failure_reason)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'datahub-llmops[lancedb]'" in done.stdout
