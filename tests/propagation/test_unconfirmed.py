"""Labels whose way cannot be seen any more: they stay, the run fails and names why, and what was taken away goes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from datahub.configuration.common import PipelineExecutionError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext
from datahub.metadata.schema_classes import (
    DataJobInputOutputClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    SchemaMetadataClass,
    StatusClass,
    UpstreamClass,
    UpstreamLineageClass,
)

from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.propagation import PropagationReport, PropagationSource
from propagation.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    PERSONAL,
    REVIEWS,
    SIGNED,
    STAMP,
    column,
    edited,
    index,
    ingest,
    ours,
    propagate,
    tags,
    terms,
    write,
)

EMAIL = column(CUSTOMERS, "email")
AUTHOR = column(INDEX, "author")
SIGNED_AUTHOR = column(SIGNED, "author")
BELOW_VIEW = dict.fromkeys([JOB, AUTHOR, INDEX], EMAIL)
BELOW_EMAIL = {**BELOW_VIEW, **dict.fromkeys([SIGNED_AUTHOR, SIGNED], EMAIL)}
DIRECT = "select r.body, c.email as author from main.reviews r join main.customers c on c.id = r.customer"
SINCE = "2026-11-29T05:30:00+00:00"


def doubtful(folder: Path, **config: Any) -> tuple[PropagationReport, list[str]]:
    """A run that writes what it decided, with its report and everything that it does not confirm."""
    catalog = folder / "catalog.db"
    source = PropagationSource.create({"catalog": str(catalog), **config}, PipelineContext(run_id="test"))
    write(catalog, [unit.metadata for unit in source.get_workunits()])
    told = source.report.failures or source.report.warnings
    return source.report, [line for entry in told for line in entry.context]


def change_warehouse(folder: Path, script: str) -> None:
    """Change the database, and let the recipe of the warehouse see it. The recipe of the index does not run."""
    with sqlite3.connect(folder / "warehouse.db") as database:
        database.executescript(script)
    ingest(
        folder, "sqlalchemy", {"platform": "sqlite", "connect_uri": f"sqlite:///{folder / 'warehouse.db'}"}
    )


def removed(urn: str) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=StatusClass(removed=True))


@pytest.fixture
def labelled(estate: Path) -> Path:
    """The estate, in which the term of a customer's address has reached the index through the view."""
    write(estate / "catalog.db", [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    assert ours(estate / "catalog.db") == BELOW_EMAIL
    return estate


def test_a_view_column_that_was_renamed_takes_no_label_off_the_index(labelled: Path, catalog: Path) -> None:
    change_warehouse(
        labelled,
        "drop view signed_reviews; create view signed_reviews as select r.id as id, r.body as body, "
        "c.email as writer, c.city as city from main.reviews r join main.customers c on c.id = r.customer;",
    )
    report, told = doubtful(labelled)
    assert ours(catalog) == {**BELOW_EMAIL, column(SIGNED, "writer"): EMAIL}
    assert told == [f"{JOB}: it still names {SIGNED_AUTHOR}, which its schema no longer has"]
    assert (report.labels_removed, report.labels_not_confirmed) == (0, 4)
    assert [entry.title for entry in report.failures] == ["Labels are not confirmed"]
    assert list(report.not_confirmed) == told

    again, told_again = doubtful(labelled)
    assert (again.events_produced, told_again) == (0, told)

    index(labelled, "select body, writer as author, city from main.signed_reviews")
    after = propagate(labelled)
    assert ours(catalog) == {**BELOW_VIEW, **dict.fromkeys([column(SIGNED, "writer"), SIGNED], EMAIL)}
    assert (after.labels_removed, after.labels_not_confirmed) == (1, 0)


def test_a_view_that_was_removed_takes_no_label_off_the_index(labelled: Path, catalog: Path) -> None:
    write(catalog, [removed(SIGNED)])
    _, told = doubtful(labelled)
    assert BELOW_VIEW.items() <= ours(catalog).items()
    assert told == [f"{JOB}: it still names {SIGNED}, which was removed"]
    # A person takes the term away from the living column: that is a reason.
    write(catalog, [edited(CUSTOMERS)])
    report = propagate(labelled)
    assert not BELOW_VIEW.keys() & ours(catalog).keys()
    assert report.labels_not_confirmed == 0


def test_a_source_table_that_was_removed(estate: Path, catalog: Path) -> None:
    index(estate, DIRECT)
    write(catalog, [terms(EMAIL, PERSONAL), terms(CUSTOMERS, "urn:li:glossaryTerm:Privacy.Public")])
    propagate(estate)
    write(catalog, [removed(CUSTOMERS)])
    _, told = doubtful(estate)
    assert BELOW_VIEW.items() <= ours(catalog).items()
    assert (
        dict.fromkeys([JOB, INDEX], CUSTOMERS).items()
        <= ours(catalog, "urn:li:glossaryTerm:Privacy.Public").items()
    )
    assert told == [f"{reader}: it still names {CUSTOMERS}, which was removed" for reader in (JOB, SIGNED)]
    # A good run of the job without the table is a reason.
    index(estate, "select body from main.reviews")
    doubtful(estate)
    assert not BELOW_VIEW.keys() & ours(catalog).keys()


@pytest.mark.parametrize("ingested", [True, False])
def test_a_source_column_that_left_the_schema(estate: Path, catalog: Path, ingested: bool) -> None:
    """With a term that came and went with the schema, and with one that a person set in the Columns tab."""
    index(estate, DIRECT)
    with LocalCatalog(catalog) as read:
        schema = SchemaMetadataClass.from_obj(dict(read.aspects(CUSTOMERS)["schemaMetadata"]))
    if ingested:
        for field in schema.fields:
            if field.fieldPath == "email":
                field.glossaryTerms = GlossaryTermsClass([GlossaryTermAssociationClass(PERSONAL)], STAMP)
        write(catalog, [MetadataChangeProposalWrapper(entityUrn=CUSTOMERS, aspect=schema)])
    else:
        write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    assert BELOW_VIEW.items() <= ours(catalog).items()
    schema.fields = [field for field in schema.fields if field.fieldPath != "email"]
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=CUSTOMERS, aspect=schema)])
    _, told = doubtful(estate)
    assert ours(catalog) == BELOW_EMAIL
    gone = f"it still names {EMAIL}, which its schema no longer has"
    assert told == [f"{JOB}: {gone}", f"{SIGNED}: {gone}"]


