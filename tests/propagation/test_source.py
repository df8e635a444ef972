"""``llm-propagation`` from end to end: real recipes into a local catalog, then what a person does, then again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from datahub.configuration.common import PipelineExecutionError
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.mcp_builder import entity_supports_aspect
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError
from datahub.metadata.schema_classes import (
    ChangeAuditStampsClass,
    ChartInfoClass,
    DataJobInputOutputClass,
    DatasetLineageTypeClass,
    EdgeClass,
    GlobalTagsClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    MetadataAttributionClass,
    MetadataChangeProposalClass,
    SchemaMetadataClass,
    StatusClass,
    UpstreamClass,
    UpstreamLineageClass,
)
from pydantic import ValidationError

from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, read_uses, write_uses
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.protocol import LABELLED_TYPES
from datahub_llmops.cli.main import main
from datahub_llmops.lineage import patterns
from datahub_llmops.propagation import PropagationConfig, PropagationSource
from propagation.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    OURS,
    PERSONAL,
    REVIEWS,
    SIGNED,
    STAMP,
    attached,
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
from support import paths
from support.documents import blocks
from support.paths import ROOT

EMAIL = column(CUSTOMERS, "email")
AUTHOR = column(INDEX, "author")
PUBLIC = "urn:li:glossaryTerm:Privacy.Public"
LEGACY = "urn:li:tag:Legacy"
WIRE = paths.WIRE / "gms"
BELOW_EMAIL = dict.fromkeys([column(SIGNED, "author"), SIGNED, JOB, AUTHOR, INDEX], EMAIL)


def test_a_columns_term_reaches_every_asset_below_and_no_other_column(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    report = propagate(estate)
    assert ours(catalog) == BELOW_EMAIL
    assert (report.origins, report.labels_added, report.labels_removed, report.labels_kept) == (1, 5, 0, 0)
    # None of DataHub's processors that add aspects ran.
    assert list(report.workunit_processor_reports) == ["AutoWorkunitsReporterProcessor"]
    assert dict(report.labels_by_urn) == {PERSONAL: 5}


def test_the_attribution_says_who_when_and_from_where(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    with LocalCatalog(catalog) as read:
        (entry,) = read.aspects(AUTHOR)["glossaryTerms"]["terms"]
    assert entry["attribution"].pop("time") > 1_700_000_000_000
    assert entry == {
        "urn": PERSONAL,
        "attribution": {
            "actor": "urn:li:corpuser:datahub",
            "source": OURS,
            "sourceDetail": {"propagated": "true", "origin": EMAIL},
        },
    }


def test_a_second_run_emits_nothing(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), tags(REVIEWS, LEGACY)])
    propagate(estate)
    before = everything(catalog)
    report = propagate(estate)
    assert (report.events_produced, report.labels_kept, report.labels_added) == (0, 8, 0)
    assert not report.warnings
    assert [entry.title for entry in report.infos] == ["Nothing changed"]
    assert everything(catalog) == before


def everything(catalog: Path) -> list[Any]:
    with LocalCatalog(catalog) as read:
        return list(read.records())


@pytest.mark.parametrize("place", ["schemaMetadata", "editableSchemaMetadata", "schemaField"])
def test_a_columns_term_is_read_from_each_of_its_three_places(
    estate: Path, catalog: Path, place: str
) -> None:
    set_in = {
        "schemaMetadata": lambda: in_schema(catalog, CUSTOMERS, "email", PERSONAL),
        "editableSchemaMetadata": lambda: edited(CUSTOMERS, email=PERSONAL),
        "schemaField": lambda: terms(EMAIL, PERSONAL),
    }
    write(catalog, [set_in[place]()])
    propagate(estate)
    assert ours(catalog) == BELOW_EMAIL
    taken_away = {
        "schemaMetadata": lambda: in_schema(catalog, CUSTOMERS, "email", None),
        "editableSchemaMetadata": lambda: edited(CUSTOMERS),
        "schemaField": lambda: terms(EMAIL),
    }
    write(catalog, [taken_away[place]()])
    report = propagate(estate)
    assert ours(catalog) == {}
    assert (report.labels_removed, report.labels_kept) == (5, 0)


def in_schema(catalog: Path, asset: str, path: str, term: str | None) -> MetadataChangeProposalWrapper:
    """The asset's schema, with a term on one of its columns as a source ingests it."""
    with LocalCatalog(catalog) as read:
        schema = SchemaMetadataClass.from_obj(dict(read.aspects(asset)["schemaMetadata"]))
    for field in schema.fields:
        if field.fieldPath == path:
            named = [GlossaryTermAssociationClass(term)] if term else []
            field.glossaryTerms = GlossaryTermsClass(named, STAMP)
    return MetadataChangeProposalWrapper(entityUrn=asset, aspect=schema)


