"""Cases of the decision tables: what is changed in an estate where all is well, and what a check then says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from datahub.metadata.schema_classes import DatasetKeyClass

from catalog.local.local_runs import column, dataset
from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, write_uses
from datahub_llmops.governance.finding import Finding, Verdict
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import LifecycleList, Listed
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.verdict import check_asset
from datahub_llmops.mapping.edge_properties import key_proposal
from governance.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    NOW,
    OTHER_JOB,
    OWNER,
    REVIEWS,
    Facts,
    estate,
    fine_grained,
    inputs_and_outputs,
    milliseconds,
    schema,
    write,
)

HOUR = timedelta(hours=1)
PERSONAL, PUBLIC = "urn:li:glossaryTerm:Privacy.Personal", "urn:li:glossaryTerm:Privacy.Public"
INCIDENT, ASSERTION = "urn:li:incident:one", "urn:li:assertion:one"
STAMP = {"time": milliseconds(NOW - timedelta(days=3)), "actor": OWNER}
VIEW = dataset("shop.public.recent_reviews")

Change = Callable[[Facts], None]


def put(*changes: tuple[str, str, Any]) -> Change:
    def change(facts: Facts) -> None:
        facts.update({(urn, aspect): value for urn, aspect, value in changes})

    return change


NOTHING: Final = put()


def without(*names: tuple[str, str]) -> Change:
    return put(*((urn, aspect, None) for urn, aspect in names))


def gone(urn: str) -> Change:
    def change(facts: Facts) -> None:
        for key in [key for key in facts if key[0] == urn]:
            del facts[key]

    return change


def only_named(urn: str) -> Change:
    """Nothing is known of it but its key, as our recipes write it for a dataset that a payload names."""
    key = key_proposal(urn).aspect
    assert isinstance(key, DatasetKeyClass)
    return both(gone(urn), put((urn, key.get_aspect_name(), key.to_obj())))


def terms(*named: str) -> dict[str, Any]:
    return {"terms": [{"urn": urn} for urn in named], "auditStamp": STAMP}


def deprecated(**more: Any) -> dict[str, Any]:
    return {"deprecated": True, "note": "", "actor": OWNER, **more}


def incident(state: str, *about: str, kind: str = "Late") -> dict[str, Any]:
    return {
        "type": "CUSTOM",
        "customType": kind,
        "entities": list(about),
        "status": {"state": state, "lastUpdated": STAMP},
        "created": STAMP,
    }


def assertion(about: str) -> dict[str, Any]:
    return {"type": "CUSTOM", "customAssertion": {"type": "Rows", "entity": about}}


def run_event(about: str, result: str) -> dict[str, Any]:
    return {
        "timestampMillis": STAMP["time"],
        "runId": "1",
        "asserteeUrn": about,
        "assertionUrn": ASSERTION,
        "status": "COMPLETE",
        "result": {"type": result},
    }


def profile(when: datetime, rows: int, **largest: str) -> dict[str, Any]:
    """A profile of all rows, with the largest values of some columns."""
    fields = [{"fieldPath": name, "max": value} for name, value in largest.items()]
    return {"timestampMillis": milliseconds(when), "rowCount": rows, "fieldProfiles": fields}


def lists(*listed: Listed, source: str = "a list") -> LifecycleList:
    return LifecycleList(source=source, models=listed, complete=True)


def small(on: date | None, **more: Any) -> Listed:
    return Listed(provider="openai", model="text-embedding-3-small", on=on, **more)


def policy(*found: LifecycleList, **options: Any) -> Policy:
    given = found or (lists(small(None)),)
    return Policy(lifecycles=Lifecycles(given), **options)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the table."""

    name: str
    check: str
    verdict: Verdict
    code: str
    change: Change = NOTHING
    policy: Policy = field(default_factory=policy)


def in_view(facts: Facts) -> None:
    """The job reads a view over the reviews."""
    facts[JOB, "dataJobInputOutput"] = inputs_and_outputs(
        [VIEW, CUSTOMERS], INDEX, (column(VIEW, "body"), column(INDEX, "document"))
    )
    facts[VIEW, "subTypes"] = {"typeNames": ["View"]}
    facts[VIEW, "schemaMetadata"] = schema("body")
    facts[VIEW, "upstreamLineage"] = {
        "upstreams": [{"dataset": REVIEWS, "type": "VIEW", "auditStamp": STAMP}],
        "fineGrainedLineages": fine_grained((column(REVIEWS, "body"), column(VIEW, "body"))),
    }


def both(*changes: Change) -> Change:
    def change(facts: Facts) -> None:
        for one in changes:
            one(facts)

    return change


def joins(name: str) -> Change:
    """The job says that it joins by a column of the customers."""

    def change(facts: Facts) -> None:
        uses = {"kb": StatedUses(columns={CUSTOMERS: {name: ["join"]}})}
        edges = facts[JOB, "dataJobInputOutput"]["outputDatasetEdges"]
        edges[0]["properties"] = {USED_COLUMNS: write_uses(uses)}

    return change


def in_a_circle(facts: Facts) -> None:
    """The reviews are written by a job that reads the index."""
    facts[OTHER_JOB, "dataJobInfo"] = {"name": "back", "type": {"string": "SQL"}}
    facts[OTHER_JOB, "dataJobInputOutput"] = inputs_and_outputs([INDEX], REVIEWS)


def judge(tmp_path: Path, case: Case) -> Finding:
    facts = estate()
    case.change(facts)
    with write(tmp_path / "catalog.db", facts) as catalog:
        report = check_asset(catalog, INDEX, case.policy, now=NOW)
    return next(one for one in report.findings if one.check == case.check)


def check_case(case: Case, tmp_path: Path) -> None:
    """Judge a case, and check that its finding says what a person needs."""
    found = judge(tmp_path, case)
    assert (found.verdict, found.code) == (case.verdict, case.code), found.message
    assert found.verdict == "ok" or found.missing or found.to_do
    if found.verdict == "not ok":
        assert found.evidence
        assert found.path[-1:] == (INDEX,)
