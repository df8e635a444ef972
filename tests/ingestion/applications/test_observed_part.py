"""What a tool saw of applications, through a real pipeline into a local catalog."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import EdgeClass
from datahub.specific.datajob import DataJobPatchBuilder

from datahub_llmops import urns
from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, RetrievedSource
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.usage_records import records_to_add
from datahub_llmops.errors import CatalogError, DeniedError, UnreachableError, UnreadableError
from datahub_llmops.testing import runs
from runs.world import JOB, LOG, RETRIEVER, World
from support.scripted_prompts import PLATFORM, clear, fill, prompt
from support.scripted_tool import NOW, OBSERVED, SOURCE, WINDOWS, observed, on, reset

ANSWER = PromptRef(name="support/answer", version="1")
PROMPT = urns.prompt_version(PLATFORM, "support/answer", "1", env="PROD")
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,gpt-5,PROD)"
ARTICLES = "urn:li:dataset:(urn:li:dataPlatform:s3,kb/articles.md,PROD)"
TOOL = f"source={PLATFORM}"
SECRET = "c0nfidential-value"


@pytest.fixture(autouse=True)
def scripted() -> Iterator[None]:
    clear()
    reset()
    fill(prompt("support/answer"))
    yield
    clear()
    reset()


def run(folder: Path, **options: Any) -> Pipeline:
    return runs.run(folder, SOURCE, options)


def failures(pipeline: Pipeline) -> dict[str | None, list[str]]:
    return {entry.title: list(entry.context) for entry in pipeline.source.get_report().failures}


def usage(folder: Path, urn: str, name: str = "llmUsage") -> dict[tuple[str, str], dict[str, Any]]:
    """The records of an asset's usage, by day and partition."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return {
            (_day(one), one["partitionSpec"]["partition"]): dict(one) for one in catalog.series(urn, name, 0)
        }


def _day(record: Any) -> str:
    return date.fromtimestamp(record["timestampMillis"] / 1000).isoformat()


def edges(folder: Path) -> dict[str, dict[str, str]]:
    found = runs.aspect(folder, JOB, "dataJobInputOutput").get("inputDatasetEdges") or []
    return {edge["destinationUrn"]: edge["properties"] for edge in found}


def window(place: int = -1) -> tuple[int, int]:
    return WINDOWS[place].first.day, WINDOWS[place].last.day


def test_an_application_with_all_that_the_tool_says_of_it(tmp_path: Path) -> None:
    run(tmp_path, applications=False).raise_from_status()
    tokens = Tokens(input=1000, cached=400, output=50)
    OBSERVED.extend(
        [
            observed(
                19, errors=1, tokens=tokens, cost=0.25, milliseconds=9000, definition="https://tool/bot"
            ),
            observed(19, calls=12, prompt=ANSWER, tokens=tokens, cost=0.2, last=on(19, 15)),
            observed(19, calls=12, model="openai/gpt-5", tokens=tokens, cost=0.25),
        ]
    )
    run(tmp_path).raise_from_status()
    whole = usage(tmp_path, JOB)["2026-11-19", TOOL]
    assert {key: whole[key] for key in ("calls", "errors", "inputTokens", "cachedInputTokens", "cost")} == {
        "calls": 10,
        "errors": 1,
        "inputTokens": 1000,
        "cachedInputTokens": 400,
        "cost": 0.25,
    }
    assert (whole["currency"], whole["latencyMillis"]) == ("USD", 9000)
    assert usage(tmp_path, PROMPT)["2026-11-19", TOOL]["calls"] == 12
    assert usage(tmp_path, MODEL)["2026-11-19", TOOL]["cost"] == 0.25
    assert usage(tmp_path, LOG, "datasetUsageStatistics")["2026-11-19", TOOL]["totalSqlQueries"] == 10
    assert edges(tmp_path) == {PROMPT: {"found_by": "trace", "last_seen": "2026-11-19"}}
    assert runs.aspect(tmp_path, JOB, "dataJobInfo")["externalUrl"] == "https://tool/bot"
    assert runs.aspect(tmp_path, JOB, "subTypes") == {"typeNames": ["LLM Application"]}
    assert runs.aspect(tmp_path, MODEL, "mlModelProperties")["downstreamJobs"] == [JOB]
    info = runs.aspect(tmp_path, JOB, "llmApplicationInfo")
    assert (info["prompts"], info["models"]) == ("support/answer.v1", "openai/gpt-5")
    assert "framework" not in info
    # The other part of the source described the prompt, and it stays so.
    assert runs.aspect(tmp_path, PROMPT, "datasetProperties")["name"] == "support/answer"


