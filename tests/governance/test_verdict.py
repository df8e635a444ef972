"""The decision table of the checks: what is changed in an estate where all is well, and what the check then says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.finding import EXIT_CODES, Affected, CheckReport
from datahub_llmops.governance.lifecycle_list import LifecycleList, Listed
from datahub_llmops.governance.policy import Forbidden
from datahub_llmops.governance.verdict import CHECKS, check_asset, default_policy
from governance.cases import (
    ASSERTION,
    HOUR,
    INCIDENT,
    PERSONAL,
    PUBLIC,
    STAMP,
    VIEW,
    Case,
    assertion,
    both,
    check_case,
    deprecated,
    gone,
    in_a_circle,
    in_view,
    incident,
    joins,
    judge,
    lists,
    only_named,
    policy,
    profile,
    put,
    run_event,
    small,
    terms,
    without,
)
from governance.estate import (
    ANSWERS,
    BOT,
    CUSTOMERS,
    INDEX,
    JOB,
    MODEL,
    NOW,
    OTHER_JOB,
    OWNER,
    RETRIEVER,
    REVIEWS,
    WRITTEN,
    estate,
    inputs_and_outputs,
    milliseconds,
    operation,
    schema,
    write,
)

CASES = [
    Case(name="all is well", check="fresh", verdict="ok", code="fresh"),
    Case(
        name="a source changed and the next run is overdue",
        check="fresh",
        verdict="not ok",
        code="source_changed",
        change=put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR))),
    ),
    Case(
        name="a source changed and the next run is not due yet",
        check="fresh",
        verdict="ok",
        code="due",
        change=both(
            put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR))),
            put(
                (
                    JOB,
                    "dataJobInfo",
                    {"name": "j", "type": {"string": "E"}, "customProperties": {"schedule": "@daily"}},
                )
            ),
        ),
    ),
    Case(
        name="the policy's grace wins over the schedule",
        check="fresh",
        verdict="ok",
        code="due",
        change=put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR))),
        policy=policy(grace=timedelta(days=2)),
    ),
    Case(
        name="without a schedule a day of grace holds",
        check="fresh",
        verdict="ok",
        code="due",
        change=both(
            put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR))),
            put((JOB, "dataJobInfo", {"name": "j", "type": {"string": "E"}})),
        ),
    ),
    Case(
        name="an operation without a time tells nothing",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=put(
            (REVIEWS, "operation", {**operation(WRITTEN - 3 * HOUR), "lastUpdatedTimestamp": 0}),
            (REVIEWS, "datasetProperties", None),
        ),
    ),
    Case(
        name="a change behind a view counts",
        check="fresh",
        verdict="not ok",
        code="source_changed",
        change=both(in_view, put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR)))),
    ),
    Case(
        name="a view that was altered is no change of data",
        check="fresh",
        verdict="ok",
        code="fresh",
        change=both(
            in_view,
            put((VIEW, "datasetProperties", {"lastModified": {"time": milliseconds(WRITTEN + 3 * HOUR)}})),
        ),
    ),
    Case(
        name="a source that tells nothing",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=without((CUSTOMERS, "operation")),
    ),
    Case(
        name="a source that the catalog does not hold",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=gone(CUSTOMERS),
    ),
    Case(
        name="a known change wins over a silent source",
        check="fresh",
        verdict="not ok",
        code="source_changed",
        change=both(
            without((CUSTOMERS, "operation")),
            put((REVIEWS, "operation", operation(WRITTEN + 3 * HOUR))),
        ),
    ),
    Case(
        name="equal row counts do not show that nothing was updated",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=put(
            (CUSTOMERS, "operation", None), (CUSTOMERS, "datasetProfile", profile(WRITTEN + HOUR, 10))
        ),
    ),
    Case(
        name="a change column shows a change",
        check="fresh",
        verdict="not ok",
        code="source_changed",
        change=put(
            (CUSTOMERS, "operation", None),
            (CUSTOMERS, "datasetProfile", profile(WRITTEN + 4 * HOUR, 10, changed="2026-11-29T07:00:00Z")),
        ),
        policy=policy(change_columns={CUSTOMERS: "changed"}),
    ),
    Case(
        name="a change column shows that nothing changed",
        check="fresh",
        verdict="ok",
        code="fresh",
        change=put(
            (CUSTOMERS, "operation", None),
            (CUSTOMERS, "schemaMetadata", schema("id", "email", "changed")),
            (CUSTOMERS, "datasetProfile", profile(WRITTEN + 4 * HOUR, 10, changed="2026-11-20T07:00:00Z")),
        ),
        policy=policy(change_columns={CUSTOMERS: "changed"}),
    ),
    Case(
        name="the index was never written",
        check="fresh",
        verdict="not known",
        code="never_written",
        change=put((INDEX, "datasetProperties", {"name": "docs"})),
    ),
    Case(
        name="the index was written in the future",
        check="fresh",
        verdict="not known",
        code="clock",
        change=put((INDEX, "operation", operation(NOW + HOUR))),
    ),
    Case(
        name="a source changed in the future",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=put((REVIEWS, "operation", operation(NOW + HOUR))),
    ),
    Case(
        name="clocks a minute apart are no future",
        check="fresh",
        verdict="ok",
        code="fresh",
        change=put((INDEX, "operation", operation(NOW + timedelta(minutes=1)))),
    ),
    Case(
        name="a schedule that cannot be understood",
        check="fresh",
        verdict="not known",
        code="schedule",
        change=put(
            (
                JOB,
                "dataJobInfo",
                {"name": "j", "type": {"string": "E"}, "customProperties": {"schedule": "soon"}},
            )
        ),
    ),
    Case(
        name="nothing feeds the index",
        check="fresh",
        verdict="not known",
        code="no_source",
        change=gone(JOB),
    ),
    Case(
        name="two jobs fill the index",
        check="fresh",
        verdict="not known",
        code="several_jobs",
        change=put(
            (OTHER_JOB, "dataJobInfo", {"name": "more", "type": {"string": "E"}}),
            (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([CUSTOMERS], INDEX)),
        ),
    ),
    Case(name="a circle ends", check="fresh", verdict="ok", code="fresh", change=in_a_circle),
    Case(name="all columns exist", check="schema", verdict="ok", code="columns_there"),
    Case(
        name="an embedded column was dropped",
        check="schema",
        verdict="not ok",
        code="column_gone",
        change=put((REVIEWS, "schemaMetadata", schema("id", "customer_id"))),
    ),
    Case(
        name="a column behind a view was renamed",
        check="schema",
        verdict="not ok",
        code="column_gone",
        change=both(in_view, put((REVIEWS, "schemaMetadata", schema("id", "text")))),
    ),
    Case(
        name="a column of a join exists",
        check="schema",
        verdict="ok",
        code="columns_there",
        change=joins("id"),
    ),
    Case(
        name="a column of a join was dropped",
        check="schema",
        verdict="not ok",
        code="column_gone",
        change=joins("key"),
    ),
    Case(
        name="a column of a join in a table without a schema",
        check="schema",
        verdict="not known",
        code="no_schema",
        change=both(joins("id"), without((CUSTOMERS, "schemaMetadata"))),
    ),
    Case(
        name="a table without a schema",
        check="schema",
        verdict="not known",
        code="no_schema",
        change=without((CUSTOMERS, "schemaMetadata")),
    ),
    Case(
        name="no columns are known",
        check="schema",
        verdict="not known",
        code="no_columns",
        change=put((JOB, "dataJobInputOutput", inputs_and_outputs([REVIEWS, CUSTOMERS], INDEX))),
    ),
    Case(
        name="a table behind a view was removed, and its columns with it",
        check="schema",
        verdict="not known",
        code="no_schema",
        change=both(in_view, put((REVIEWS, "status", {"removed": True}))),
    ),
    Case(name="nothing upstream is amiss", check="trusted sources", verdict="ok", code="trusted"),
    Case(
        name="a source is deprecated",
        check="trusted sources",
        verdict="not ok",
        code="deprecated",
        change=put((REVIEWS, "deprecation", deprecated())),
    ),
    Case(
        name="a table behind a view is deprecated",
        check="trusted sources",
        verdict="not ok",
        code="deprecated",
        change=both(in_view, put((REVIEWS, "deprecation", deprecated(replacement=CUSTOMERS)))),
    ),
    Case(
        name="a column that feeds the index is deprecated",
        check="trusted sources",
        verdict="not ok",
        code="column_deprecated",
        change=put((column(CUSTOMERS, "email"), "deprecation", deprecated())),
    ),
    Case(
        name="a column that does not feed the index is deprecated",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put((column(CUSTOMERS, "id"), "deprecation", deprecated())),
    ),
    Case(
        name="a second job does not say which columns it reads",
        check="schema",
        verdict="not known",
        code="job_columns",
        change=put(
            (OTHER_JOB, "dataJobInfo", {"name": "more", "type": {"string": "E"}}),
            (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([CUSTOMERS], INDEX)),
        ),
    ),
    Case(
        name="a time in seconds is no time",
        check="fresh",
        verdict="not known",
        code="source_silent",
        change=put(
            (
                REVIEWS,
                "operation",
                {**operation(WRITTEN), "lastUpdatedTimestamp": round(WRITTEN.timestamp())},
            )
        ),
    ),
    Case(
        name="a deprecation was taken back",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put((REVIEWS, "deprecation", {**deprecated(), "deprecated": False})),
    ),
    Case(
        name="a source has an open incident",
        check="trusted sources",
        verdict="not ok",
        code="incident",
        change=put((INCIDENT, "incidentInfo", incident("ACTIVE", REVIEWS))),
    ),
    Case(
        name="an incident was resolved",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put((INCIDENT, "incidentInfo", incident("RESOLVED", REVIEWS))),
    ),
    Case(
        name="the index itself has an open incident",
        check="trusted sources",
        verdict="not ok",
        code="incident",
        change=put((INCIDENT, "incidentInfo", incident("ACTIVE", INDEX))),
    ),
    Case(
        name="the index itself is deprecated",
        check="trusted sources",
        verdict="not ok",
        code="deprecated",
        change=put((INDEX, "deprecation", deprecated())),
    ),
    Case(
        name="an assertion of somebody else on the index fails",
        check="trusted sources",
        verdict="not ok",
        code="assertion",
        change=put(
            (ASSERTION, "assertionInfo", assertion(INDEX)),
            (ASSERTION, "assertionRunEvent", run_event(INDEX, "FAILURE")),
        ),
    ),
    Case(
        name="the incident about queries with another model belongs to another check",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put((INCIDENT, "incidentInfo", incident("ACTIVE", INDEX, kind="Embedding model mismatch"))),
    ),
    Case(
        name="what an earlier run of the checks found is no evidence",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put((INCIDENT, "incidentInfo", incident("ACTIVE", REVIEWS, kind="Index Health"))),
    ),
    Case(
        name="an assertion on a source fails",
        check="trusted sources",
        verdict="not ok",
        code="assertion",
        change=put(
            (ASSERTION, "assertionInfo", assertion(CUSTOMERS)),
            (ASSERTION, "assertionRunEvent", run_event(CUSTOMERS, "FAILURE")),
        ),
    ),
    Case(
        name="the last run of an assertion on a source ended with an error",
        check="trusted sources",
        verdict="not known",
        code="assertion_error",
        change=put(
            (ASSERTION, "assertionInfo", assertion(CUSTOMERS)),
            (ASSERTION, "assertionRunEvent", run_event(CUSTOMERS, "ERROR")),
        ),
    ),
    Case(
        name="an assertion on a source holds",
        check="trusted sources",
        verdict="ok",
        code="trusted",
        change=put(
            (ASSERTION, "assertionInfo", assertion(CUSTOMERS)),
            (ASSERTION, "assertionRunEvent", run_event(CUSTOMERS, "SUCCESS")),
        ),
    ),
    Case(
        name="a source that nobody ingested may be deprecated",
        check="trusted sources",
        verdict="not known",
        code="source_unseen",
        change=gone(CUSTOMERS),
    ),
    Case(
        name="a source that a payload named and nobody ingested may be deprecated",
        check="trusted sources",
        verdict="not known",
        code="source_unseen",
        change=only_named(CUSTOMERS),
    ),
    Case(
        name="nothing is known upstream",
        check="trusted sources",
        verdict="not known",
        code="no_source",
        change=gone(JOB),
    ),
    Case(name="no terms exclude each other", check="one meaning", verdict="ok", code="one_meaning"),
    Case(
        name="terms of an exclusive node meet in the index",
        check="one meaning",
        verdict="not ok",
        code="conflicting_terms",
        change=put(
            (column(REVIEWS, "body"), "glossaryTerms", terms(PUBLIC)),
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
        ),
        policy=policy(exclusive_nodes=frozenset({"Privacy"})),
    ),
    Case(
        name="a term of a column that does not feed the index meets nothing",
        check="one meaning",
        verdict="ok",
        code="one_meaning",
        change=put(
            (column(REVIEWS, "body"), "glossaryTerms", terms(PUBLIC)),
            (column(REVIEWS, "customer_id"), "glossaryTerms", terms(PERSONAL)),
        ),
        policy=policy(exclusive_nodes=frozenset({"Privacy"})),
    ),
    Case(
        name="listed terms meet",
        check="one meaning",
        verdict="not ok",
        code="conflicting_terms",
        change=put((REVIEWS, "glossaryTerms", terms(PUBLIC)), (CUSTOMERS, "glossaryTerms", terms(PERSONAL))),
        policy=policy(exclusive_terms=(frozenset({PUBLIC, PERSONAL}),)),
    ),
    Case(
        name="a deprecated table beside its replacement",
        check="one meaning",
        verdict="not ok",
        code="both_versions",
        change=put((REVIEWS, "deprecation", deprecated(replacement=CUSTOMERS))),
    ),
    Case(
        name="terms of what nobody ingested are not known",
        check="one meaning",
        verdict="not known",
        code="source_unseen",
        change=gone(CUSTOMERS),
    ),
    Case(
        name="terms of what a payload named and nobody ingested are not known",
        check="one meaning",
        verdict="not known",
        code="source_unseen",
        change=only_named(CUSTOMERS),
    ),
    Case(
        name="what a payload named and nobody ingested may carry a forbidden term",
        check="allowed",
        verdict="not known",
        code="source_unseen",
        change=only_named(CUSTOMERS),
        policy=policy(forbidden=(Forbidden(term="Privacy.Personal"),)),
    ),
    Case(
        name="a forbidden term",
        check="allowed",
        verdict="not ok",
        code="forbidden_term",
        change=put((column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL))),
        policy=policy(forbidden=(Forbidden(term="Privacy.Personal"),)),
    ),
    Case(
        name="a forbidden term that the index does not carry",
        check="allowed",
        verdict="ok",
        code="allowed",
        policy=policy(forbidden=(Forbidden(term="Privacy.Personal"),)),
    ),
    Case(
        name="a term that another domain forbids",
        check="allowed",
        verdict="ok",
        code="allowed",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "domains", {"domains": ["urn:li:domain:support"]}),
            ("urn:li:domain:marketing", "domainProperties", {"name": "Marketing"}),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, domain="marketing"),)),
    ),
    Case(
        name="a term that the index's domain forbids",
        check="allowed",
        verdict="not ok",
        code="forbidden_term",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "domains", {"domains": ["urn:li:domain:marketing"]}),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, domain="marketing"),)),
    ),
    Case(
        name="a region that nobody stated",
        check="allowed",
        verdict="not known",
        code="no_region",
        change=put((column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL))),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, region="us-east-1"),)),
    ),
    Case(
        name="a policy that names a term which nobody knows",
        check="allowed",
        verdict="not known",
        code="unknown_name",
        policy=policy(forbidden=(Forbidden(term="Nonsense"),)),
    ),
    Case(
        name="a forbidden term wins over one that nobody knows",
        check="allowed",
        verdict="not ok",
        code="forbidden_term",
        change=put((column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL))),
        policy=policy(forbidden=(Forbidden(term="Nonsense"), Forbidden(term=PERSONAL))),
    ),
    Case(
        name="a term that is attached and in no glossary is known",
        check="allowed",
        verdict="ok",
        code="allowed",
        change=both(
            put(
                (column(CUSTOMERS, "email"), "glossaryTerms", terms("urn:li:glossaryTerm:Loose")),
                (INDEX, "domains", {"domains": ["urn:li:domain:support"]}),
                ("urn:li:domain:marketing", "domainProperties", {"name": "Marketing"}),
            ),
        ),
        policy=policy(forbidden=(Forbidden(term="Loose", domain="marketing"),)),
    ),
    Case(
        name="a domain that nobody knows forbids nothing",
        check="allowed",
        verdict="not known",
        code="unknown_name",
        change=put(
            (column(CUSTOMERS, "email"), "glossaryTerms", terms(PERSONAL)),
            (INDEX, "domains", {"domains": ["urn:li:domain:marketing"]}),
        ),
        policy=policy(forbidden=(Forbidden(term=PERSONAL, domain="Marketing"),)),
    ),
    Case(
        name="a misspelt node excludes nothing",
        check="one meaning",
        verdict="not known",
        code="unknown_name",
        policy=policy(exclusive_nodes=frozenset({"Privacies"})),
    ),
    Case(
        name="a misspelt term meets nothing",
        check="one meaning",
        verdict="not known",
        code="unknown_name",
        policy=policy(exclusive_terms=(frozenset({PUBLIC, "Privacy.Persnal"}),)),
    ),
    Case(name="job and store name one model", check="one vector space", verdict="ok", code="one_model"),
    Case(
        name="job and store name two models",
        check="one vector space",
        verdict="not ok",
        code="several_models",
        change=put((JOB, "embeddingJobInfo", {"embeddingModel": "openai/text-embedding-3-large"})),
    ),
    Case(
        name="what the index has from its job is one word only",
        check="one vector space",
        verdict="not known",
        code="one_witness",
        change=put(
            (
                INDEX,
                "embeddingInfo",
                {"embeddingModel": "openai/text-embedding-3-small", "embeddingModelKnownFrom": "declared"},
            )
        ),
    ),
    Case(
        name="nobody names a model",
        check="one vector space",
        verdict="not known",
        code="no_model",
        change=without((INDEX, "embeddingInfo"), (JOB, "embeddingJobInfo")),
    ),
    Case(
        name="queries use another model",
        check="one vector space",
        verdict="not ok",
        code="other_query_model",
        change=put((INCIDENT, "incidentInfo", incident("ACTIVE", INDEX, kind="Embedding model mismatch"))),
    ),
    Case(name="the model lives", check="model lives", verdict="ok", code="lives"),
    Case(
        name="the model retires soon",
        check="model lives",
        verdict="not ok",
        code="retires",
        policy=policy(lists(small(date(2027, 1, 14), replacement="text-embedding-4"))),
    ),
    Case(
        name="the model retires later",
        check="model lives",
        verdict="ok",
        code="lives",
        policy=policy(lists(small(date(2028, 1, 14)))),
    ),
    Case(
        name="the model is retired",
        check="model lives",
        verdict="not ok",
        code="retired",
        policy=policy(lists(small(date(2026, 10, 1)))),
    ),
    Case(
        name="two lists disagree: the earlier date decides",
        check="model lives",
        verdict="not ok",
        code="retires",
        policy=policy(lists(small(date(2028, 1, 1))), lists(small(date(2026, 12, 24)), source="another")),
    ),
    Case(
        name="a longer or shorter name is another model",
        check="model lives",
        verdict="not known",
        code="unlisted",
        policy=policy(
            lists(
                Listed(provider="openai", model="text-embedding-3", on=date(2026, 1, 1)),
                Listed(provider="openai", model="text-embedding-3-small-2", on=date(2026, 1, 1)),
                Listed(provider="azure", model="text-embedding-3-small", on=date(2026, 1, 1)),
            )
        ),
    ),
    Case(
        name="a list of the world's models without a date says nothing",
        check="model lives",
        verdict="not known",
        code="unlisted",
        policy=policy(LifecycleList(source="the world's", models=(small(None),))),
    ),
    Case(
        name="your own list wins over the world's",
        check="model lives",
        verdict="ok",
        code="lives",
        policy=policy(
            lists(small(None)), LifecycleList(source="the world's", models=(small(date(2026, 12, 1)),))
        ),
    ),
    Case(
        name="a steward deprecated the model",
        check="model lives",
        verdict="not ok",
        code="retired",
        change=put((MODEL, "deprecation", deprecated())),
    ),
    Case(
        name="no model is known",
        check="model lives",
        verdict="not known",
        code="no_model",
        change=gone(MODEL),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.name}")
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_replacement_that_the_catalog_does_not_hold_is_named(tmp_path: Path) -> None:
    successor = MODEL.replace("3-small", "4")
    case = Case(
        name="a model that ended",
        check="model lives",
        verdict="not ok",
        code="retired",
        change=put((MODEL, "deprecation", deprecated(decommissionTime=STAMP["time"], replacement=successor))),
    )
    found = judge(tmp_path, case)
    assert "; replacement text-embedding-4 (source: the catalog)" in found.message
    assert found.to_do == "Move to text-embedding-4 and embed everything again."


@pytest.fixture
def report(tmp_path: Path) -> Iterable[CheckReport]:
    with write(tmp_path / "catalog.db", estate()) as catalog:
        yield check_asset(catalog, INDEX, policy(), now=NOW)


def test_a_report_has_every_check_that_was_asked_for(report: CheckReport) -> None:
    assert [one.check for one in report.findings] == [name for name in CHECKS if name != "allowed"]


def test_a_report_names_owners_and_who_is_affected(report: CheckReport) -> None:
    assert report.owners == (OWNER,)
    assert report.affected == (Affected(urn=BOT, name="docs-bot", answers_a_day=214.0),)


def test_one_finding_that_is_not_known_keeps_the_report_from_being_ok(report: CheckReport) -> None:
    assert report.verdict == "not known"
    well = replace(report, findings=tuple(one for one in report.findings if one.verdict == "ok"))
    assert well.verdict == "ok"
    assert EXIT_CODES[report.verdict] == 2


def test_an_answer_log_is_checked_by_what_it_depends_on(tmp_path: Path) -> None:
    facts = estate()
    facts[REVIEWS, "deprecation"] = deprecated()
    with write(tmp_path / "catalog.db", facts) as catalog:
        report = check_asset(catalog, ANSWERS, policy(), now=NOW)
    assert {one.check: one.verdict for one in report.findings} == {
        "trusted sources": "not ok",
        "one meaning": "ok",
        "model lives": "ok",
    }
    assert report.findings[0].path == (
        REVIEWS,
        JOB,
        INDEX,
        dataset("docs-bot.docs", "langchain"),
        BOT,
        ANSWERS,
    )


@pytest.mark.parametrize("asset", [JOB, RETRIEVER])
def test_a_job_or_a_retriever_is_never_ok_in_place_of_its_index(asset: str, tmp_path: Path) -> None:
    with write(tmp_path / "catalog.db", estate()) as catalog:
        report = check_asset(catalog, asset, policy(), now=NOW)
    assert report.verdict == "not known"
    first, *others = report.findings
    assert first.code == "no_index"
    assert (first.missing or "").endswith(": datahub-llmops check chroma:default_database.docs.")
    assert {one.verdict for one in others} == {"ok"}


def test_a_column_is_not_checked_by_the_part_of_lineage_that_feeds_it(tmp_path: Path) -> None:
    with (
        write(tmp_path / "catalog.db", estate()) as catalog,
        pytest.raises(UnknownAssetError, match=r"check what has it: .* check chroma:default_database\.docs$"),
    ):
        check_asset(catalog, column(INDEX, "email"), policy(), now=NOW)


def test_a_model_that_only_an_application_uses_has_embedded_nothing(tmp_path: Path) -> None:
    chat = MODEL.replace("text-embedding-3-small", "gpt-4")
    facts = estate()
    facts[chat, "mlModelProperties"] = {"name": "gpt-4", "downstreamJobs": [BOT]}
    facts[chat, "deprecation"] = deprecated(replacement=chat.replace("gpt-4", "gpt-5"))
    with write(tmp_path / "catalog.db", facts) as catalog:
        report = check_asset(catalog, ANSWERS, policy(), now=NOW)
    assert [one.to_do for one in report.findings if one.verdict == "not ok"] == ["Move to gpt-5."]


def test_the_packaged_list_knows_prices_and_says_no_more_than_it_knows() -> None:
    known = default_policy().lifecycles
    assert known.price(MODEL) == 0.02
    assert not known.knows(MODEL)  # It has no date, which is no word on how long it lives.
    assert known.of("urn:li:mlModel:(urn:li:dataPlatform:azure,text-embedding-3-large,PROD)")


def test_times_are_of_utc(report: CheckReport) -> None:
    times = [each.at for one in report.findings for each in one.evidence if each.at]
    assert times
    assert all(at.tzinfo is UTC for at in times)