def test_a_source_column_that_was_renamed_under_a_view_that_follows(labelled: Path, catalog: Path) -> None:
    # SQLite changes the view as well, so lineage is whole, and the term hangs on a column that is gone.
    change_warehouse(labelled, "alter table customers rename column email to mail;")
    _, told = doubtful(labelled)
    assert ours(catalog) == BELOW_EMAIL
    assert told == [
        f"{EMAIL}: its schema no longer has it, but it still has {PERSONAL}: move that to the new column"
    ]
    write(catalog, [edited(CUSTOMERS, mail=PERSONAL)])
    report = propagate(labelled)
    assert ours(catalog) == dict.fromkeys(BELOW_EMAIL, column(CUSTOMERS, "mail"))
    assert report.labels_not_confirmed == 0


def test_what_nothing_reads_any_more_loses_the_label_of_a_column_that_is_gone(
    labelled: Path, catalog: Path
) -> None:
    change_warehouse(
        labelled,
        "drop view signed_reviews; create view signed_reviews as select r.id as id, r.body as body, "
        "c.city as city from main.reviews r join main.customers c on c.id = r.customer; "
        "alter table customers drop column email;",
    )
    index(labelled, "select body, city from main.signed_reviews")
    report = propagate(labelled)
    assert ours(catalog) == {}
    assert (report.labels_removed, report.labels_not_confirmed) == (5, 0)
    (warning,) = report.warnings
    assert (warning.title, list(warning.context)) == (
        "Labels were removed with their origin",
        [f"{EMAIL}: 5 labels"],
    )


def test_a_job_that_was_removed_is_a_reason(labelled: Path, catalog: Path) -> None:
    write(catalog, [removed(JOB)])
    report = propagate(labelled)
    assert not {AUTHOR, INDEX} & ours(catalog).keys()
    assert report.labels_not_confirmed == 0


def marked(catalog: Path) -> MetadataChangeProposalWrapper:
    """The edges of the job as a run leaves them that could not resolve it."""
    with LocalCatalog(catalog) as read:
        edges = DataJobInputOutputClass.from_obj(dict(read.aspects(JOB)["dataJobInputOutput"]))
    for edge in edges.inputDatasetEdges or ():
        edge.properties = {**(edge.properties or {}), "not_confirmed_since": SINCE}
    return MetadataChangeProposalWrapper(entityUrn=JOB, aspect=edges)


