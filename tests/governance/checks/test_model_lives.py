"""Lists of models that could not be read: what they may have stated is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from datahub_llmops.governance.finding import Verdict
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import LifecycleList
from governance.cases import NOTHING, Case, check_case, lists, policy, put, small
from governance.estate import CUSTOMERS, INDEX, NOW, OTHER_JOB, inputs_and_outputs

LATER, SOON = (small(NOW.date() + timedelta(days=days)) for days in (700, 30))
PACKAGED = replace(lists(LATER), complete=False)


@pytest.mark.parametrize(
    ("name", "verdict", "code", "read"),
    [
        ("the list of the release has a later date", "not known", "list_unread", [PACKAGED]),
        (
            "the list of the release has an early date",
            "not ok",
            "retires",
            [replace(lists(SOON), complete=False)],
        ),
        ("the user's own list wins over any other", "ok", "lives", [lists(LATER), PACKAGED]),
        ("no list has a date", "not known", "unlisted", [lists()]),
    ],
)
def test_a_list_that_cannot_be_read_may_have_an_earlier_date(
    name: str, verdict: Verdict, code: str, read: list[LifecycleList], tmp_path: Path
) -> None:
    given = replace(policy(), lifecycles=Lifecycles(read, problems=["models.json: this is not JSON"]))
    check_case(
        Case(name=name, check="model lives", verdict=verdict, code=code, change=NOTHING, policy=given),
        tmp_path,
    )


def test_a_second_job_whose_model_nobody_knows(tmp_path: Path) -> None:
    second = put(
        (OTHER_JOB, "dataJobInfo", {"name": "more", "type": {"string": "E"}}),
        (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([CUSTOMERS], INDEX)),
    )
    given = policy(lists(LATER))
    case = Case(
        name="", check="model lives", verdict="not known", code="job_model", change=second, policy=given
    )
    check_case(case, tmp_path)
