"""``llm-health`` through DataHub's own pipeline: assertions with their runs, and incidents that resolve themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline

from catalog.local.local_runs import contents, pipeline, raw, run
from datahub_llmops import urns
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.errors import CatalogError
from governance.estate import ANSWERS, INDEX, JOB, OWNER, REVIEWS, Facts, estate

DEPRECATED = {"deprecated": True, "note": "", "actor": OWNER}
INCIDENT = urns.check_incident(INDEX, "trusted sources")
ASSERTION = urns.check_assertion(INDEX, "trusted sources")


def put(path: Path, facts: Facts) -> None:
    run(path, *(raw(urn, aspect, value) for (urn, aspect), value in facts.items()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "catalog.db"
    put(found, {**estate(), (REVIEWS, "deprecation"): DEPRECATED})
    return found


def ingest(path: Path, **config: Any) -> Pipeline:
    stateful = {
        "enabled": True,
        "state_provider": {"type": "llm-local", "config": {"path": str(path)}},
    }
    source = {
        "type": "llm-health",
        "config": {"catalog": str(path), "stateful_ingestion": stateful, **config},
    }
    return pipeline(path, source, name="health")


def incident(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = contents(path)[INCIDENT, "incidentInfo"]
    return found


def runs(path: Path, asset: str = INDEX) -> dict[str, str]:
    """Check -> how its newest run ended."""
    with LocalCatalog(path) as catalog:
        held = catalog.quality([asset]).get(asset, {}).values()
    return {
        one["assertionInfo"]["customAssertion"]["nativeType"]: one["assertionRunEvent"]["result"]["type"]
        for one in held
        if "assertionRunEvent" in one
    }


def test_each_check_is_an_assertion_with_a_run(path: Path) -> None:
    done = ingest(path)
    assert not done.source.get_report().failures
    found = runs(path)
    assert found.pop("fresh") in ("SUCCESS", "FAILURE")  # The estate's times are those of its own day.
    assert found == {
        "coverage": "ERROR",
        "schema": "SUCCESS",
        "trusted sources": "FAILURE",
        "one meaning": "SUCCESS",
        "one vector space": "SUCCESS",
        "model lives": "ERROR",
    }
    assert runs(path, ANSWERS).keys() == {"trusted sources", "one meaning", "model lives"}


def test_what_is_not_known_is_an_error_for_lack_of_data(path: Path) -> None:
    ingest(path)
    with LocalCatalog(path) as catalog:
        held = catalog.quality([INDEX])[INDEX][urns.check_assertion(INDEX, "coverage")]
    assert held["assertionRunEvent"]["result"]["error"]["type"] == "INSUFFICIENT_DATA"


def test_what_is_not_ok_is_an_incident_of_the_owner(path: Path) -> None:
    ingest(path)
    found = incident(path)
    assert found["status"]["state"] == "ACTIVE"
    assert found["entities"] == [INDEX]
    assert [one["actor"] for one in found["assignees"]] == [OWNER]
    assert REVIEWS in found["description"]
    assert JOB in found["description"]
    assert found["source"]["sourceUrn"] == ASSERTION


def test_a_second_run_of_an_unchanged_estate_writes_run_events_only(path: Path) -> None:
    ingest(path)
    before = {key: aspect for key, aspect in contents(path).items() if key[1] != "assertionRunEvent"}
    ingest(path)
    after = {key: aspect for key, aspect in contents(path).items() if key[1] != "assertionRunEvent"}
    assert after == before


def test_an_incident_is_resolved_when_the_check_is_ok_again(path: Path) -> None:
    ingest(path)
    raised = incident(path)
    put(path, {(REVIEWS, "deprecation"): {**DEPRECATED, "deprecated": False}})
    ingest(path)
    assert incident(path)["status"]["state"] == "RESOLVED"
    assert incident(path)["created"] == raised["created"]
    put(path, {(REVIEWS, "deprecation"): DEPRECATED})
    ingest(path)
    assert incident(path)["status"]["state"] == "ACTIVE"


def test_a_check_that_cannot_see_leaves_the_incident_open(path: Path) -> None:
    ingest(path)
    put(path, {(REVIEWS, "status"): {"removed": True}})
    ingest(path)
    assert runs(path)["trusted sources"] == "ERROR"
    assert incident(path)["status"]["state"] == "ACTIVE"


def test_a_catalog_that_breaks_in_the_middle_changes_nothing_that_was_not_seen(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(path)
    put(path, {(REVIEWS, "deprecation"): {**DEPRECATED, "deprecated": False}})
    before = contents(path)

    def broken(*_: object, **__: object) -> Any:
        raise CatalogError("the server went away")

    monkeypatch.setattr(LocalCatalog, "quality", broken)
    done = ingest(path)
    monkeypatch.undo()
    (failure,) = done.source.get_report().failures
    assert "went away" in str(failure.context)
    assert contents(path) == before


def test_what_people_set_on_an_incident_stays(path: Path) -> None:
    ingest(path)
    ben = {"actor": "urn:li:corpuser:ben", "assignedAt": incident(path)["created"]}
    put(path, {(INCIDENT, "incidentInfo"): {**incident(path), "assignees": [ben], "priority": 1}})
    put(path, {(REVIEWS, "deprecation"): {**DEPRECATED, "replacement": ANSWERS}})
    ingest(path)
    found = incident(path)
    assert [one["actor"] for one in found["assignees"]] == ["urn:li:corpuser:ben"]
    assert found["priority"] == 1
    assert "successor" in found["description"]


def test_an_incident_that_a_person_resolved_comes_back_only_with_another_finding(path: Path) -> None:
    ingest(path)
    closed = {**incident(path)["status"], "state": "RESOLVED"}
    closed["lastUpdated"] = {**closed["lastUpdated"], "actor": "urn:li:corpuser:ben"}
    put(path, {(INCIDENT, "incidentInfo"): {**incident(path), "status": closed}})
    ingest(path)
    assert incident(path)["status"]["state"] == "RESOLVED"
    put(path, {(REVIEWS, "deprecation"): {**DEPRECATED, "replacement": ANSWERS}})
    ingest(path)
    assert incident(path)["status"]["state"] == "ACTIVE"


def test_a_note_on_an_assertion_stays(path: Path) -> None:
    ingest(path)
    note = {"content": "Ask Ben.", "lastModified": incident(path)["created"]}
    put(path, {(ASSERTION, "assertionInfo"): {**contents(path)[ASSERTION, "assertionInfo"], "note": note}})
    ingest(path)
    assert contents(path)[ASSERTION, "assertionInfo"]["note"]["content"] == "Ask Ben."


def test_assertions_of_an_index_that_is_gone_are_removed(path: Path) -> None:
    ingest(path)
    put(path, {(INDEX, "status"): {"removed": True}})
    ingest(path)
    assert contents(path)[ASSERTION, "status"]["removed"] is True


def test_assertions_come_back_with_their_index(path: Path) -> None:
    ingest(path)
    put(path, {(INDEX, "status"): {"removed": True}})
    assert ingest(path).source.get_report().assertions_removed == 7  # type: ignore[attr-defined]
    assert ingest(path).source.get_report().assertions_removed == 0  # type: ignore[attr-defined]
    put(path, {(INDEX, "status"): {"removed": False}})
    ingest(path)
    assert contents(path)[ASSERTION, "status"]["removed"] is False


def test_a_run_that_ends_early_removes_nothing_and_forgets_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(path)
    put(path, {(INDEX, "status"): {"removed": True}})

    def broken(*_: object, **__: object) -> Any:
        raise CatalogError("the server went away")

    monkeypatch.setattr(LocalCatalog, "upstreams", broken)
    assert ingest(path).source.get_report().failures
    monkeypatch.undo()
    assert (ASSERTION, "status") not in contents(path)
    ingest(path)
    assert contents(path)[ASSERTION, "status"]["removed"] is True


def test_without_incidents_there_are_none(path: Path) -> None:
    ingest(path, incidents=False)
    assert not [urn for urn, name in contents(path) if name == "incidentInfo"]


def test_patterns_choose_what_is_checked(path: Path) -> None:
    done = ingest(path, asset_pattern={"allow": ["default_database\\..*"]})
    assert done.source.get_report().assets_checked == 1  # type: ignore[attr-defined]
    assert done.source.get_report().assets_filtered == 1  # type: ignore[attr-defined]


def test_what_the_policy_names_and_nobody_has_is_a_warning(path: Path) -> None:
    done = ingest(
        path, exclusive_nodes=["Privacies"], forbidden_terms=[{"term": "Privacy.Personal", "region": "eu"}]
    )
    (warning,) = done.source.get_report().warnings
    assert list(warning.context) == ["Privacies; did you mean Privacy?", "region eu"]
    assert runs(path)["one meaning"] == "ERROR"


def test_no_catalog_is_a_failure(tmp_path: Path) -> None:
    done = ingest(tmp_path / "none.db")
    assert done.source.get_report().failures


def test_a_table_with_vectors_that_another_source_describes_is_checked_as_an_index(path: Path) -> None:
    put(path, {(INDEX, "subTypes"): {"typeNames": ["Table"]}})
    ingest(path)
    assert {"fresh", "coverage", "schema", "one vector space"} <= runs(path).keys()
