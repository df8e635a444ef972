from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from datahub.configuration.common import ConfigurationError, PipelineExecutionError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.source import Source, SourceReport
from datahub.ingestion.api.workunit import MetadataWorkUnit
from datahub.ingestion.run.pipeline import PipelineInitError
from datahub.metadata.schema_classes import (
    ChangeTypeClass,
    DatasetProfileClass,
    DatasetPropertiesClass,
    DatasetSnapshotClass,
    FieldUsageCountsClass,
    FineGrainedLineageClass,
    GlobalTagsClass,
    MetadataChangeEventClass,
    MetadataChangeProposalClass,
    OperationClass,
    StatusClass,
    SubTypesClass,
    UpstreamClass,
    UpstreamLineageClass,
    UsageAggregationClass,
    UsageAggregationMetricsClass,
    UserUsageCountsClass,
)
from typing_extensions import override

from catalog.local.local_runs import (
    WIRE,
    column,
    contents,
    dataset,
    new_sink,
    pipeline,
    proposals_file,
    raw,
    run,
    write,
)
from datahub_llmops.catalog.local import file as store
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.derived import Derived
from datahub_llmops.catalog.local.sink import LocalSink
from datahub_llmops.errors import NoCatalogError
from support.paths import TESTS

A, B = dataset("shop.a"), dataset("shop.b")
STAMP = {"time": 5, "actor": "urn:li:corpuser:a"}


def typed(
    urn: str, aspect: Any, change: str = ChangeTypeClass.UPSERT, **more: Any
) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect, changeType=change, **more)


FLOW = "urn:li:dataFlow:(airflow,nightly,PROD)"


def nested(kind: str, innermost: str, name: str) -> str:
    """A URN of this kind in a URN of this kind, 3,000 times."""
    return f"urn:li:{kind}:(" * 3_000 + innermost + f",{name})" * 3_000


def plain(urn: str, aspect: str, text: bytes, change: str = "UPSERT") -> MetadataChangeProposalClass:
    proposal = raw(urn, aspect, {}, change)
    assert proposal.aspect is not None
    proposal.aspect.value = text
    return proposal


def test_no_file_is_touched_before_the_first_record_nor_by_a_run_without(tmp_path: Path) -> None:
    sink = new_sink(tmp_path / "catalog.db")
    assert list(tmp_path.iterdir()) == []
    sink.flush()
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_there_after_flush_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    sink = new_sink(path)
    write(sink, [typed(A, StatusClass(removed=False))])
    assert not path.exists()
    sink.flush()
    assert contents(path) == {(A, "status"): {"removed": False}}
    sink.close()


def test_close_without_flush_drops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, typed(A, StatusClass(removed=False)))
    sink = new_sink(path)
    write(sink, [typed(A, StatusClass(removed=True)), typed(B, StatusClass(removed=False))])
    sink.close()
    assert contents(path) == {(A, "status"): {"removed": False}}


def test_flush_may_be_called_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    sink = new_sink(path)
    for urn in (A, B):
        write(sink, [typed(urn, StatusClass(removed=False))])
        sink.flush()
        sink.flush()
    sink.close()
    assert len(contents(path)) == 2
    assert sink.get_report().changed == 2


