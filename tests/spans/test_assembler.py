"""Traces of one shape are filled in: with the same result as if each were read by itself."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.spans import assembler as module
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.assemble import AssembleOptions, assemble
from datahub_llmops.spans.assembler import Assembler, Plan
from datahub_llmops.spans.attributes import Selection, varies
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.rows import Row, as_spans
from datahub_llmops.spans.span import Span
from support.paths import WIRE

OPTIONS: Final = AssembleOptions()
RECORDED: Final = sorted(
    path.relative_to(WIRE / "spans").as_posix() for path in (WIRE / "spans").glob("*/*.otlp.pb.gz")
)


@functools.cache
def traces(name: str) -> list[list[Span]]:
    """The traces of a recording, as the door to files yields them."""
    rows: list[Row] = []
    reader = ObjectReader(Selection(), ReadCounts(), rows.extend, lambda answer: None)
    with Path(WIRE, "spans", name).open("rb") as file:
        reader.read(file)
    by_trace: dict[str, list[Span]] = {}
    for span in as_spans(rows, reader.classes):
        by_trace.setdefault(span.trace, []).append(span)
    return list(by_trace.values())


def another(spans: Sequence[Span], random: random.Random) -> list[Span]:
    """A trace of the same shape, or nearly: with other ids, times, counts and documents, and of another process."""
    salt = random.getrandbits(64)
    later = random.uniform(0, 1_000)
    scale = random.choice([1.0, 1.0, 0.5, 3.0])
    first = min(span.started for span in spans)
    others: dict[int, dict[str, Any]] = {}
    made = []
    for span in spans:
        resource: Any = span.resource
        if random.random() < 0.9:
            resource = others.setdefault(
                id(resource), {**resource, "service.version": str(salt), "host.name": f"pod-{salt}"}
            )
        started = first + later + (span.started - first) * scale
        if random.random() < 0.02:
            started += random.uniform(-0.01, 0.01)
        made.append(
            span._replace(
                id=_salted(span.id, salt),
                parent=_salted(span.parent, salt) if span.parent else "",
                started=started,
                ended=started + (span.ended - span.started) * random.choice([0.5, 1.0, 2.0]),
                attributes={
                    name: _vary(value, random) if varies(name) else value
                    for name, value in span.attributes.items()
                },
                resource=resource,
            )
        )
    random.shuffle(made)
    if random.random() < 0.05:
        made.append(random.choice(made))
    return made


def _salted(identity: str, salt: int) -> str:
    return f"{int(identity, 16) ^ salt:016x}" if len(identity) == 16 else f"{salt % 97}-{identity}"


def _vary(value: Any, random: random.Random) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value + random.randint(0, 100)
    if isinstance(value, dict):
        return {name: _vary(one, random) for name, one in value.items()}
    if isinstance(value, list):
        return [_vary(one, random) for one in value]
    return f"{value[:-1]}{random.randint(0, 9)}" if isinstance(value, str) and "/" in value else value


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_traces_that_come_again_are_what_they_are_by_themselves(name: str) -> None:
    chosen = random.Random(name)
    assembler = Assembler(OPTIONS)
    for spans in traces(name):
        for _ in range(6):
            given = another(spans, chosen)
            assert assembler(given) == assemble(given, OPTIONS)
    # The hooks stamp the id of an answer, so what is below it has no plan.
    assert "stamped" in name or any(isinstance(plan, Plan) for plan in assembler.plans.values())


@given(st.sampled_from(RECORDED), st.randoms(use_true_random=False))
def test_traces_of_one_shape_are_filled_in_without_being_read(name: str, random: random.Random) -> None:
    spans = random.choice(traces(name))
    given = another(spans, random)
    assembler = Assembler(OPTIONS)
    expected = assemble(given, OPTIONS)
    for _ in range(3):
        assert assembler(given) == expected
    (plan,) = assembler.plans.values() or [False]
    if isinstance(plan, Plan):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(module, "read", None)
            patched.setattr(module, "assemble", None)
            assert assembler(given) == expected


def test_spans_that_begin_at_one_time_have_no_shape() -> None:
    spans = [span._replace(started=1.0) for span in max(traces(RECORDED[0]), key=len)]
    assembler = Assembler(OPTIONS)
    assert assembler(spans) == assemble(spans, OPTIONS)
    assert not assembler.plans


def test_a_span_without_a_class_has_no_shape() -> None:
    spans = [span._replace(of_class=0) for span in traces(RECORDED[0])[0]]
    assembler = Assembler(OPTIONS)
    assert assembler(spans) == assemble(spans, OPTIONS)
    assert not assembler.plans


def test_shapes_are_forgotten_once_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SHAPES", 2)
    assembler = Assembler(OPTIONS)
    for spans in traces("openinference-langchain/features.otlp.pb.gz"):
        assert assembler(spans) == assemble(spans, OPTIONS)
        assert len(assembler.plans) <= 2


def test_an_application_is_told_by_its_process() -> None:
    assembler = Assembler(OPTIONS)
    spans = traces("openinference-langchain/chroma.otlp.pb.gz")[0]
    for service in ("one", "two", "one", "two", "one", "two"):
        renamed = [span._replace(resource={names.SERVICE[0]: service}) for span in spans]
        assert {answer.application for answer in assembler(renamed).answers} == {service}


def filled(known: Sequence[Span], given: Sequence[Span]) -> None:
    """Check that ``given`` is what it is by itself, after a plan was made of ``known``."""
    assembler = Assembler(OPTIONS)
    for _ in range(3):
        assembler(known)
    assert assembler(given) == assemble(given, OPTIONS)
    assert any(isinstance(plan, Plan) for plan in assembler.plans.values())


def test_a_parent_that_is_missing_is_another_shape() -> None:
    spans = max(traces("openinference-langchain/chroma.otlp.pb.gz"), key=len)
    filled(spans, [span._replace(parent=span.parent or "f" * 16) for span in spans])


def test_the_index_that_documents_name_is_that_of_each_trace() -> None:
    spans = max(traces("openinference-langchain/qdrant.otlp.pb.gz"), key=len)
    assert "_collection_name" in repr(spans)

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: "other" if key == "_collection_name" else renamed(one) for key, one in value.items()}

    others = [
        span._replace(attributes={key: renamed(one) for key, one in span.attributes.items()})
        for span in spans
    ]
    assert "other" in repr(assemble(others, OPTIONS).answers)
    filled(spans, others)


def test_the_version_that_a_span_names_holds_where_its_process_has_none() -> None:
    spans = [
        span._replace(
            resource={"service.name": "bot"}, attributes={**span.attributes, "langfuse.release": "7"}
        )
        for span in max(traces("openinference-langchain/chroma.otlp.pb.gz"), key=len)
    ]
    filled(spans, [span._replace(resource=dict(span.resource)) for span in spans])
    filled(spans, [span._replace(resource={**span.resource, "service.version": "8"}) for span in spans])
