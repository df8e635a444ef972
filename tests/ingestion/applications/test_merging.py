"""Roll-ups of several witnesses are put together, and indexes that became known at the end take their places."""

from __future__ import annotations

from datahub_llmops.assets.usage import Tokens, Totals
from datahub_llmops.ingestion.applications.merging import merge, note_witness, settle_indexes
from datahub_llmops.ingestion.applications.rollup import Application, Newest, Rollup, Served


def total(calls: int = 1, *, chunks: tuple[str, ...] = (), cost: float | None = 0.5) -> Totals:
    found = Totals()
    for _ in range(calls):
        found.add(weight=1.0, started=10.0, ended=12.0)
        found.add_end(weight=1.0, milliseconds=50, failed=False)
        found.add_tokens(weight=1.0, tokens=Tokens(input=3), cost=cost)
        if chunks:
            found.add_chunks(chunks)
    return found


def rollup(who: str, last: float) -> Rollup:
    application = Application(
        name="bot",
        framework="langchain",
        platform="langchain",
        job="job",
        log="log",
        retrievers={"retriever": last},
        indexes_of={"retriever": {f"index of {who}": last}},
        prompts={"prompt": last},
        unnamed_prompts={"unnamed": (1.0, last)},
        models={"model": last},
        facts={"retriever": Newest(when=last, raw={"by": who})},
        itself=Newest(when=last, raw={"version": who}),
        first=last,
        last=last,
    )
    return Rollup(
        applications={"bot": application},
        usage={("index", 0, who): total()},
        whole={("bot", 0, who): total()},
        versions={("bot", "1", 0, who): total()},
        models={("model", 0, who): total()},
        query_models={"index": {("embedding", who): last}},
        served={("bot", "model"): {0: {Served(model=who, fingerprint=None)}}},
        unresolved={"unknown": 1},
        unnamed=1,
        answers=1,
    )


def test_two_witnesses_are_merged_and_every_edge_says_who_saw_it() -> None:
    hooks, spans = rollup("host=a", 5.0), rollup("source=spans", 9.0)
    note_witness(hooks, "hook")
    note_witness(spans, "trace")
    merge(hooks, spans)
    application = hooks.applications["bot"]
    assert {who for _, _, who in hooks.usage} == {"host=a", "source=spans"}
    assert application.indexes_of == {"retriever": {"index of host=a": 5.0, "index of source=spans": 9.0}}
    assert application.ways == {"job": {urn: {"hook", "trace"} for urn in ("retriever", "prompt", "unnamed")}}
    assert application.unnamed_prompts == {"unnamed": (2.0, 9.0)}
    assert application.facts["retriever"].raw == {"by": "source=spans"}
    assert (application.first, application.last) == (5.0, 9.0)
    assert application.itself is not None
    assert application.itself.raw == {"version": "source=spans"}
    assert len(hooks.served["bot", "model"][0]) == 2
    assert (hooks.answers, hooks.unnamed, hooks.unresolved) == (2, 2, {"unknown": 2})


def test_what_is_not_known_of_one_sum_is_not_known_of_both() -> None:
    known, unknown = total(2), total(3, cost=None)
    known.merge(unknown)
    assert (known.calls, known.errors, known.milliseconds, known.cost) == (5, 0, 250, None)
    assert known.tokens == {"input": 15.0}
    assert known.histogram == [(80, 5)]


def test_chunks_of_two_sums_are_counted_once_while_they_are_known() -> None:
    one, other = total(chunks=("a", "b")), total(chunks=("b", "c"))
    one.merge(other)
    assert one.distinct_chunks == 3
    other.close()
    fresh = Totals()
    fresh.merge(other)
    assert fresh.distinct_chunks == 2


def test_chunks_of_sums_that_keep_their_number_only_cannot_be_added() -> None:
    one, other = total(chunks=("a", "b")), total(chunks=("b", "c"))
    other.close()
    one.merge(other)
    assert one.distinct_chunks is None


def test_an_index_that_became_known_takes_its_place_and_another_one_leaves() -> None:
    found = rollup("source=spans", 9.0)
    found.usage = {
        ("index", 0, "source=spans"): total(2),
        ("pending 0", 0, "source=spans"): total(3),
        ("pending 1", 0, "source=spans"): total(5),
    }
    found.query_models = {"pending 0": {("embedding", ""): 3.0}, "pending 1": {("embedding", ""): 3.0}}
    application = found.applications["bot"]
    application.indexes_of = {"retriever": {"index": 1.0, "pending 0": 9.0, "pending 1": 9.0}}
    settle_indexes(found, {"pending 0": "index", "pending 1": None}, "id probe")
    assert {key[0]: one.calls for key, one in found.usage.items()} == {"index": 5}
    assert found.query_models == {"index": {("embedding", ""): 3.0}}
    assert application.indexes_of == {"retriever": {"index": 9.0}}
    assert application.ways == {"retriever": {"index": {"id probe"}}}