def test_labels_along_marked_edges_stay_and_come_and_the_run_says_since_when(
    labelled: Path, catalog: Path
) -> None:
    city = column(CUSTOMERS, "city")
    write(catalog, [marked(catalog), edited(CUSTOMERS, email=PERSONAL, city="urn:li:glossaryTerm:Place")])
    report, told = doubtful(labelled)
    assert told == [f"{JOB}: its edges are not confirmed since {SINCE}"]
    assert (report.labels_removed, report.labels_not_confirmed, report.labels_kept) == (0, 6, 5)
    assert ours(catalog) == BELOW_EMAIL
    assert ours(catalog, "urn:li:glossaryTerm:Place").keys() == {
        column(SIGNED, "city"),
        SIGNED,
        JOB,
        column(INDEX, "city"),
        INDEX,
    }
    assert set(ours(catalog, "urn:li:glossaryTerm:Place").values()) == {city}

    with pytest.raises(PipelineExecutionError):
        propagate(labelled)
    accepted = propagate(labelled, accept_not_confirmed=True)
    assert [entry.title for entry in accepted.warnings] == ["Labels are not confirmed"]

    # What a person takes away goes, along marked edges too.
    write(catalog, [edited(CUSTOMERS)])
    propagate(labelled)
    assert ours(catalog) == {}


def test_a_source_that_a_sample_did_not_name_again_is_a_warning(labelled: Path, catalog: Path) -> None:
    city = "urn:li:tag:City"
    found = UpstreamClass(
        dataset=REVIEWS,
        type="TRANSFORMED",
        properties={"found_by": "payload", "not_confirmed_since": SINCE},
    )
    lineage = UpstreamLineageClass(upstreams=[found])
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=INDEX, aspect=lineage), tags(REVIEWS, city)])
    write(catalog, [removed(JOB)])
    report = propagate(labelled)
    assert ours(catalog, city) == dict.fromkeys([SIGNED, INDEX], REVIEWS)
    assert report.labels_not_confirmed == 1
    (warning,) = report.warnings
    assert list(warning.context) == [f"{INDEX}: its edges are not confirmed since {SINCE}"]


def test_a_column_that_no_schema_ever_had_is_no_doubt(labelled: Path, catalog: Path) -> None:
    """Lineage may spell a column otherwise than its schema does; nothing was lost on the way."""
    with LocalCatalog(catalog) as read:
        edges = DataJobInputOutputClass.from_obj(dict(read.aspects(JOB)["dataJobInputOutput"]))
        lineage = dict(read.aspects(SIGNED)["upstreamLineage"])
    upper = column(SIGNED, "AUTHOR")
    for fine in edges.fineGrainedLineages or ():
        fine.upstreams = [upper if up == SIGNED_AUTHOR else up for up in fine.upstreams or ()]
    for found in lineage["fineGrainedLineages"]:
        found["downstreams"] = [upper if down == SIGNED_AUTHOR else down for down in found["downstreams"]]
    write(
        catalog,
        [
            MetadataChangeProposalWrapper(entityUrn=JOB, aspect=edges),
            MetadataChangeProposalWrapper(entityUrn=SIGNED, aspect=UpstreamLineageClass.from_obj(lineage)),
        ],
    )
    report = propagate(labelled)
    assert BELOW_VIEW.items() <= ours(catalog).items()
    assert report.labels_not_confirmed == 0


@pytest.mark.parametrize(
    "change",
    [
        {"sql": "select body, author, city form main.signed_reviews"},
        {"sql": "select body, author, city from main.sined_reviews"},
        {"sql": "select body, authors as author, city from main.signed_reviews"},
        {"index": "reviews_2"},
        {"text_columns": ["bdy"]},
        {"fields": {"author": "writer"}},
    ],
)
def test_a_typo_in_a_declared_job_takes_nothing_away(
    labelled: Path, catalog: Path, change: dict[str, Any]
) -> None:
    before = ours(catalog)
    with pytest.raises(PipelineExecutionError):
        index(labelled, **change)
    report, told = doubtful(labelled)
    assert ours(catalog) == before
    assert report.labels_removed == 0
    assert [line.rpartition(" ")[0] for line in told] == [f"{JOB}: its edges are not confirmed since"]
    # Corrected, and nothing is in doubt any more.
    index(labelled)
    after = propagate(labelled)
    assert ours(catalog) == before
    assert (after.events_produced, after.labels_not_confirmed) == (0, 0)


def test_a_recipe_that_never_worked_leaves_nothing_to_confirm(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    with pytest.raises(PipelineExecutionError):
        index(estate, name="another", sql="select body form main.signed_reviews")
    propagate(estate)
