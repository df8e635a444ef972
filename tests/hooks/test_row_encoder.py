"""Whatever the hooks saw, what is read from the store is that, within the bounds, and always JSON."""

from __future__ import annotations

import json
import math
import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import dump_answer, dump_writes, load_answer, load_writes
from datahub_llmops.answer_store.keys import AnswerKey, RetrievalKey, WritesKey
from datahub_llmops.answer_store.queries import AnswerRow
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.hooks import chunk_sources
from datahub_llmops.hooks.identity_text import MAX_ID
from datahub_llmops.hooks.parts import Answer, ModelCall, Part, Prompt, Retrieval, ToolCall
from datahub_llmops.hooks.row_encoder import MAX_CHUNKS, Encoder
from datahub_llmops.hooks.settings import Settings
from datahub_llmops.hooks.write_events import Operation, WriteEvent

KEY = b"k" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = TEXTS.filter(bool)
SCORES = st.none() | st.floats() | st.integers(-(2**40), 2**40) | st.booleans()
PICKED = st.dictionaries(
    st.sampled_from(["source", "url", "page", "row", "dh_source_key", "dh_embed_run", "dh_source_urn"]),
    TEXTS | st.integers(-(2**70), 2**70),
)
TOKENS = ("in", "out", "cr", "cw", "rs")
USAGE = st.none() | st.fixed_dictionaries({}, optional={key: st.integers(0, 10**9) for key in TOKENS}).map(
    lambda usage: {key: usage[key] for key in TOKENS if key in usage}
)


def written(parts: list[Part], answer: Answer, encoder: Encoder | None = None) -> RecordedAnswer:
    """The answer with these parts, through a store of its own."""
    answer.parts = parts
    answer.ended = answer.started + 1.0
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(str(Path(folder) / "answers.db"))
        with store.transaction():
            (encoder or Encoder(KEY)).write_answer(store, answer, Settings("a", source_keys="clear"))
        row = store.answer(answer.id)
        assert row is not None
        found = load_answer(row, Identities(store))
        assert_as_dumped(
            row, dump_answer(found, store.intern, query_digest=row.body.get(AnswerKey.QUERY_DIGEST))
        )
        store.close()
    return found


def assert_as_dumped(row: AnswerRow, dumped: AnswerRow) -> None:
    """The fast encoder and ``dump_answer`` write the same, down to the order of keys."""
    for one in row.body.get(AnswerKey.RETRIEVALS, ()):
        for chunk in one.get(RetrievalKey.CHUNKS, ()):
            while len(chunk) > 1 and chunk[-1] is None:
                chunk.pop()  # The encoder writes a null for each of a chunk's own facts once it has one of them.
    assert dumped._replace(seq=row.seq) == row
    assert json.dumps(dumped.body) == json.dumps(row.body)


def begun(**facts: Any) -> Answer:
    """An answer that is being made."""
    answer = Answer("a", facts.pop("version", None), framework="langchain", explicit=False, weight=1.0)
    for name, value in facts.items():
        setattr(answer, name, value)
    return answer


def ended(part: Any, **facts: Any) -> Any:
    """A part that has ended after a tenth of a second."""
    part.ended = part.started + 0.1
    for name, value in facts.items():
        setattr(part, name, value)
    return part


def close(score: object) -> float | None:
    """What is kept of a score."""
    value = float(score) if isinstance(score, (int, float)) else math.nan
    return round(value, 6) if math.isfinite(value) else None


@example([("c", math.nan, None, {}), ("c", -math.inf, None, {"page": 1})])
@given(st.lists(st.tuples(TEXTS | st.none() | st.integers(), SCORES, TEXTS | st.none(), PICKED), max_size=5))
def test_chunks(chunks: list[tuple[Any, Any, Any, dict[str, Any]]]) -> None:
    flat: list[object] = []
    for one in chunks:
        chunk_sources.append_chunk(flat, *one)
    answer = begun()
    [retrieval] = written([ended(Retrieval(answer, 1), chunks=flat)], answer).retrievals
    assert len(retrieval.chunks) == len(chunks)
    for (identity, score, text, picked), found in zip(chunks, retrieval.chunks, strict=True):
        if isinstance(identity, int) or identity:
            assert found.id == str(identity)[:MAX_ID]
        else:
            assert (found.id is None) == (text is None)
        assert found.score == close(score)
        run = picked.get("dh_embed_run")
        assert found.run == (None if run is None else str(run))
        assert found.place == {
            key: picked[key] for key in ("page", "row") if isinstance(picked.get(key), int)
        }
        said = picked.get("dh_source_key")
        assert found.key == (None if said is None else str(said))
        places = [picked[key] for key in ("source", "url") if isinstance(picked.get(key), str)]
        assert (found.source or {}).get("value") == next(filter(None, places), None) or "urn" in (
            found.source or {}
        )