def test_a_datasets_own_terms_follow_every_edge_and_reach_no_column(estate: Path, catalog: Path) -> None:
    write(catalog, [terms(REVIEWS, PERSONAL), tags(REVIEWS, LEGACY)])
    propagate(estate)
    assert ours(catalog) == dict.fromkeys([SIGNED, JOB, INDEX], REVIEWS)
    assert ours(catalog, LEGACY) == ours(catalog)


def test_what_somebody_else_set_stays_alone_and_ours_comes_when_theirs_goes(
    estate: Path, catalog: Path
) -> None:
    by_person = [terms(INDEX, PERSONAL, PUBLIC), terms(AUTHOR, PERSONAL), edited(INDEX, author=PERSONAL)]
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), *by_person])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {(PERSONAL, None): None}
    assert attached(catalog, INDEX) == {(PERSONAL, None): None, (PUBLIC, None): None}
    assert attached(catalog, JOB) == {(PERSONAL, OURS): EMAIL}

    # In each of the three places of a column's labels, the last one too.
    write(catalog, [terms(AUTHOR), terms(INDEX, PUBLIC)])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {}
    assert attached(catalog, INDEX) == {(PUBLIC, None): None, (PERSONAL, OURS): EMAIL}
    write(catalog, [edited(INDEX)])
    report = propagate(estate)
    assert attached(catalog, AUTHOR) == {(PERSONAL, OURS): EMAIL}
    assert report.labels_added == 1

    write(catalog, [edited(CUSTOMERS)])
    propagate(estate)
    assert attached(catalog, INDEX) == {(PUBLIC, None): None}


def test_ours_beside_somebody_elses_is_removed_and_theirs_flows_on(estate: Path, catalog: Path) -> None:
    both = [
        GlossaryTermAssociationClass(PERSONAL),
        GlossaryTermAssociationClass(PERSONAL, attribution=attribution(OURS, EMAIL)),
    ]
    author = column(SIGNED, "author")
    shared = MetadataChangeProposalWrapper(entityUrn=author, aspect=GlossaryTermsClass(both, STAMP))
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), shared])
    report = propagate(estate)
    assert report.labels_removed == 1
    assert attached(catalog, author) == {(PERSONAL, None): None}
    assert attached(catalog, AUTHOR) == {(PERSONAL, OURS): author}
    again = propagate(estate)
    assert again.events_produced == 0


def test_somebody_elses_of_another_kind_is_another_label(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), tags(AUTHOR, "urn:li:tag:Privacy.PersonalData")])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {
        ("urn:li:tag:Privacy.PersonalData", None): None,
        (PERSONAL, OURS): EMAIL,
    }


def attribution(source: str, origin: str) -> MetadataAttributionClass:
    return MetadataAttributionClass(
        time=5,
        actor="urn:li:corpuser:datahub",
        source=source,
        sourceDetail={"propagated": "true", "origin": origin},
    )


