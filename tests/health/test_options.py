from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from datahub_llmops.errors import RecipeError
from datahub_llmops.health.options import read_policy


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return file


def test_a_plain_file_and_a_recipe_hold_the_same_policy(tmp_path: Path) -> None:
    plain = read_policy(written(tmp_path, "grace_hours: 6"))
    recipe = "source: {type: llm-health, config: {grace_hours: 6, asset_pattern: {allow: ['a']}, incidents: false}}"
    assert plain.grace == read_policy(written(tmp_path, recipe)).grace == timedelta(hours=6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grace_hour: 6", "there is no option grace_hour; did you mean grace_hours?"),
        ("forbiden_terms: []", "did you mean forbidden_terms?"),
        ("catalog: ./catalog.db", "there is no option catalog; there are change_columns"),
        ("source: {type: llm-health, config: {grace_hour: 6}}", "did you mean grace_hours?"),
        ("", "it has no options"),
        ("- grace_hours", "it has no options"),
        ("grace_hours: soon", "grace_hours"),
        ("source: {type: llm-chroma, config: {path: ./chroma}}", "this is a recipe of llm-chroma"),
        ("grace_hours: .inf", "grace_hours"),
        ("grace_hours: 1e300", "grace_hours"),
        ("retires_within_days: 99999999999999999999", "retires_within_days"),
        ("retires_within_days: true", "write a number"),
        ("grace_hours: true", "write a number"),
        ("exclusive_terms: [[Privacy.Personal]]", "two terms or more"),
        (
            "exclusive_terms: [[Privacy.Personal, 'urn:li:glossaryTerm:Privacy.Personal']]",
            "two terms or more",
        ),
        ("grace_hours: 2027-13-01", "a date that does not exist"),
    ],
)
def test_a_policy_that_would_not_hold_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"policy\.yaml") as refused:
        read_policy(written(tmp_path, text))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "entry", ["{retire: 2027-01-14}", "2027-01-14", "[2027-01-14]", "{retires: soon}", "{retires: }"]
)
def test_an_entry_that_misses_its_date_by_a_slip_is_refused(entry: str, tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(f"models: {{openai/text-embedding-3-small: {entry}}}")
    with pytest.raises(RecipeError, match=r"models\.yaml: openai/text-embedding-3-small: .*2027-01-14"):
        read_policy(written(tmp_path, f"own_lifecycles: {models}"))


@pytest.mark.parametrize(
    "entry", ["{}", "", "{retires: 2027-01-14, link: https://example.org, replacement: other}"]
)
def test_an_entry_may_have_no_date(entry: str, tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(f"models:\n  openai/text-embedding-3-small: {entry}\n")
    assert read_policy(written(tmp_path, f"own_lifecycles: {models}")).lifecycles.problems == ()


def test_a_date_that_there_is_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: {openai/text-embedding-3-small: {retires: 2027-13-45}}")
    with pytest.raises(RecipeError, match=r"models\.yaml: .*a date that does not exist"):
        read_policy(written(tmp_path, f"own_lifecycles: {tmp_path / 'models.yaml'}"))


def test_a_time_is_taken_for_its_day(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("models: {openai/ada: {retires: 2027-01-14T12:00:00Z}}")
    found = read_policy(written(tmp_path, f"own_lifecycles: {tmp_path / 'models.yaml'}")).lifecycles
    model = "urn:li:mlModel:(urn:li:dataPlatform:openai,ada,PROD)"
    assert [one.on for one in found.of(model)] == [date(2027, 1, 14)]
