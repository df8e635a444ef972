"""What a registry's source finds of the use of its prompts: orphans, copies, templates without a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    DataFlowInfoClass,
    DataJobInfoClass,
    DataJobInputOutputClass,
    DatasetUsageStatisticsClass,
    EdgeClass,
    StatusClass,
    SubTypesClass,
)

from datahub_llmops import urns
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.errors import UnreadableError
from datahub_llmops.mapping.proposals import propose
from datahub_llmops.testing import runs
from support.scripted_prompts import (
    MARKS,
    PLATFORM,
    READ,
    REGISTRY,
    SOURCE,
    clear,
    fill,
    prompt,
    text,
    version,
)
from support.scripted_tool import OBSERVED, observed, reset
from support.scripted_tool import SOURCE as TOOL
from support.writing import write

Run = Callable[..., Pipeline]

TODAY = datetime.now(UTC)
BOT = urns.job(urns.flow("langchain", "bot", env="PROD"), "bot")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    clear()
    yield lambda **options: runs.run(tmp_path, SOURCE, options)
    clear()


def urn(name: str, number: str = "1") -> str:
    return urns.prompt_version(PLATFORM, name, number, env="PROD")


def day(ago: int) -> str:
    return (TODAY - timedelta(days=ago)).date().isoformat()


def application(uses: dict[str, str], name: str = "bot") -> Iterable[MetadataChangeProposalWrapper]:
    """An application as ``llm-runs`` writes it: the datasets that it reads, and the day that each was seen last."""
    flow = urns.flow("langchain", name, env="PROD")
    job = urns.job(flow, name)
    yield propose(flow, DataFlowInfoClass(name=name))
    yield propose(job, DataJobInfoClass(name=name, type="APPLICATION", flowUrn=flow))
    yield propose(job, SubTypesClass(typeNames=["LLM Application"]))
    edges = [
        EdgeClass(destinationUrn=used, properties={"found_by": "hook", "last_seen": last})
        for used, last in uses.items()
    ]
    yield propose(job, DataJobInputOutputClass(inputDatasets=[], outputDatasets=[], inputDatasetEdges=edges))


def see(folder: Path, uses: dict[str, str], name: str = "bot") -> None:
    write(folder / "catalog.db", application(uses, name))


def finding(folder: Path, asset: str) -> list[Any]:
    found = runs.aspect(folder, asset, "structuredProperties").get("properties", [])
    return [
        value["string"]
        for item in found
        if item["propertyUrn"].endswith("prompt_finding")
        for value in item["values"]
    ]


def live_version(name: str) -> Any:
    return prompt(name, version("1", f"text of {name}", labels=("production",)))


def test_31_prompts_of_which_22_are_unused_are_22_orphans_once_use_is_observed(
    run: Run, tmp_path: Path
) -> None:
    names = [f"prompt-{number}" for number in range(31)]
    fill(*(live_version(name) for name in names), prompt("draft"))
    MARKS.update(dict.fromkeys(names, "1"))
    first = run()
    first.raise_from_status()
    assert [finding(tmp_path, urn(name)) for name in names] == [["not known"]] * 31
    assert finding(tmp_path, urn("draft")) == []
    see(tmp_path, {urn(name): day(3) for name in names[:9]})
    second = run()
    second.raise_from_status()
    assert [finding(tmp_path, urn(name)) for name in names] == [[]] * 9 + [["orphan"]] * 22
    assert runs.report(second).findings == 22
    again: Any = run().sink.get_report()
    assert (again.changed, again.removed) == (0, 0)


def test_use_long_ago_counts_by_its_time_series_where_its_edge_is_gone(run: Run, tmp_path: Path) -> None:
    fill(live_version("a"), live_version("b"), live_version("c"))
    run().raise_from_status()
    write(
        tmp_path / "catalog.db",
        [
            *application({urn("a"): day(1)}),
            *(
                propose(
                    urn(name),
                    DatasetUsageStatisticsClass(
                        timestampMillis=int((TODAY - timedelta(days=ago)).timestamp() * 1000),
                        totalSqlQueries=7,
                    ),
                )
                for name, ago in (("b", 60), ("c", 100))
            ),
        ],
    )
    run().raise_from_status()
    assert [finding(tmp_path, urn(name)) for name in "abc"] == [[], [], ["orphan"]]


def test_an_application_that_runs_the_version_before_is_behind(run: Run, tmp_path: Path) -> None:
    fill(prompt("a", version("1", labels=("production",)), version("2")))
    run().raise_from_status()
    fill(prompt("a", version("1"), version("2", labels=("production",))))
    run().raise_from_status()
    # Tomorrow, since a use on the day of the move may have been before it.
    see(tmp_path, {urn("a", "1"): day(-1)})
    run().raise_from_status()
    assert finding(tmp_path, urn("a", "1")) == ["behind"]
    assert finding(tmp_path, urn("a", "2")) == []
    see(tmp_path, {urn("a", "1"): day(-1), urn("a", "2"): day(0)})
    run().raise_from_status()
    assert finding(tmp_path, urn("a", "1")) == ["behind"]
    see(tmp_path, {urn("a", "1"): day(-1), urn("a", "2"): day(-1)})
    run().raise_from_status()
    assert finding(tmp_path, urn("a", "1")) == []


def test_what_a_used_prompt_includes_is_used(run: Run, tmp_path: Path) -> None:
    tone, base, answer = (PromptRef(name=name, version="1") for name in ("tone", "base", "answer"))
    fill(
        prompt("answer", version("1", labels=("production",), derived_from=(tone,))),
        prompt("tone", version("1", "tone", labels=("production",), derived_from=(base, answer))),
        prompt("base", version("1", "base", labels=("production",))),
        live_version("alone"),
    )
    run().raise_from_status()
    see(tmp_path, {urn("answer"): day(1)})
    run().raise_from_status()
    assert [finding(tmp_path, urn(name)) for name in ("answer", "tone", "base")] == [[], [], []]
    assert finding(tmp_path, urn("alone")) == ["orphan"]


def unnamed(words: str, application_name: str = "bot") -> str:
    digest = text(words).digest.rpartition(":")[2]
    return urns.prompt("langchain", application_name, digest, env="PROD")


def describe(folder: Path, asset: str) -> None:
    write(
        folder / "catalog.db",
        [propose(asset, SubTypesClass(typeNames=["Prompt"])), propose(asset, StatusClass(removed=False))],
    )


def test_a_copy_in_code_is_linked_to_the_newest_version_with_its_template(run: Run, tmp_path: Path) -> None:
    same = text("Answer {{question}}.")
    fill(
        prompt("a", version("1", template=same), version("2", template=same), version("3")),
        prompt("b", version("7", template=same, labels=("production",))),
        live_version("c"),
    )
    run().raise_from_status()
    copied = unnamed("Answer {{question}}.")
    describe(tmp_path, copied)
    see(tmp_path, {copied: day(2)})
    run().raise_from_status()
    edges = runs.aspect(tmp_path, copied, "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in edges} == {urn("a", "2"), urn("b", "7")}
    assert all(edge["type"] == "COPY" for edge in edges)
    assert all(edge["properties"] == {"found_by": "digest", "last_seen": day(2)} for edge in edges)
    # It is in use, by a copy.
    assert finding(tmp_path, urn("b", "7")) == []
    assert finding(tmp_path, urn("c")) == ["orphan"]
    assert finding(tmp_path, copied) == []
    again: Any = run().sink.get_report()
    assert (again.changed, again.removed) == (0, 0)
    fill(prompt("a", version("1", template=same), version("3")))
    run().raise_from_status()
    edges = runs.aspect(tmp_path, copied, "upstreamLineage")["upstreams"]
    assert {edge["dataset"] for edge in edges} == {urn("a", "1"), urn("b", "7")}


def test_a_template_that_no_registry_has_is_unregistered_until_one_has_it(run: Run, tmp_path: Path) -> None:
    fill(live_version("a"))
    run().raise_from_status()
    own, old = unnamed("Written in code."), unnamed("Long ago.")
    for asset in (own, old):
        describe(tmp_path, asset)
    see(tmp_path, {own: day(2), old: day(200)})
    run().raise_from_status()
    assert finding(tmp_path, own) == ["unregistered"]
    assert finding(tmp_path, old) == []
    fill(prompt("b", version("1", template=text("Written in code."))))
    run().raise_from_status()
    assert finding(tmp_path, own) == []


def test_a_run_that_failed_calls_nothing_unregistered(run: Run, tmp_path: Path) -> None:
    fill(live_version("a"))
    run().raise_from_status()
    own = unnamed("Written in code.")
    describe(tmp_path, own)
    see(tmp_path, {own: day(2)})
    REGISTRY["b"] = UnreadableError("time-out")
    run()
    assert finding(tmp_path, own) == []


def test_a_version_that_the_tool_saw_in_use_is_still_an_asset_of_the_recipe(tmp_path: Path) -> None:
    clear()
    reset()
    fill(prompt("a", version("1"), version("2")), prompt("b"), prompt("c"))
    MARKS.update(a="1", b="1", c="1")
    used = PromptRef(name="a", version="1")
    OBSERVED.append(observed(19, prompt=used))
    runs.run(tmp_path, TOOL, {}).raise_from_status()
    assert runs.aspect(tmp_path, urn("a"), "status") == {"removed": False}
    READ.clear()
    runs.run(tmp_path, TOOL, {}).raise_from_status()
    assert READ == []
    # It is gone, and in use: it stays until it is not seen any more.
    fill(prompt("a", version("2")))
    MARKS["a"] = "2"
    for _ in range(2):
        runs.run(tmp_path, TOOL, {}).raise_from_status()
        assert runs.aspect(tmp_path, urn("a"), "status") == {"removed": False}
    OBSERVED.clear()
    runs.run(tmp_path, TOOL, {}).raise_from_status()
    assert runs.aspect(tmp_path, urn("a"), "status") == {"removed": True}
    clear()
    reset()