def test_the_time_stays_while_the_origin_does_and_moves_with_it(estate: Path, catalog: Path) -> None:
    def own(origin: str) -> MetadataChangeProposalWrapper:
        given = [GlossaryTermAssociationClass(PERSONAL, attribution=attribution(OURS, origin))]
        return MetadataChangeProposalWrapper(entityUrn=AUTHOR, aspect=GlossaryTermsClass(given, STAMP))

    def time() -> int:
        with LocalCatalog(catalog) as read:
            (entry,) = read.aspects(AUTHOR)["glossaryTerms"]["terms"]
        return int(entry["attribution"]["time"])

    write(catalog, [edited(CUSTOMERS, email=PERSONAL), own(EMAIL)])
    propagate(estate)
    assert time() == 5
    write(catalog, [own(column(CUSTOMERS, "city"))])
    report = propagate(estate)
    assert (report.labels_moved, report.labels_added, report.labels_kept) == (1, 0, 4)
    assert time() > 1_700_000_000_000
    assert attached(catalog, AUTHOR) == {(PERSONAL, OURS): EMAIL}


def test_another_tools_propagated_term_is_neither_touched_nor_mistaken_for_ours(
    estate: Path, catalog: Path
) -> None:
    theirs = "urn:li:dataHubAction:other"
    given = [GlossaryTermAssociationClass(PERSONAL, attribution=attribution(theirs, REVIEWS))]
    aspect = GlossaryTermsClass(given, STAMP)
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=AUTHOR, aspect=aspect)])
    report = propagate(estate)
    assert (report.labels_added, report.labels_removed) == (0, 0)
    assert attached(catalog, AUTHOR) == {(PERSONAL, theirs): REVIEWS}


def test_a_lineage_edge_that_went_away_takes_the_term_with_it(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    index(estate, "select body, city from main.signed_reviews")
    report = propagate(estate)
    assert ours(catalog) == dict.fromkeys([column(SIGNED, "author"), SIGNED], EMAIL)
    assert report.labels_removed == 3


def test_a_column_that_was_dropped_downstream_loses_the_term(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    with LocalCatalog(catalog) as read:
        schema = SchemaMetadataClass.from_obj(dict(read.aspects(INDEX)["schemaMetadata"]))
    schema.fields = [field for field in schema.fields if field.fieldPath != "author"]
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=INDEX, aspect=schema)])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {}


@pytest.mark.parametrize(
    "config",
    [
        {"term_pattern": {"deny": [r"Privacy\.Pers.*"]}},
        {"term_pattern": {"allow": [r"Privacy\.Public"]}},
        {"propagate_terms": False},
    ],
)
def test_what_the_filters_exclude_now_is_taken_away(
    estate: Path, catalog: Path, config: dict[str, Any]
) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL, city=PUBLIC), tags(EMAIL, LEGACY)])
    propagate(estate)
    assert set(ours(catalog, LEGACY)) == BELOW_EMAIL.keys()
    propagate(estate, **config)
    assert ours(catalog) == {}
    assert bool(ours(catalog, PUBLIC)) == ("term_pattern" in config)
    assert set(ours(catalog, LEGACY)) == BELOW_EMAIL.keys()


@pytest.mark.parametrize("config", [{"tag_pattern": {"deny": ["Legacy"]}}, {"propagate_tags": False}])
def test_tags_have_filters_of_their_own(estate: Path, catalog: Path, config: dict[str, Any]) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), tags(EMAIL, LEGACY)])
    propagate(estate, **config)
    assert ours(catalog, LEGACY) == {}
    assert ours(catalog) == BELOW_EMAIL


def test_the_hop_limit(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate, max_hops=2)
    assert set(ours(catalog)) == {column(SIGNED, "author"), SIGNED}
    propagate(estate, max_hops=3)
    assert ours(catalog) == BELOW_EMAIL


def removed(urn: str, *, removed: bool = True) -> MetadataChangeProposalWrapper:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=StatusClass(removed=removed))