def test_events_proposals_and_usage_records_are_stored_alike(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    event = MetadataChangeEventClass(
        proposedSnapshot=DatasetSnapshotClass(
            urn=A, aspects=[StatusClass(removed=False), DatasetPropertiesClass(name="a")]
        )
    )
    usage = UsageAggregationClass(
        bucket=86_400_000,
        duration="DAY",
        resource=A,
        metrics=UsageAggregationMetricsClass(
            uniqueUserCount=2,
            users=[
                UserUsageCountsClass(count=3, user="urn:li:corpuser:a"),
                UserUsageCountsClass(count=1, userEmail="b"),
            ],
            totalSqlQueries=4,
            fields=[FieldUsageCountsClass(fieldName="x", count=4)],
        ),
    )
    sink = new_sink(path)
    calls = write(
        sink,
        [event, typed(A, SubTypesClass(typeNames=["Table"])), raw(B, "status", {"removed": False}), usage],
    )
    sink.flush()
    assert (calls.succeeded, calls.failures) == (4, [])
    stored = contents(path)
    assert stored[A, "datasetProperties"]["name"] == "a"
    assert stored[A, "subTypes"] == {"typeNames": ["Table"]}
    assert stored[B, "status"] == {"removed": False}
    statistics = stored[A, "datasetUsageStatistics"]
    assert statistics["timestampMillis"] == 86_400_000
    assert statistics["eventGranularity"] == {"unit": "DAY", "multiple": 1}
    assert statistics["userCounts"] == [{"user": "urn:li:corpuser:a", "count": 3}]
    assert statistics["fieldCounts"] == [{"fieldPath": "x", "count": 4}]
    assert (statistics["uniqueUserCount"], statistics["totalSqlQueries"]) == (2, 4)


REFUSED: dict[str, MetadataChangeProposalClass | MetadataChangeProposalWrapper] = {
    "an aspect that the entity cannot carry": raw(
        "urn:li:dataJob:(urn:li:dataFlow:(a,b,PROD),c)", "datasetUsageStatistics", {"timestampMillis": 1}
    ),
    "an aspect that does not fit": raw(A, "status", {"removed": "planted"}),
    "no aspect": raw(A, "status", None),
    "an unknown change type": raw(A, "status", {"removed": True}, "RESTATE"),
    "deletion of one aspect": raw(A, "status", None, "DELETE"),
    "no URN": raw("urn:li:dataset", "status", {"removed": True}),
    "a text that is no Unicode": typed(A, DatasetPropertiesClass(name="planted \ud800")),
    "a patch of a time series": raw(A, "operation", [], "PATCH"),
    "a time beyond 64 bits": typed(A, DatasetProfileClass(timestampMillis=2**70, rowCount=1)),
    "a time long ago": typed(
        A, OperationClass(timestampMillis=-(2**70), operationType="INSERT", lastUpdatedTimestamp=1)
    ),
    "a time that is a truth value": typed(A, DatasetProfileClass(timestampMillis=True, rowCount=1)),
    "a column of a column without end": typed(nested("schemaField", A, "f"), GlobalTagsClass(tags=[])),
    "a job of a job without end": typed(nested("dataJob", FLOW, "j"), StatusClass(removed=False)),
    "an edge to a column without end": typed(
        A,
        UpstreamLineageClass(
            upstreams=[UpstreamClass(dataset=B, type="COPY")],
            fineGrainedLineages=[
                FineGrainedLineageClass(
                    upstreamType="FIELD_SET",
                    downstreamType="FIELD",
                    upstreams=[nested("schemaField", B, "f")],
                    downstreams=[f"urn:li:schemaField:({A},f)"],
                )
            ],
        ),
    ),
    "values in values without end": plain(
        A, "datasetProperties", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "the same in an aspect of unknown name": plain(A, "whoKnows", b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"),
    "a patch in values without end": plain(A, "globalTags", b"[" * 100_000 + b"]" * 100_000, "PATCH"),
    "a patch of a path without end": raw(
        A, "globalTags", [{"op": "add", "path": "/tags" + "/a" * 100_000, "value": {}}], "PATCH"
    ),
    "a patch of a long path": raw(
        A, "globalTags", [{"op": "add", "path": "/tags" + "/a" * 500, "value": {}}], "PATCH"
    ),
    "a number of 5,000 digits": typed(A, DatasetProfileClass(timestampMillis=1, rowCount=10**5_000)),
}


def test_what_no_check_foresees_is_refused_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    sink = new_sink(path)
    records = [typed(f"{A[:-6]}{n},PROD)", DatasetPropertiesClass(name=f"n{n}")) for n in range(20)]
    derive = Derived.derive

    def broken(derived: Derived, asset: int, urn: str, *rest: Any, **options: Any) -> None:
        derive(derived, asset, urn, *rest, **options)
        if "7,PROD" in urn:
            raise OverflowError("planted")

    monkeypatch.setattr(Derived, "derive", broken)
    write(sink, records)
    sink.flush()
    sink.close()
    report = sink.get_report()
    assert (report.refused, report.changed) == (2, 18)
    assert "planted" not in str(list(report.failures))
    assert len(contents(path)) == 18


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_stored_is_a_failure_and_the_rest_is_stored(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    sink = new_sink(path)
    calls = write(sink, [REFUSED[kind], typed(B, StatusClass(removed=False))])
    sink.flush()
    sink.close()
    report = sink.get_report()
    # What only the catalog can tell is refused when the run is stored.
    assert (calls.succeeded, len(calls.failures)) in ((1, 1), (2, 0))
    assert report.refused == 1
    assert len(report.failures) == 1
    assert "planted" not in f"{list(report.failures)}{calls.failures}"
    assert set(contents(path)) == {(B, "status")}


def test_a_record_of_another_kind_is_refused(tmp_path: Path) -> None:
    calls = write(new_sink(tmp_path / "catalog.db"), ["text"])
    assert len(calls.failures) == 1


def test_an_event_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    broken = DatasetPropertiesClass(name="\ud800")
    event = MetadataChangeEventClass(
        proposedSnapshot=DatasetSnapshotClass(urn=A, aspects=[StatusClass(removed=False), broken])
    )
    sink = new_sink(path)
    write(sink, [event, typed(B, StatusClass(removed=False))])
    sink.flush()
    assert set(contents(path)) == {(B, "status")}


def test_create_over_what_exists_is_refused_unless_told_to_be_quiet(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, typed(A, StatusClass(removed=False)))
    quiet = {"If-None-Match": "*"}
    report = run(
        path,
        typed(A, StatusClass(removed=True), ChangeTypeClass.CREATE),
        typed(A, SubTypesClass(typeNames=["x"]), ChangeTypeClass.CREATE_ENTITY),
        typed(A, StatusClass(removed=True), ChangeTypeClass.CREATE, headers=quiet),
        typed(A, SubTypesClass(typeNames=["x"]), ChangeTypeClass.CREATE_ENTITY, headers=quiet),
        typed(A, DatasetPropertiesClass(name="a"), ChangeTypeClass.CREATE),
        typed(B, StatusClass(removed=False), ChangeTypeClass.CREATE_ENTITY),
        typed(B, SubTypesClass(typeNames=["y"]), ChangeTypeClass.CREATE_ENTITY),
    )
    assert (report.refused, len(report.failures)) == (2, 2)
    assert set(contents(path)) == {(A, "status"), (A, "datasetProperties"), (B, "status"), (B, "subTypes")}
    assert contents(path)[A, "status"] == {"removed": False}


def test_an_entity_is_deleted_by_its_key_with_all_that_it_said(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    lineage = {"upstreams": [{"dataset": B, "type": "COPY", "auditStamp": STAMP}]}
    profile = {"timestampMillis": 1, "rowCount": 5}
    run(
        path,
        raw(A, "upstreamLineage", lineage),
        raw(A, "datasetProfile", profile),
        typed(B, StatusClass(removed=False)),
    )
    report = run(path, raw(A, "datasetKey", None, "DELETE"))
    assert (report.removed, report.changed, list(report.removed_assets)) == (1, 0, [A])
    assert set(contents(path)) == {(B, "status")}
    with LocalCatalog(path) as catalog:
        assert catalog.lineage(B, "down").edges == ()
        assert catalog.nodes([A]) == []


def test_a_second_run_of_the_same_changes_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"

    def estate(time: int) -> Iterable[MetadataChangeProposalClass]:
        stamp = {"time": time, "actor": "urn:li:corpuser:a"}
        yield raw(A, "upstreamLineage", {"upstreams": [{"dataset": B, "type": "COPY", "auditStamp": stamp}]})
        yield raw(
            A,
            "ownership",
            {"owners": [{"owner": "urn:li:corpuser:a", "type": "DATAOWNER"}], "lastModified": stamp},
        )
        yield raw(A, "datasetProfile", {"timestampMillis": time, "rowCount": 5})
        yield raw(
            A, "operation", {"timestampMillis": time, "operationType": "UPDATE", "lastUpdatedTimestamp": 3}
        )
        patch = [
            {"op": "add", "path": "/terms/urn:li:glossaryTerm:a", "value": {"urn": "urn:li:glossaryTerm:a"}}
        ]
        yield raw(A, "glossaryTerms", patch, "PATCH")
        yield raw(B, "status", {"removed": False})

    first = run(path, *estate(1))
    assert (first.changed, first.unchanged, first.removed) == (6, 0, 0)
    before = contents(path)
    second = run(path, *estate(2))
    assert (second.changed, second.unchanged, second.removed, second.changed_aspects) == (0, 6, 0, {})
    profile = (A, "datasetProfile")
    assert contents(path) == {**before, profile: {**before[profile], "timestampMillis": 2}}


def test_an_aspect_written_twice_in_a_run_counts_once_by_what_is_left_of_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    flip = [typed(A, SubTypesClass(typeNames=[name])) for name in ("x", "y")]
    assert run(path, *flip).changed == 1
    again = run(path, *flip)
    assert (again.changed, again.unchanged) == (0, 1)
    assert contents(path)[A, "subTypes"] == {"typeNames": ["y"]}


def test_what_was_changed_and_changed_back_is_as_before_audit_times_too(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"

    def fed(by: str, time: int) -> MetadataChangeProposalClass:
        stamp = {"time": time, "actor": "urn:li:corpuser:a"}
        return raw(
            A, "upstreamLineage", {"upstreams": [{"dataset": by, "type": "COPY", "auditStamp": stamp}]}
        )

    run(path, fed(B, 1))
    before = contents(path)
    report = run(path, fed(A, 2), fed(B, 3))
    assert (report.changed, report.unchanged) == (0, 1)
    assert contents(path) == before
    with LocalCatalog(path) as catalog:
        assert [edge.upstream for edge in catalog.lineage(B, "down").edges] == [B]


def test_events_of_a_series_are_kept_and_states_only_when_they_say_something_new(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"

    def counted(time: int, rows: int, **more: Any) -> MetadataChangeProposalClass:
        return raw(A, "datasetProfile", {"timestampMillis": time, "rowCount": rows, **more})

    def usage(time: int) -> MetadataChangeProposalClass:
        window = {"unit": "DAY", "multiple": 1}
        return raw(
            A,
            "datasetUsageStatistics",
            {"timestampMillis": time, "eventGranularity": window, "uniqueUserCount": 1},
        )

    assert run(path, counted(1, 5), usage(1)).changed == 2
    assert run(path, counted(2, 5), usage(2)).changed == 1  # the same rows, another day of usage
    assert run(path, counted(3, 6)).changed == 1
    assert run(path, counted(4, 5)).changed == 1  # as at first, and yet not as it was last
    assert run(path, counted(4, 7)).changed == 1  # the same moment, corrected
    part = {"partition": "p", "type": "PARTITION"}
    assert run(path, counted(5, 7, partitionSpec=part)).changed == 1
    assert run(path, counted(6, 7, partitionSpec=part, messageId="m", runId="r")).changed == 0
    with LocalCatalog(path) as catalog:
        rows = [record.aspect["rowCount"] for record in catalog.records() if record.name == "datasetProfile"]
        assert sorted(rows) == [5, 5, 6, 7, 7, 7]
        assert catalog.latest(A)["datasetUsageStatistics"]["timestampMillis"] == 2


def test_of_equal_profiles_the_first_and_the_last_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"

    def taken() -> list[tuple[int, int]]:
        with LocalCatalog(path) as catalog:
            return [
                (one["timestampMillis"], one["rowCount"]) for one in catalog.series(A, "datasetProfile", 0)
            ]

    for time, rows in ((1, 5), (2, 5), (3, 5), (5, 6), (7, 6), (9, 6)):
        run(path, raw(A, "datasetProfile", {"timestampMillis": time, "rowCount": rows}))
    assert taken() == [(1, 5), (3, 5), (5, 6), (9, 6)]
    run(path, raw(A, "datasetProfile", {"timestampMillis": 4, "rowCount": 5}))  # One that comes late.
    run(path, raw(A, "datasetProfile", {"timestampMillis": 9, "rowCount": 6}))
    assert taken() == [(1, 5), (4, 5), (5, 6), (9, 6)]


def test_removed_and_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, typed(A, StatusClass(removed=False)), typed(A, SubTypesClass(typeNames=["x"])))
    gone = run(path, typed(A, StatusClass(removed=True)))
    assert (gone.removed, gone.changed, list(gone.removed_assets)) == (1, 0, [A])
    again = run(path, typed(A, StatusClass(removed=True)))
    assert (again.removed, again.changed, again.unchanged) == (0, 0, 1)
    back = run(path, typed(A, StatusClass(removed=False)))
    assert (back.removed, back.changed) == (0, 1)
    within = run(path, typed(A, StatusClass(removed=True)), typed(A, StatusClass(removed=False)))
    assert (within.removed, within.changed, within.unchanged) == (0, 0, 1)


def test_unknown_options_are_errors() -> None:
    with pytest.raises(PipelineInitError, match=r"there is no option pth; did you mean path\?"):
        LocalSink.create({"pth": "x"}, PipelineContext(run_id="test"))


NO_ROOM = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from catalog.local.local_runs import dataset, new_sink, raw, write
from datahub_llmops.errors import SinkError
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sink = new_sink(Path(sys.argv[2]))
calls = write(sink, [raw(dataset(f"t{i}"), "subTypes", {"typeNames": ["x" * 9000]}) for i in range(300)])
try:
    sink.flush()
except SinkError as error:
    print(calls.succeeded + len(calls.failures), error)
sink.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
@pytest.mark.parametrize("limit", [1_200_000, 2_706_000], ids=["while it is written", "at its very end"])
def test_no_room_for_temporary_files_fails_the_run_and_stores_nothing(limit: int, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    tests = TESTS
    command = [sys.executable, "-c", NO_ROOM, str(tests), str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("300 ")
    assert "temporary file" in done.stdout
    with pytest.raises(NoCatalogError):
        LocalCatalog(path)


# Through DataHub's own pipeline


def test_the_report_is_printed_and_a_refused_record_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "catalog.db"
    file = tmp_path / "in.json"
    proposals_file(file, [(A, "status", {"removed": False}), (A, "subTypes", {"typeNames": ["x"]})])
    done = pipeline(path, {"type": "file", "config": {"path": str(file)}})
    done.raise_from_status()
    assert done.pretty_print_summary() == 0
    assert "'changed': 2" in capsys.readouterr().out
    patch = [{"op": "replace", "path": "/tags/urn:li:tag:a", "value": {}}]
    written = yaml.safe_load(file.read_text())
    written.append({**written[0], "changeType": "CREATE"})
    file.write_text(str(written).replace("'", '"').replace("False", "false"))
    failed = pipeline(path, {"type": "file", "config": {"path": str(file)}})
    assert failed.pretty_print_summary() == 1
    with pytest.raises(PipelineExecutionError, match="Sink"):
        failed.raise_from_status()
    assert patch


def test_a_wrong_source_config_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(PipelineInitError):
        pipeline(tmp_path / "catalog.db", {"type": "file", "config": {"nonsense": 1}})
    assert list(tmp_path.iterdir()) == []


class HalfRead(Source):
    """A source that reads something and then fails: reported, or raised."""

    def __init__(self, ctx: PipelineContext, raises: bool) -> None:
        super().__init__(ctx)
        self.raises = raises
        self.report = SourceReport()

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> HalfRead:
        return cls(ctx, bool(config_dict.get("raises")))

    @override
    def get_workunits_internal(self) -> Iterable[MetadataWorkUnit]:
        yield typed(A, SubTypesClass(typeNames=["x"])).as_workunit()
        if self.raises:
            raise ConfigurationError("broken in the middle")
        self.report.failure("one item could not be read")

    @override
    def get_report(self) -> SourceReport:
        return self.report


def test_a_run_whose_source_reported_failures_keeps_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    done = pipeline(path, {"type": f"{__name__}.HalfRead", "config": {}})
    assert (A, "subTypes") in contents(path)
    with pytest.raises(PipelineExecutionError, match="Source"):
        done.raise_from_status()


def test_a_run_whose_source_crashed_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    done = pipeline(path, {"type": f"{__name__}.HalfRead", "config": {"raises": True}})
    assert done.has_failures()
    assert not path.exists()


def test_a_flush_that_fails_fails_the_run(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_text("x" * 5000)
    file = proposals_file(tmp_path / "in.json", [(A, "status", {"removed": False})])
    done = pipeline(path, {"type": "file", "config": {"path": str(file)}})
    assert done.pretty_print_summary() == 1
    assert "not a SQLite file" in str(done.source.get_report().failures)


def warehouse(path: Path) -> str:
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table customers (id integer primary key, email text not null);"
        "create table orders (id integer primary key, customer integer, total real,"
        " constraint buyer foreign key (customer) references customers (id));"
        "create view spenders as select customers.email, orders.total from main.customers"
        " join main.orders on orders.customer = customers.id;"
    )
    connection.close()
    return f"sqlite:///{path}"


def test_datahubs_sqlalchemy_source_twice(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    config = {
        "platform": "sqlite",
        "connect_uri": warehouse(tmp_path / "warehouse.db"),
        "include_view_lineage": True,
    }
    first = pipeline(path, {"type": "sqlalchemy", "config": config})
    first.raise_from_status()
    assert first.sink.get_report().as_obj()["changed"] > 20
    view = dataset("main.spenders", "sqlite")
    with LocalCatalog(path) as catalog:
        found = catalog.lineage(view, "up")
        assert {node.name for node in found.nodes} == {"spenders", "customers", "orders"}
        pairs = [(pair.upstream, pair.downstream) for edge in found.edges for pair in edge.columns]
        assert (column(dataset("main.customers", "sqlite"), "email"), column(view, "email")) in pairs
        assert catalog.schemas(dataset("MAIN.Customers", "sqlite")) == {
            dataset("main.customers", "sqlite"): {"id": "INTEGER", "email": "TEXT"}
        }
    before = contents(path)
    second = pipeline(path, {"type": "sqlalchemy", "config": config})
    second.raise_from_status()
    report = second.sink.get_report().as_obj()
    assert (report["changed"], report["removed"], report["refused"]) == (0, 0, 0)
    assert report["unchanged"] == first.sink.get_report().as_obj()["changed"]
    assert contents(path) == before


def test_datahubs_business_glossary_and_csv_enricher(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    glossary = {
        "version": 1,
        "source": "DataHub",
        "owners": {"users": ["ada"]},
        "nodes": [
            {
                "name": "Privacy",
                "description": "d",
                "terms": [{"name": "Personal", "description": "of a person"}],
            }
        ],
    }
    (tmp_path / "glossary.yml").write_text(yaml.safe_dump(glossary))
    run(path, typed(A, DatasetPropertiesClass(name="a")))
    (tmp_path / "enrich.csv").write_text(
        "resource,subresource,glossary_terms,tags,owners,ownership_type,description,domain\n"
        f'"{A}",,[urn:li:glossaryTerm:Privacy.Personal],[urn:li:tag:raw],[urn:li:corpuser:ada],TECHNICAL_OWNER,,\n'
        f'"{A}",email,[urn:li:glossaryTerm:Privacy.Personal],,,,,\n'
    )
    sources: list[dict[str, Any]] = [
        {"type": "datahub-business-glossary", "config": {"file": str(tmp_path / "glossary.yml")}},
        {
            "type": "csv-enricher",
            "config": {"filename": str(tmp_path / "enrich.csv"), "write_semantics": "OVERRIDE"},
        },
    ]
    for source in sources:
        pipeline(path, source).raise_from_status()
    with LocalCatalog(path) as catalog:
        (table,) = catalog.nodes([A])
        assert table.owners == ("urn:li:corpuser:ada",)
        assert table.tags == ("urn:li:tag:raw",)
        assert len(table.terms) == 1
        assert catalog.search("of a person")[0].name == "Personal"
        assert column(A, "email") in catalog.labelled()
    for source in sources:
        again = pipeline(path, source)
        again.raise_from_status()
        assert again.sink.get_report().as_obj()["changed"] == 0


def test_the_format_in_the_file_is_the_one_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    run(path, typed(A, StatusClass(removed=False)))
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("pragma user_version").fetchone() == (store.FORMAT,)
        assert connection.execute("pragma application_id").fetchone() == (store.APPLICATION_ID,)
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()
    assert WIRE.is_dir()