def test_what_the_tool_does_not_say_stays_unknown(tmp_path: Path) -> None:
    OBSERVED.extend([observed(19, tokens=Tokens(input=5), model="gpt-5"), observed(19)])
    run(tmp_path).raise_from_status()
    whole = usage(tmp_path, JOB)["2026-11-19", TOOL]
    assert {"errors", "inputTokens", "cost", "currency", "latencyMillis"}.isdisjoint(whole)
    model = usage(tmp_path, urns.model("gpt-5", env="PROD"))["2026-11-19", TOOL]
    assert model["inputTokens"] == 5
    assert {"outputTokens", "cost", "errors"}.isdisjoint(model)


def test_later_runs_go_on_from_the_last_whole_day(tmp_path: Path) -> None:
    OBSERVED.extend([observed(20, calls=3), observed(19)])
    run(tmp_path, applications={"first_days": 7}).raise_from_status()
    assert window() == (14, 20)
    run(tmp_path, applications={"first_days": 7}).raise_from_status()
    assert window() == (19, 20)
    NOW[:] = [on(23)]
    OBSERVED.append(observed(20, calls=4))
    run(tmp_path, applications={"first_days": 7}).raise_from_status()
    assert window() == (19, 23)
    assert usage(tmp_path, JOB)["2026-11-20", TOOL]["calls"] == 7
    run(tmp_path, applications={"first_days": 7}).raise_from_status()
    assert window() == (22, 23)


def test_without_a_memory_every_run_reads_the_first_days(tmp_path: Path) -> None:
    for _ in range(2):
        run(tmp_path, stateful_ingestion={"enabled": False}, applications={"first_days": 3})
        assert window() == (18, 20)


def test_a_tool_that_breaks_off_writes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    OBSERVED.extend([observed(18), UnreachableError("tool: it is down"), observed(19)])
    pipeline = run(tmp_path)
    assert failures(pipeline) == {"Cannot read what the tool saw of applications": ["tool: it is down"]}
    assert usage(tmp_path, JOB) == {}
    assert runs.aspect(tmp_path, PROMPT, "datasetProperties")
    first = window()
    OBSERVED.pop(1)
    NOW[:] = [on(21)]
    run(tmp_path).raise_from_status()
    assert window() == (first[0], 21)
    assert {day for day, _ in usage(tmp_path, JOB)} == {"2026-11-18", "2026-11-19"}


def test_without_the_right_to_traces_prompts_are_written(tmp_path: Path) -> None:
    OBSERVED.append(DeniedError("tool: this key may not read traces"))
    pipeline = run(tmp_path)
    assert failures(pipeline) == {"No right to read traces": ["tool: this key may not read traces"]}
    assert runs.live(tmp_path, PLATFORM) == {"support/answer.v1"}
    run(tmp_path, applications=False).raise_from_status()
    assert len(WINDOWS) == 1


@pytest.mark.parametrize(
    ("missed", "written", "shared", "next_first"),
    [
        # An application: the others are written, and no total over all of them.
        (("support-bot",), {"other"}, set(), 14),
        # A day: the other days are written.
        (("2026-11-18",), {"support-bot", "other"}, {"2026-11-19"}, 17),
        # An application's day.
        (("support-bot", "2026-11-19"), {"support-bot", "other"}, {"2026-11-18"}, 18),
        # What the recipe leaves out is not a failure of it.
        (("ignored",), {"support-bot", "other"}, {"2026-11-18", "2026-11-19"}, 19),
    ],
)
def test_a_part_that_cannot_be_read_is_read_again(
    tmp_path: Path, missed: tuple[str, ...], written: set[str], shared: set[str], next_first: int
) -> None:
    for day in (18, 19):
        for name in ("support-bot", "other"):
            OBSERVED.append(observed(day, application=name))
            OBSERVED.append(observed(day, application=name, model="openai/gpt-5"))
    OBSERVED.insert(1, FailedListing(name=missed, error=UnreadableError("tool: cut off")))
    options = {"first_days": 7, "pattern": {"deny": ["ignored"]}}
    pipeline = run(tmp_path, applications=options)
    told = [] if missed == ("ignored",) else [f"{'.'.join(missed)}: tool: cut off"]
    assert failures(pipeline).get("Usage could not be read", []) == told
    other = JOB.replace("support-bot", "other")
    assert {name for name, urn in (("support-bot", JOB), ("other", other)) if usage(tmp_path, urn)} == written
    assert {day for day, _ in usage(tmp_path, MODEL)} == shared
    OBSERVED.pop(1)
    run(tmp_path, applications=options).raise_from_status()
    assert window()[0] == next_first
    assert {day for day, _ in usage(tmp_path, JOB)} == {"2026-11-18", "2026-11-19"}
    assert {one["calls"] for one in usage(tmp_path, MODEL).values()} == {20}