def test_a_soft_deleted_asset_is_no_target_and_keeps_what_it_has(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    write(catalog, [removed(INDEX), edited(CUSTOMERS)])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {(PERSONAL, OURS): EMAIL}
    assert attached(catalog, SIGNED) == {}
    write(catalog, [removed(INDEX, removed=False)])
    propagate(estate)
    assert attached(catalog, AUTHOR) == {}


@pytest.mark.parametrize("gone", [CUSTOMERS, EMAIL])
def test_a_soft_deleted_asset_or_column_is_no_origin(estate: Path, catalog: Path, gone: str) -> None:
    write(catalog, [terms(EMAIL, PERSONAL), removed(gone)])
    propagate(estate)
    assert ours(catalog) == {}


def test_columns_terms_that_stop_at_a_table_only_edge_are_counted_and_named(
    estate: Path, catalog: Path
) -> None:
    copy = "urn:li:dataset:(urn:li:dataPlatform:s3,backup,PROD)"
    lineage = UpstreamLineageClass([UpstreamClass(CUSTOMERS, DatasetLineageTypeClass.COPY)])
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=copy, aspect=lineage)])
    write(catalog, [edited(CUSTOMERS, email=PERSONAL, city=PUBLIC)])
    report = propagate(estate)
    assert report.stopped_at_table_edges == 2
    assert dict(report.table_edges) == {f"{CUSTOMERS} -> {copy}": 2}
    assert attached(catalog, copy) == {}


def test_a_column_that_its_job_could_not_trace_is_counted_and_named_beside_columns_that_it_traced(
    estate: Path, catalog: Path
) -> None:
    index(
        estate,
        "select r.body, c.city, q.* from main.reviews r, main.customers c,"
        " (select * from some_function((select c from main.customers c))) q",
    )
    write(catalog, [edited(CUSTOMERS, email=PERSONAL, city=PUBLIC)])
    report = propagate(estate)
    assert dict(report.table_edges)[f"{CUSTOMERS} -> {INDEX}"] == 1
    assert ours(catalog, PUBLIC)[column(INDEX, "city")] == column(CUSTOMERS, "city")
    assert INDEX not in ours(catalog)
    command = ["--catalog", str(catalog), "lineage", EMAIL, "--down"]
    shown = " ".join(CliRunner().invoke(main, command).output.split())
    assert "reads customers, whose columns could not all be traced: embed-reviews" in shown
    (stop,) = [
        one
        for one in json.loads(CliRunner().invoke(main, [*command, "--json"]).output)["stops"]
        if one["beyond"] == JOB
    ]
    assert stop == {"reached": CUSTOMERS, "beyond": JOB, "columns_known": False, "partly": True}


@pytest.mark.parametrize("option", ["term_pattern", "tag_pattern"])
def test_a_pattern_that_takes_for_ever_is_a_failure_and_changes_nothing(
    estate: Path, catalog: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), tags(EMAIL, "urn:li:tag:" + "a" * 80)])
    write(catalog, [terms(EMAIL, "urn:li:glossaryTerm:" + "a" * 80)])
    propagate(estate)
    before = ours(catalog)
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    with pytest.raises(PipelineExecutionError, match="A pattern takes too long"):
        propagate(estate, **{option: {"allow": [r"(?P<p>(a|aa)+)$b"]}})
    assert ours(catalog) == before


def test_columns_with_types_in_their_paths(catalog: Path, estate: Path) -> None:
    source, target = (f"urn:li:dataset:(urn:li:dataPlatform:kafka,{name},PROD)" for name in ("in", "out"))
    typed = "[version=2.0].[type=struct].[type=string].email"
    with LocalCatalog(catalog) as read:
        schema = SchemaMetadataClass.from_obj(dict(read.aspects(CUSTOMERS)["schemaMetadata"]))
    schema.fields = schema.fields[:1]
    schema.fields[0].fieldPath = typed
    feeds = UpstreamLineageClass.from_obj(
        {
            "upstreams": [{"dataset": source, "type": "COPY"}],
            "fineGrainedLineages": [
                {
                    "upstreamType": "FIELD_SET",
                    "upstreams": [column(source, "email")],
                    "downstreamType": "FIELD",
                    "downstreams": [column(target, typed)],
                }
            ],
        }
    )
    write(
        catalog,
        [
            *(MetadataChangeProposalWrapper(entityUrn=urn, aspect=schema) for urn in (source, target)),
            MetadataChangeProposalWrapper(entityUrn=target, aspect=feeds),
            edited(source, **{typed: PERSONAL}),
        ],
    )
    propagate(estate)
    assert ours(catalog) == dict.fromkeys([column(target, typed), target], column(source, typed))


