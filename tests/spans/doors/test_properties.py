"""Random trees of spans in random objects, orders, formats and compressions give the totals of a plain model."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from spans.doors.making import DAY, TODAY, Made, as_line, as_message, in_base64, prefixed, run

SERVICES = ("bot", "search")


@st.composite
def traces(draw: st.DrawFn) -> list[Made]:
    """Spans of some traces. Each begins anywhere in three days, and takes less than an hour."""
    spans: list[Made] = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        begin = TODAY - DAY + draw(st.integers(0, 2 * DAY - 3_700))
        own: list[Made] = []
        for place in range(draw(st.integers(1, 7))):
            parent = own[draw(st.integers(0, place - 1))] if place else None
            kind = draw(st.sampled_from(["LLM", "CHAIN"]))
            tokens = draw(st.integers(0, 300))
            attributes: dict[str, Any] = {"openinference.span.kind": kind, "input.value": "text"}
            if kind == "LLM":
                attributes |= {"llm.model_name": "gpt-4o", "llm.token_count.prompt": tokens}
            own.append(
                Made(
                    trace=f"{number:032x}",
                    id=f"{number * 100 + place:016x}",
                    parent=parent.id if parent else "",
                    name=kind,
                    started=float(begin + draw(st.integers(0, 1_700)) + (1_700 if parent else 0)),
                    attributes=attributes,
                    service=parent.service if parent else draw(st.sampled_from(SERVICES)),
                )
            )
        spans += own
    return spans


def model(spans: list[Made]) -> dict[tuple[int, str], tuple[int, int]]:
    """Return answers and tokens by day and service: each trace is one answer, and only the innermost calls count."""
    children = {one.parent for one in spans}
    by_id = {one.id: one for one in spans}
    around = set()
    for one in spans:
        if one.name == "LLM":
            above = by_id.get(one.parent)
            while above is not None:
                if above.name == "LLM":
                    around.add(above.id)
                above = by_id.get(above.parent)
    totals: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    assert children
    roots = {one.trace: one for one in spans if not one.parent}
    called = {one.trace for one in spans if one.name == "LLM"}
    for trace, root in roots.items():
        if trace not in called:
            continue
        total = totals[int(root.started) // DAY * DAY, root.service]
        total[0] += 1
        total[1] += sum(
            one.attributes.get("llm.token_count.prompt", 0)
            for one in spans
            if one.trace == trace and one.name == "LLM" and one.id not in around
        )
    return {key: (one[0], one[1]) for key, one in totals.items()}


FORMS: dict[str, Callable[[list[Made]], bytes]] = {
    "lines": lambda spans: b"".join(as_line([one]) for one in spans),
    "base64": lambda spans: as_line(spans, ids=in_base64),
    "messages": lambda spans: prefixed([as_message([one]) for one in spans]),
    "frames": lambda spans: prefixed([zstandard.compress(as_message(spans))]),
    "whole": as_message,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@settings(deadline=None)
@given(data=st.data(), spans=traces())
def test_totals_are_those_of_a_plain_model(data: st.DataObject, spans: list[Made]) -> None:
    shuffled = data.draw(st.permutations(spans))
    repeated = shuffled + data.draw(st.lists(st.sampled_from(spans), max_size=4))
    folder = Path(tempfile.mkdtemp())
    try:
        objects: list[tuple[str, bytes]] = []
        left = repeated
        while left:
            count = data.draw(st.integers(1, len(left)))
            form, packed = (
                data.draw(st.sampled_from(sorted(FORMS))),
                data.draw(st.sampled_from(sorted(PACKED))),
            )
            objects.append((f"{len(objects)}.{form}.{packed}", PACKED[packed](FORMS[form](left[:count]))))
            left = left[count:]
        objects += [
            (f"copy-{name}", content) for name, content in data.draw(st.lists(st.sampled_from(objects)))
        ]
        runs = data.draw(st.integers(1, 3))
        position: dict[str, Any] = {}
        totals: dict[tuple[int, str], tuple[int, int]] = {}
        for turn in range(runs):
            for name, content in objects[turn::runs]:
                (folder / name).write_bytes(content)
            found = run(folder, position=position)
            assert not found.problems
            position = json.loads(json.dumps(found.position))
            # Whole days are replaced, never added to.
            totals = {key: one for key, one in totals.items() if key[0] not in found.days}
            counted: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
            for answer in found.counted.answers:
                total = counted[int(answer.started) // DAY * DAY, answer.application]
                total[0] += 1
                total[1] += sum(call.tokens_in or 0 for call in answer.models)
            totals |= {key: (one[0], one[1]) for key, one in counted.items()}
        assert totals == model(spans)
    finally:
        shutil.rmtree(folder)