def test_a_day_that_could_not_be_read_keeps_what_the_catalog_has(tmp_path: Path) -> None:
    OBSERVED.extend([observed(20, calls=9), observed(20, calls=9, prompt=ANSWER)])
    run(tmp_path).raise_from_status()
    OBSERVED[:] = [
        observed(20, calls=4),
        FailedListing(name=("2026-11-20",), error=UnreadableError("tool: cut off")),
        observed(20, calls=4, prompt=ANSWER),
    ]
    run(tmp_path)
    assert usage(tmp_path, JOB)["2026-11-20", TOOL]["calls"] == 9
    assert usage(tmp_path, PROMPT)["2026-11-20", TOOL]["calls"] == 9


def test_only_what_the_recipe_wants(tmp_path: Path) -> None:
    OBSERVED.extend([observed(19), observed(19, application="test-bot")])
    pipeline = run(tmp_path, applications={"pattern": {"deny": ["test-.*"]}})
    pipeline.raise_from_status()
    report: Any = pipeline.source.get_report()
    assert (report.applications_observed, report.days_observed) == (1, 1)
    assert usage(tmp_path, JOB.replace("support-bot", "test-bot")) == {}


def test_a_name_that_fits_no_urn_is_a_failure_of_it_alone(tmp_path: Path) -> None:
    OBSERVED.extend([observed(19), observed(19, application="")])
    pipeline = run(tmp_path)
    assert failures(pipeline) == {"Application without a usable name": ["(none)"]}
    assert usage(tmp_path, JOB)
    # To read it again would not help.
    run(tmp_path)
    assert window() == (19, 20)


def test_sources_of_documents_become_edges_and_no_text(tmp_path: Path) -> None:
    OBSERVED.extend(
        [
            observed(19),
            RetrievedSource(
                application="support-bot",
                field="source",
                value="s3://kb/articles.md",
                chunks=7,
                last=on(19),
            ),
            RetrievedSource(application="support-bot", field="source", value=SECRET, chunks=1),
            RetrievedSource(application="support-bot", field="page", value="s3://kb/pages.md", chunks=1),
        ]
    )
    pipeline = run(tmp_path)
    pipeline.raise_from_status()
    assert edges(tmp_path) == {ARTICLES: {"found_by": "payload,trace", "last_seen": "2026-11-19"}}
    assert runs.aspect(tmp_path, JOB, "llmApplicationInfo")["promptCount"] == 0
    report: Any = pipeline.source.get_report()
    assert report.sources_unmatched == 1
    assert SECRET not in report.as_string()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as db:
        assert SECRET not in "".join(db.iterdump())
    # The table is not a prompt of the application in the next run either.
    OBSERVED[:] = [observed(20)]
    run(tmp_path).raise_from_status()
    assert ARTICLES in edges(tmp_path)
    assert runs.aspect(tmp_path, JOB, "llmApplicationInfo")["promptCount"] == 0


def test_an_edge_that_was_not_seen_for_long_goes_once_all_days_were_read(tmp_path: Path) -> None:
    OBSERVED.extend([observed(1), observed(1, prompt=ANSWER)])
    NOW[:] = [on(2)]
    run(tmp_path).raise_from_status()
    OBSERVED.extend(observed(day) for day in range(2, 31))
    NOW[:] = [on(30)]
    run(tmp_path).raise_from_status()
    assert set(edges(tmp_path)) == {PROMPT}
    december = date(2026, 12, 5)
    OBSERVED.append(Observed(application="support-bot", day=december, calls=1))
    NOW[:] = [on(30).replace(month=12, day=5)]
    OBSERVED.append(FailedListing(name=("2026-12-04",), error=UnreadableError("tool: cut off")))
    run(tmp_path)
    assert set(edges(tmp_path)) == {PROMPT}
    OBSERVED.pop()
    run(tmp_path).raise_from_status()
    assert set(edges(tmp_path)) == set()


def hooks_and_tool(world: World, *, order: str) -> None:
    today = datetime.now(UTC)  # The hooks have no other clock than that of the machine.
    NOW[:] = [today]
    OBSERVED.extend(
        [
            Observed(application="support-bot", day=today.date(), calls=5, cost=0.5),
            Observed(application="support-bot", day=today.date(), calls=5, prompt=ANSWER, cost=0.5),
        ]
    )
    world.ask()
    for one in order:
        if one == "h":
            world.runs()
        else:
            run(world.folder).raise_from_status()