@given(NAMES, TEXTS, NAMES, USAGE, TEXTS)
def test_models_tools_and_the_answer_itself(
    name: str, error: str, root: str, usage: dict[str, int] | None, version: str
) -> None:
    answer = begun(root=root, error=error or None, version=version or None, query=name, cut=len(version))
    prompt = ended(Prompt(answer, 2, None, name, root))
    model = ModelCall(answer, 3)
    composite = ended(Retrieval(answer, 6), composite=True, retriever={"class": name})
    parts: list[Part] = [
        composite,
        Retrieval(answer, 7),
        ended(
            Retrieval(answer, 8),
            within=composite,
            index={"collection": name},
            embedding={"model": root},
            status="interrupted",
        ),
        prompt,
        ended(
            model,
            asked=name,
            served=root,
            provider=version,
            usage=usage,
            prompt=prompt,
            error=error,
            status="error",
        ),
        ended(ToolCall(answer, 4, name)),
        ToolCall(answer, 5, root),
    ]
    found = written(parts, answer)
    assert (found.root, found.error, found.version) == (root, error or None, version or None)
    assert [(one.composite, one.within, one.status) for one in found.retrievals] == [
        (True, None, "ok"),
        (False, None, "open"),
        (False, 0, "interrupted"),
    ]
    [call] = found.models
    assert (call.asked or {})["name"] == name
    assert (call.served or call.asked or {})["name"] == root
    assert (call.error, call.status, call.prompt) == (error or None, "error", 0)
    assert (call.tokens_in, call.tokens_out) == ((usage or {}).get("in"), (usage or {}).get("out"))
    assert [(one.name, one.milliseconds, one.status) for one in found.tools] == [
        (name, 100, "ok"),
        (root, None, "open"),
    ]


def test_halves_of_surrogate_pairs_are_read_as_a_replacement_in_names_and_stay_in_texts() -> None:
    flat: list[object] = []
    chunk_sources.append_chunk(flat, "\ud800", None, None, {"source": "s3://kb/\ud800.md"})
    answer = begun(version="\udc00", text="\ud800")
    retrieval = ended(Retrieval(answer, 1), chunks=flat, index={"collection": "\ud800"})
    answer.parts, answer.ended = [retrieval], answer.started
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(str(Path(folder) / "answers.db"))
        with store.transaction():
            Encoder(KEY).write_answer(store, answer, Settings("a", source_keys="clear", capture_text=True))
        [row] = store.answers()
        found = load_answer(row, Identities(store))
        store.close()
    [chunk] = found.retrievals[0].chunks
    assert (found.version, found.answer_text, chunk.id) == ("\ufffd", "\ud800", "\ud800")
    assert found.retrievals[0].index == {"collection": "\ufffd"}
    assert (chunk.source or {})["value"] == "s3://kb/\ufffd.md"


class Evil:
    """What a number may turn out to be."""

    def __float__(self) -> float:
        raise KeyboardInterrupt


def test_scores_that_are_no_numbers_and_numbers_that_are_too_large() -> None:
    flat: list[object] = []
    for score in (Evil(), 10**400, Decimal("sNaN"), Decimal("0.5"), Fraction(1, 4), "0.5"):
        chunk_sources.append_chunk(flat, "c", score, None, None)
    answer = begun()
    [retrieval] = written([ended(Retrieval(answer, 1), chunks=flat)], answer).retrievals
    assert [chunk.score for chunk in retrieval.chunks] == [None, None, None, 0.5, 0.25, None]


def test_chunks_beyond_the_bound_are_counted() -> None:
    flat: list[object] = []
    for number in range(MAX_CHUNKS + 5):
        chunk_sources.append_chunk(flat, f"c{number}", None, None, {"source": f"{number}.pdf"})
    answer = begun()
    [retrieval] = written([ended(Retrieval(answer, 1), chunks=flat)], answer).retrievals
    assert (len(retrieval.chunks), retrieval.chunks_cut) == (MAX_CHUNKS, 5)
    assert retrieval.chunks[-1].id == f"c{MAX_CHUNKS - 1}"


def test_numbers_are_of_the_store_that_is_written() -> None:
    """Of another store, or one whose transaction was undone, the encoder remembers nothing."""
    encoder = Encoder(KEY)
    for index in ("first", "second"):
        answer = begun()
        retrieval = ended(Retrieval(answer, 1), index={"platform": "chroma", "collection": index})
        assert written([retrieval], answer, encoder).retrievals[0].index == retrieval.index


def test_a_transaction_that_was_undone(tmp_path: Path) -> None:
    encoder, store = Encoder(KEY), Store.open(str(tmp_path / "a.db"))
    index = {"platform": "chroma", "collection": "docs"}
    answer = begun()
    answer.parts = [ended(Retrieval(answer, 1), index=index)]
    try:
        with store.transaction():
            encoder.write_answer(store, answer, Settings("a"))
            raise KeyError("full")
    except KeyError:
        pass
    with store.transaction():
        store.intern("tool", {"name": "takes the number that the index had"})
        encoder.write_answer(store, answer, Settings("a"))
    row = store.answer(answer.id)
    assert row is not None
    assert load_answer(row, Identities(store)).retrievals[0].index == index


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "update", "delete", "count"]), NAMES | st.none(), PICKED),
        max_size=4,
    )
)
def test_writes(events: list[tuple[Operation, str | None, dict[str, Any]]]) -> None:
    encoder = Encoder(KEY)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(str(Path(folder) / "answers.db"))
        with store.transaction():
            for operation, error, picked in events:
                event = WriteEvent(operation, "langchain", {"platform": "chroma", "collection": "docs"}, 1.0)
                event.application, event.error, event.run = "a", error, "the run"
                event.ids, event.count, event.sources = ["c"], 1, [picked]
                event.embedding, event.facts = {"model": "e"}, {WritesKey.JOB: "j", WritesKey.STEPS: ["s"]}
                encoder.write_event(store, event, Settings("a", source_keys="clear"))
        for row in store.writes():
            dumped = dump_writes(load_writes(row, Identities(store)), store.intern)
            assert (row.body.pop(WritesKey.SOURCES, None) or None) == dumped.body.pop(WritesKey.SOURCES, None)
            assert dumped._replace(seq=row.seq) == row
        store.close()
