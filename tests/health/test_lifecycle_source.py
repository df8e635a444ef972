"""``llm-lifecycle`` through DataHub's own pipeline: what it writes, keeps and takes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datahub.ingestion.run.pipeline import Pipeline

from catalog.local.local_runs import contents, pipeline, raw, run
from datahub_llmops.cli.main import main
from datahub_llmops.mapping.lifecycles import MARK

SMALL = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"
LARGE = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-large,PROD)"
OWN = "urn:li:mlModel:(urn:li:dataPlatform:acme,embedder,PROD)"
DAY = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "catalog.db"
    run(found, *(raw(model, "mlModelProperties", {"name": model}) for model in (SMALL, LARGE, OWN)))
    return found


def lists(tmp_path: Path, retires: str | None = "2027-01-14") -> Path:
    written = tmp_path / "models.yaml"
    entry = f"{{retires: {retires}, replacement: text-embedding-4}}" if retires else "{}"
    written.write_text(f"models:\n  openai/text-embedding-3-small: {entry}\n")
    return written


def ingest(path: Path, **config: Any) -> Pipeline:
    return pipeline(path, {"type": "llm-lifecycle", "config": {"catalog": str(path), **config}})


def written(path: Path) -> dict[str, Any]:
    return {urn: aspect for (urn, name), aspect in contents(path).items() if name == "deprecation"}


def test_a_model_gets_its_date_source_and_replacement(path: Path, tmp_path: Path) -> None:
    done = ingest(path, own_lifecycles=str(lists(tmp_path)))
    found = written(path)
    assert list(found) == [SMALL]
    assert found[SMALL]["deprecated"] is True
    assert found[SMALL]["decommissionTime"] == 20_832 * DAY
    assert found[SMALL]["replacement"] == SMALL.replace("3-small", "4")
    assert "models.yaml" in found[SMALL]["note"]
    report = done.source.get_report()
    assert report.models_not_known == 2  # type: ignore[attr-defined]


def test_a_replacement_may_be_written_with_its_provider(path: Path, tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(
        "models: {openai/text-embedding-3-small: {retires: 2027-01-14, replacement: openai/text-embedding-4}}"
    )
    ingest(path, own_lifecycles=str(models))
    assert written(path)[SMALL]["replacement"] == SMALL.replace("3-small", "4")
    said = CliRunner().invoke(main, ["--catalog", str(path), "affected", SMALL]).stdout
    assert "retires 2027-01-14, replacement text-embedding-4 (source: the catalog)" in said


def test_a_second_run_changes_nothing(path: Path, tmp_path: Path) -> None:
    ingest(path, own_lifecycles=str(lists(tmp_path)))
    before = contents(path)
    done = ingest(path, own_lifecycles=str(lists(tmp_path)))
    assert contents(path) == before
    assert done.source.get_report().events_produced == 0


def test_a_date_that_moves_is_written_anew_and_one_that_goes_is_taken_back(
    path: Path, tmp_path: Path
) -> None:
    ingest(path, own_lifecycles=str(lists(tmp_path)))
    ingest(path, own_lifecycles=str(lists(tmp_path, "2027-02-14")))
    assert written(path)[SMALL]["decommissionTime"] == (20_832 + 31) * DAY
    ingest(path, own_lifecycles=str(lists(tmp_path, None)))
    assert written(path)[SMALL]["deprecated"] is False


def test_what_a_steward_wrote_stays(path: Path, tmp_path: Path) -> None:
    own = {"deprecated": True, "note": "We leave it in May.", "actor": "urn:li:corpuser:ada"}
    run(path, raw(SMALL, "deprecation", own))
    done = ingest(path, own_lifecycles=str(lists(tmp_path)))
    assert written(path)[SMALL]["note"] == own["note"]
    assert done.source.get_report().left_to_others == 1  # type: ignore[attr-defined]


def test_ours_that_a_steward_edited_is_theirs(path: Path, tmp_path: Path) -> None:
    ingest(path, own_lifecycles=str(lists(tmp_path)))
    edited = {**written(path)[SMALL], "note": "Ada decides.", "actor": "urn:li:corpuser:ada"}
    run(path, raw(SMALL, "deprecation", edited))
    ingest(path, own_lifecycles=str(lists(tmp_path, None)))
    assert written(path)[SMALL]["note"] == "Ada decides."


def litellm(**models: dict[str, Any]) -> dict[str, Any]:
    filler = {f"filler-{n}": {"litellm_provider": "acme", "mode": "chat"} for n in range(10)}
    filler["old"] = {"litellm_provider": "acme", "mode": "chat", "deprecation_date": "2026-01-01"}
    return {**filler, **models}


def test_a_newer_list_replaces_the_packaged_one(path: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.json"
    entry = {"litellm_provider": "openai", "mode": "embedding", "deprecation_date": "2027-03-01"}
    newer.write_text(json.dumps(litellm(**{"text-embedding-3-large": entry})))
    ingest(path, lifecycles=str(newer))
    assert list(written(path)) == [LARGE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a list of models"),
        (json.dumps(litellm() | {"old": {}}), "has a date"),
        ("x" * 8_000_001, "more than 8 MB"),
    ],
)
def test_a_list_that_cannot_be_read_takes_nothing_back(
    path: Path, tmp_path: Path, content: str, said: str
) -> None:
    ingest(path, own_lifecycles=str(lists(tmp_path)))
    broken = tmp_path / "broken.json"
    broken.write_text(content)
    done = ingest(path, lifecycles=str(broken))
    (failure,) = done.source.get_report().failures
    assert said in str(failure.context)
    assert written(path)[SMALL]["deprecated"] is True


def test_an_own_list_that_cannot_be_read_ends_the_run(path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "models.yaml"
    bad.write_text("models: {openai/x: {retires: soon}}")
    done = ingest(path, own_lifecycles=str(bad))
    (failure,) = done.source.get_report().failures
    assert "openai/x" in str(failure.context)
    assert written(path) == {}


def test_an_address_that_fails_is_said(path: Path) -> None:
    done = ingest(path, lifecycles="https://127.0.0.1:1/models.json")
    (failure,) = done.source.get_report().failures
    assert "https://127.0.0.1:1/models.json cannot be read" in str(failure.context)


def test_our_note_carries_our_mark(path: Path, tmp_path: Path) -> None:
    ingest(path, own_lifecycles=str(lists(tmp_path)))
    assert written(path)[SMALL]["note"].endswith(MARK)
