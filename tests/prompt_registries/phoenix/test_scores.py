"""The scores of a real Phoenix server: annotations of traffic, and experiments."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Judge, Scores, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.net.http import HttpClient
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer, absent
from datahub_llmops.prompt_registries.phoenix.reader import PhoenixReader
from prompt_registries.phoenix.engine import PLANTED, PhoenixEngine
from support.stub import Stub

TRAFFIC = Window(first=date(2026, 11, 20), last=date(2026, 11, 21))


def read(url: str, window: Window) -> list[Scores | FailedListing]:
    client = HttpClient(system="Phoenix", base_url=url, absent=absent, retries=0)
    with closing(PhoenixReader(PhoenixServer(client))) as reader:
        return list(reader.scores(window))


def ref(number: int) -> PromptRef:
    return PromptRef(name="support-answer", version=str(number))


@pytest.fixture(scope="module")
def of_traffic(phoenix: PhoenixEngine) -> dict[tuple[Any, ...], Scores]:
    with phoenix.served() as server:
        found = [entry for entry in read(server.url, TRAFFIC) if isinstance(entry, Scores)]
    rows = {(entry.metric, entry.subject, entry.at.day): entry for entry in found}
    assert len(rows) == len(found)
    return rows


def test_scores_of_applications_and_versions_by_the_day(of_traffic: dict[tuple[Any, ...], Scores]) -> None:
    numbers = {key: (row.count, row.mean) for key, row in of_traffic.items() if row.kind == "numeric"}
    assert numbers == {
        ("faithfulness", "support-bot", 20): (3, pytest.approx((0.9 + 0.6 + 1.0) / 3)),
        ("faithfulness", "support-bot", 21): (1, 0.4),
        ("faithfulness", ref(2), 20): (2, 0.75),
        ("faithfulness", ref(1), 20): (1, 1.0),
        ("faithfulness", ref(3), 21): (1, 0.4),
        ("helpful", "support-bot", 20): (1, 1.0),
        ("helpful", ref(2), 20): (1, 1.0),
        ("short", "support-bot", 20): (1, 1.0),
        ("short", ref(2), 20): (1, 1.0),
        ("resolved", "support-bot", 20): (2, 0.5),
        ("helpful (trace)", "support-bot", 20): (1, 0.5),
    }


def test_labels_alone_are_categories_if_phoenix_lists_them(of_traffic: dict[tuple[Any, ...], Scores]) -> None:
    tone = of_traffic["tone", ref(2), 20]
    assert (tone.kind, tone.mean, tone.categories, tone.count) == (
        "categorical",
        None,
        {"friendly": 1, "rude": 1},
        2,
    )
    assert not {"remark", "remark on all"} & {metric for metric, _, _ in of_traffic}
    assert PLANTED not in repr(of_traffic)


def test_who_gave_a_score(of_traffic: dict[tuple[Any, ...], Scores]) -> None:
    judges = {metric: row.judge for (metric, _, _), row in of_traffic.items()}
    assert judges == {
        "faithfulness": Judge(kind="llm"),
        "helpful": Judge(kind="human"),
        "tone": Judge(kind="human"),
        "short": Judge(kind="code"),
        "resolved": Judge(kind="human"),
        "helpful (trace)": Judge(kind="llm"),
    }


def test_experiments_by_the_version_that_their_metadata_names(
    phoenix: PhoenixEngine, phoenix_server: Stub
) -> None:
    today = date.fromisoformat(phoenix.seeded["today"])
    entries = read(phoenix_server.url, Window(first=today, last=today))
    rows = [entry for entry in entries if isinstance(entry, Scores) and entry.data_set]
    assert {(row.metric, row.subject, row.data_set, row.count, row.mean, row.failed) for row in rows} == {
        ("exact", ref(2), "qa-golden", 4, 0.75, 0),
        ("exact", ref(3), "qa-golden", 4, 0.75, 0),
    }
    assert {row.judge for row in rows} == {Judge(kind="code")}
    (failed,) = [entry for entry in entries if isinstance(entry, FailedListing)]
    assert not failed.is_item
    assert "1 experiments name no version" in str(failed.error)


def test_no_experiment_of_another_day_is_read(of_traffic: dict[tuple[Any, ...], Scores]) -> None:
    assert not any(row.data_set for row in of_traffic.values())