def test_assets_of_every_type_that_lineage_has_lose_what_they_got(estate: Path, catalog: Path) -> None:
    chart = "urn:li:chart:(looker,reviews)"
    info = ChartInfoClass(
        title="Reviews",
        description="",
        lastModified=ChangeAuditStampsClass(),
        inputEdges=[EdgeClass(destinationUrn=REVIEWS)],
    )
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=chart, aspect=info), terms(REVIEWS, PERSONAL)])
    propagate(estate)
    assert attached(catalog, chart) == {(PERSONAL, OURS): REVIEWS}
    write(catalog, [terms(REVIEWS)])
    propagate(estate)
    assert attached(catalog, chart) == {}


def test_every_type_that_may_get_a_label_can_carry_it() -> None:
    for kind in LABELLED_TYPES:
        assert entity_supports_aspect(kind, GlossaryTermsClass)
        assert entity_supports_aspect(kind, GlobalTagsClass)


def test_a_jobs_own_term_stays_with_the_job(estate: Path, catalog: Path) -> None:
    write(catalog, [terms(JOB, PERSONAL)])
    report = propagate(estate)
    assert (report.origins, report.labels_added) == (0, 0)


def work_units(catalog: Path, **config: Any) -> Iterator[Any]:
    source = PropagationSource.create({"catalog": str(catalog), **config}, PipelineContext(run_id="test"))
    return iter(source.get_workunits())


def test_only_patches_of_terms_and_tags_leave_and_they_own_nothing(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), tags(EMAIL, LEGACY)])
    units = list(work_units(catalog))
    assert {unit.metadata.entityUrn for unit in units} == BELOW_EMAIL.keys()
    assert {(unit.metadata.changeType, unit.metadata.aspectName) for unit in units} == {
        ("PATCH", "glossaryTerms"),
        ("PATCH", "globalTags"),
    }
    assert not any(unit.is_primary_source for unit in units)
    assert [unit.id for unit in units] == [unit.id for unit in work_units(catalog)]
    assert len({unit.id for unit in units}) == len(units)


def recorded(name: str) -> Any:
    (exchange,) = json.loads((WIRE / f"{name}.json").read_text())
    return exchange["request"]["body"]["proposal"]


def patched(proposal: MetadataChangeProposalClass) -> Any:
    assert proposal.aspect is not None
    assert proposal.aspect.contentType == "application/json-patch+json"
    return json.loads(proposal.aspect.value)