@pytest.mark.parametrize("order", ["ht", "th", "htht", "thth"])
def test_an_application_that_hooks_and_a_tool_saw_is_one_and_counted_once(world: World, order: str) -> None:
    hooks_and_tool(world, order=order)
    with closing(LocalCatalog(world.catalog)) as catalog:
        jobs = [node.urn for node in catalog.search("support-bot", limit=100) if node.type == "dataJob"]
        added = records_to_add(catalog.series(JOB, "llmUsage", 0))
        asked = records_to_add(catalog.series(LOG, "datasetUsageStatistics", 0))
    assert jobs == [JOB]
    assert [one["calls"] for one in added] == [1]
    assert [one["totalSqlQueries"] for one in asked] == [1]
    partitions = {who for _, who in usage(world.folder, LOG, "datasetUsageStatistics")}
    assert (TOOL in partitions) == (order[0] == "t")
    assert edges(world.folder)[PROMPT]["found_by"] == "trace"
    # The hooks do not know this prompt, so what the tool counted of it holds.
    assert [one["calls"] for one in usage(world.folder, PROMPT).values()] == [5]
    info = runs.aspect(world.folder, JOB, "llmApplicationInfo")
    assert (info["framework"], info["applicationVersion"]) == ("langchain", "7")
    assert info["retrieverCount"] == 1
    assert "support/answer.v1" in info["prompts"]


def test_the_edges_of_hooks_stay_when_only_the_tool_goes_on(world: World) -> None:
    """A tool cannot see retrievers: that it did not see one for long says nothing."""
    hooks_and_tool(world, order="ht")
    world.emit(
        *DataJobPatchBuilder(JOB)
        .add_input_dataset(
            EdgeClass(destinationUrn=RETRIEVER, properties={"found_by": "hook", "last_seen": "2026-01-01"})
        )
        .build()
    )
    for _ in range(2):
        NOW[:] = [NOW[0] + timedelta(days=40)]
        OBSERVED.append(Observed(application="support-bot", day=NOW[0].date(), calls=1))
        run(world.folder).raise_from_status()
    found = edges(world.folder)
    assert found[RETRIEVER] == {"found_by": "hook", "last_seen": "2026-01-01"}
    assert PROMPT not in found


def test_hooks_join_an_application_that_a_tool_has_drawn(world: World) -> None:
    OBSERVED.append(observed(19))
    run(world.folder, applications={"platform": "llama-index"}).raise_from_status()
    world.ask()
    world.runs()
    with closing(LocalCatalog(world.catalog)) as catalog:
        jobs = [node.urn for node in catalog.search("support-bot", limit=100) if node.type == "dataJob"]
    assert jobs == [JOB.replace("langchain", "llama-index")]
    assert {who for _, who in usage(world.folder, jobs[0])} >= {TOOL, f"host={socket.gethostname()}"}


def test_a_catalog_that_fails_moves_no_watermark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, applications=False).raise_from_status()
    OBSERVED.append(observed(18))

    def fail(*_: object) -> None:
        raise CatalogError("catalog: it is gone")

    with monkeypatch.context() as broken:
        broken.setattr(LocalCatalog, "series", fail)
        pipeline = run(tmp_path)
    assert failures(pipeline) == {"Cannot read the catalog": ["catalog: it is gone"]}
    first = window()
    NOW[:] = [on(21)]
    run(tmp_path).raise_from_status()
    assert window() == (first[0], 21)
    assert {day for day, _ in usage(tmp_path, JOB)} == {"2026-11-18"}


def test_days_that_were_not_asked_for_and_rows_without_calls_are_left_out(tmp_path: Path) -> None:
    OBSERVED.extend([observed(18), observed(20), observed(19, calls=0), observed(21)])
    run(tmp_path, applications={"first_days": 2}).raise_from_status()
    assert {day for day, _ in usage(tmp_path, JOB)} == {"2026-11-20"}


def test_an_application_of_another_framework_is_joined(tmp_path: Path) -> None:
    OBSERVED.append(observed(19))
    run(tmp_path, applications={"platform": "llama-index"}).raise_from_status()
    OBSERVED.append(observed(20))
    run(tmp_path).raise_from_status()
    llama = JOB.replace("langchain", "llama-index")
    assert {day for day, _ in usage(tmp_path, llama)} == {"2026-11-19", "2026-11-20"}
    assert usage(tmp_path, JOB) == {}
    run(tmp_path, applications={"platform": "langchain"}).raise_from_status()
    pipeline = run(tmp_path)
    [told] = failures(pipeline)["Usage could not be read"]
    assert told.startswith("support-bot: it is drawn on langchain and llama-index. Choose one")