def test_the_patches_are_those_that_a_real_server_took(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    (unit,) = [unit for unit in work_units(catalog) if unit.metadata.entityUrn == AUTHOR]
    taken = json.loads(recorded("patch_term_add")["aspect"]["value"])
    sent = patched(unit.metadata)
    assert sent["arrayPrimaryKeys"] == taken["arrayPrimaryKeys"]
    (step,), (model,) = sent["patch"], taken["patch"]
    assert (step["op"], step["path"]) == (
        model["op"],
        model["path"].replace("PersonalData", "Privacy.PersonalData"),
    )
    written = step["value"]["attribution"]
    assert written.pop("time") > 1
    model["value"]["attribution"].pop("time")
    model["value"]["attribution"]["sourceDetail"]["origin"] = EMAIL
    assert written == model["value"]["attribution"]

    propagate(estate)
    write(catalog, [edited(CUSTOMERS)])
    (unit,) = [unit for unit in work_units(catalog) if unit.metadata.entityUrn == AUTHOR]
    taken = recorded("patch_term_remove")["aspect"]["value"]
    assert patched(unit.metadata) == json.loads(taken.replace("PersonalData", "Privacy.PersonalData"))


def test_tags_are_patched_as_a_real_server_took_it(estate: Path, catalog: Path) -> None:
    sequences = json.loads((WIRE / "patches.json").read_text())
    (steps,) = [sequence["steps"] for sequence in sequences if sequence["name"] == "tag: attribution"]
    _, added, removed = (step["value"] for step in steps)

    def same(sent: Any, taken: Any) -> bool:
        there = [
            step["path"].replace("dataHubAction:one", "dataHubAction:datahub-llmops")
            for step in taken["patch"]
        ]
        here = [step["path"].replace("tag:Legacy", "tag:a") for step in sent["patch"]]
        return there == here and sent["arrayPrimaryKeys"] == taken["arrayPrimaryKeys"]

    write(catalog, [tags(REVIEWS, LEGACY)])
    (unit,) = [unit for unit in work_units(catalog) if unit.metadata.entityUrn == INDEX]
    assert same(patched(unit.metadata), added)
    propagate(estate)
    write(catalog, [tags(REVIEWS)])
    (unit,) = [unit for unit in work_units(catalog) if unit.metadata.entityUrn == INDEX]
    assert same(patched(unit.metadata), removed)


def test_a_dry_run_writes_nothing(estate: Path, catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    sink = {"type": "llm-local", "config": {"path": str(catalog)}}
    recipe = {"source": {"type": "llm-propagation", "config": {}}, "sink": sink}
    Pipeline.create(recipe, dry_run=True).run()
    assert ours(catalog) == {}


def test_a_catalog_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(PipelineExecutionError):
        propagate(tmp_path)
    source = PropagationSource.create({"catalog": str(tmp_path / "x.db")}, PipelineContext(run_id="test"))
    assert list(source.get_workunits()) == []
    (failure,) = source.report.failures
    assert (failure.title, list(failure.context)) == ("No catalog to read", [str(tmp_path / "x.db")])


def test_a_damaged_catalog_is_a_failure_and_stays_as_it_is(estate: Path, catalog: Path) -> None:
    catalog.write_bytes(catalog.read_bytes()[:5000])
    before = catalog.read_bytes()
    source = PropagationSource.create({"catalog": str(catalog)}, PipelineContext(run_id="test"))
    assert list(source.get_workunits()) == []
    (failure,) = source.report.failures
    assert failure.title == "Cannot read the catalog"
    assert str(catalog) in failure.context[0]
    assert catalog.read_bytes() == before


@pytest.mark.parametrize("config", [{"hops": 3}, {"max_hops": 0}, {"term_pattern": {"alow": ["x"]}}])
def test_what_is_no_option_is_an_error(estate: Path, config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PropagationConfig.model_validate(config)
    with pytest.raises(PipelineInitError, match=next(iter(config))):
        ingest(estate, "llm-propagation", config)


def test_test_connection(catalog: Path) -> None:
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    works = PropagationSource.test_connection({"catalog": str(catalog)}).basic_connectivity
    assert works
    assert works.capable
    assert works.mitigation_message == "Works, sees 2 assets and columns with terms or tags."
    for config in ({}, {"catalog": str(catalog.parent / "none.db")}):
        fails = PropagationSource.test_connection(config).basic_connectivity
        assert fails
        assert not fails.capable
        assert "catalog" in (fails.failure_reason or "")
    assert PropagationSource.test_connection({"x": 1}).internal_failure


def recipe_of_the_page() -> Any:
    """The recipe with a transformer that the page shows."""
    page = ROOT / "docs" / "propagation.md"
    (found,) = [yaml.safe_load(block.text) for block in blocks(page) if "transformers:" in block.text]
    return found


def test_a_term_set_by_recipe_as_the_page_shows_is_an_origin_and_ours_comes_back(
    estate: Path, catalog: Path
) -> None:
    recipe = recipe_of_the_page()
    text = json.dumps(recipe["transformers"])
    assert r"default_database\\.docs," in text
    transformers = json.loads(text.replace("docs,", "reviews,"))
    (named,) = next(iter(transformers[0]["config"]["term_pattern"]["rules"].values()))
    copy = "urn:li:dataset:(urn:li:dataPlatform:s3,copy,PROD)"
    lineage = UpstreamLineageClass([UpstreamClass(INDEX, DatasetLineageTypeClass.COPY)])
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=copy, aspect=lineage)])
    write(catalog, [edited(CUSTOMERS, email=PERSONAL), terms(INDEX, PUBLIC)])
    propagate(estate)
    assert attached(catalog, INDEX) == {(PUBLIC, None): None, (PERSONAL, OURS): EMAIL}

    config = {**recipe["source"]["config"], "path": str(estate / "chroma")}
    ingest(estate, recipe["source"]["type"], config, transformers=transformers)
    # As the page says: the transformer writes the whole list.
    assert attached(catalog, INDEX) == {(named, None): None}
    propagate(estate)
    assert attached(catalog, INDEX) == {(named, None): None, (PERSONAL, OURS): EMAIL}
    assert attached(catalog, copy) == {(named, OURS): INDEX}


FILTERED = "select r.body from main.reviews r join main.customers c on c.id = r.customer where c.email <> ''"


def test_terms_follow_a_filter_only_if_the_recipe_asks_for_it(estate: Path, catalog: Path) -> None:
    index(estate, FILTERED)
    copy = "urn:li:dataset:(urn:li:dataPlatform:s3,copy,PROD)"
    lineage = UpstreamLineageClass([UpstreamClass(INDEX, DatasetLineageTypeClass.COPY)])
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=copy, aspect=lineage)])
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate)
    assert not {INDEX, JOB, copy} & ours(catalog).keys()

    propagate(estate, indirect=True)
    found = ours(catalog)
    assert {urn: found.get(urn) for urn in (INDEX, JOB, copy)} == dict.fromkeys((INDEX, JOB, copy), EMAIL)
    assert not [urn for urn in found if urn.startswith(f"urn:li:schemaField:({INDEX},")]
    assert propagate(estate, indirect=True).labels_added == 0

    propagate(estate)
    assert not {INDEX, JOB, copy} & ours(catalog).keys()


def test_a_term_does_not_follow_a_filter_beyond_the_hops(estate: Path, catalog: Path) -> None:
    index(estate, FILTERED)
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate, indirect=True, max_hops=1)
    assert not {INDEX, JOB} & ours(catalog).keys()


def test_a_term_stays_where_a_job_no_longer_knows_what_it_uses(estate: Path, catalog: Path) -> None:
    index(estate, FILTERED)
    write(catalog, [edited(CUSTOMERS, email=PERSONAL)])
    propagate(estate, indirect=True)
    with LocalCatalog(catalog) as read:
        aspect = dict(read.aspects(JOB, ["dataJobInputOutput"])["dataJobInputOutput"])
    for edge in aspect["outputDatasetEdges"]:
        (recipe,) = read_uses(edge["properties"]) or {}
        edge["properties"][USED_COLUMNS] = write_uses({recipe: StatedUses(hidden=[CUSTOMERS])})
    lineage = DataJobInputOutputClass.from_obj(aspect)
    write(catalog, [MetadataChangeProposalWrapper(entityUrn=JOB, aspect=lineage)])
    report = propagate(estate, indirect=True, accept_not_confirmed=True)
    assert {urn: ours(catalog).get(urn) for urn in (INDEX, JOB)} == dict.fromkeys((INDEX, JOB), EMAIL)
    assert report.labels_removed == 0
    assert "joins or filters by is not known" in str(list(report.not_confirmed))
