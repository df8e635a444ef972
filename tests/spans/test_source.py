"""``llm-spans`` through DataHub's pipeline: recorded spans in a folder, real stores that are asked, a catalog."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
import zstandard
from datahub.ingestion.run.pipeline import Pipeline
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from datahub_llmops.answer_store.recorded import (
    Chunk,
    ModelCall,
    RecordedAnswer,
    RecordedWrites,
    Retrieval,
    ToolCall,
)
from datahub_llmops.answer_store.segments import dump_line
from datahub_llmops.assets import span_names
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.usage_records import records_to_add
from datahub_llmops.spans.source import SpansSource
from datahub_llmops.testing.runs import aspect, failures, graph_of, outputs, report, run
from spans.doors.making import Made, as_line
from spans.recordings import FOLDER, Recording

CHROMA = Recording("openinference-langchain/chroma")
DOCS = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),support-bot)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
ANY_AGE = 3_650
"""Recordings grow old, and a run reads a month by default."""


class World:
    """A folder of spans, a Chroma folder with the chunks of the recordings, and a catalog."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spans = folder / "spans"
        self.spans.mkdir()
        self.recipe = folder / "chroma.dhub.yaml"

    def record(self, recording: Recording, name: str | None = None) -> Path:
        """Put a recording into the folder, as a Collector would have."""
        packed = (FOLDER / f"{recording.name}.otlp.pb.gz").read_bytes()
        path = self.spans / (name or f"{recording.name.replace('/', '-')}.pb")
        path.write_bytes(gzip.decompress(packed))
        return path

    def seal(self, *answers: RecordedAnswer | RecordedWrites, name: str = "host-1") -> Path:
        """Put a sealed segment into the folder, as `attach(segments=...)` writes it."""
        path = self.spans / f"{name}.jsonl.zst"
        path.write_bytes(zstandard.compress(b"".join(map(dump_line, answers))))
        return path

    def chroma(self, recording: Recording = CHROMA) -> str:
        """The store that the recorded application searched, and its recipe."""
        client: Any = chromadb.PersistentClient(str(self.folder / "chroma"))
        with client:
            for name, ids in recording.expected["indexes"].items():
                client.create_collection(name).add(ids=ids, embeddings=np.ones((len(ids), 2), np.float32))
        config = {"path": str(self.folder / "chroma")}
        self.recipe.write_text(json.dumps({"source": {"type": "llm-chroma", "config": config}}))
        return str(self.recipe)

    def run(self, *, catalog: Path | None = None, **config: Any) -> Pipeline:
        options = {"files": str(self.spans), "max_days": ANY_AGE, **config}
        return run(catalog or self.folder, "llm-spans", options)

    def aspect(self, urn: str, name: str) -> dict[str, Any]:
        return aspect(self.folder, urn, name)

    def indexes(self, retriever: str = RETRIEVER) -> dict[str, str]:
        """The indexes of a retriever, with how each was found."""
        found = self.aspect(retriever, "upstreamLineage").get("upstreams", [])
        return {one["dataset"]: one["properties"]["found_by"] for one in found}

    def usage(self, urn: str, name: str = "datasetUsageStatistics") -> dict[str, int]:
        """Calls by who counted them."""
        with closing(LocalCatalog(self.folder / "catalog.db")) as catalog:
            return {
                one["partitionSpec"]["partition"]: one["totalSqlQueries"]
                for one in catalog.series(urn, name, 0)
            }


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def recorded(given: Mapping[str, Any]) -> RecordedAnswer:
    """What the hooks recorded of an answer, as they keep it."""
    fields = {key: one for key, one in given.items() if key in RecordedAnswer.__dataclass_fields__}
    retrievals = [
        Retrieval(
            **{
                "index_number": None,
                **one,
                "chunks": tuple(Chunk(**chunk) for chunk in one["chunks"]),
            }
        )
        for one in given["retrievals"]
    ]
    return RecordedAnswer(
        **{
            "weight": 1.0,
            "host": "web-1",
            **fields,
            "retrievals": tuple(retrievals),
            "prompts": tuple(given["prompts"]),
            "models": tuple(ModelCall(**one) for one in given["models"]),
            "tools": tuple(ToolCall(**one) for one in given["tools"]),
        }
    )


def test_spans_become_an_application_with_lineage_and_usage(world: World) -> None:
    world.record(CHROMA)
    pipeline = world.run(stores=[world.chroma()])
    assert failures(pipeline) == []
    said = report(pipeline)
    assert (said.answers, said.applications, said.days) == (2, 1, 1)
    assert said.indexes_found_by == {"id probe": 2}
    assert dict(said.indexes_not_known) == {}
    assert world.indexes() == {DOCS: "id probe"}
    inputs = world.aspect(JOB, "dataJobInputOutput")["inputDatasetEdges"]
    assert {one["destinationUrn"]: one["properties"]["found_by"] for one in inputs} == {RETRIEVER: "trace"}
    assert world.usage(LOG) == {"source=spans": 2}
    assert world.usage(DOCS) == {"source=spans": 2}


def test_the_first_run_into_a_catalog_joins_models_to_their_applications(world: World) -> None:
    world.record(CHROMA)
    said = report(world.run())
    assert [one.title for one in said.warnings] == []
    model = next(urn for urn, name in graph_of(world.folder) if name == "mlModelProperties")
    assert world.aspect(model, "mlModelProperties")["downstreamJobs"] == [JOB]


def test_a_second_run_reads_nothing_and_changes_nothing(world: World) -> None:
    world.record(CHROMA)
    world.run(stores=[world.chroma()])
    before = graph_of(world.folder)
    again = report(world.run(stores=[str(world.recipe)]))
    assert (again.answers, again.read.spans_read, again.probe_questions) == (0, 0, 0)
    assert graph_of(world.folder) == before


def test_what_comes_later_to_the_same_day_is_counted_with_it(world: World) -> None:
    world.record(CHROMA)
    world.run(stores=[world.chroma()])
    world.record(Recording("openinference-langchain/features"))
    more = report(world.run(stores=[str(world.recipe)]))
    assert more.answers > 2
    assert world.usage(LOG) == {"source=spans": more.answers}


def test_an_index_that_no_store_knows_is_not_known_and_sources_are_edges(world: World) -> None:
    world.record(CHROMA)
    said = report(world.run())
    assert said.indexes_found_by == {}
    assert dict(said.indexes_not_known) == {
        "support-bot, Chroma: no store may be asked: name recipes under `stores`": 2
    }
    assert world.indexes() == {}
    assert world.usage(RETRIEVER) == {"source=spans": 2}
    inputs = world.aspect(JOB, "dataJobInputOutput")["inputDatasetEdges"]
    sources = [one for one in inputs if "payload" in one["properties"]["found_by"]]
    assert {one["destinationUrn"].partition(",")[2] for one in sources} == {"kb/0.md,PROD)", "kb/2.md,PROD)"}


def test_no_retrieval_without_an_index_is_missing_in_the_report(world: World) -> None:
    kind = {"openinference.span.kind": "RETRIEVER", "retrieval.documents.0.document.id": "a"}
    found = [
        Made(trace=f"{number + 1:032x}", id="1" * 16, service=f"bot-{number % 60}", attributes=kind)
        for number in range(90)
    ]
    (world.spans / "many.json").write_bytes(as_line(found))
    listed = report(world.run()).indexes_not_known
    assert sum(listed.values()) == 90
    assert next(iter(listed)).startswith("bot-0,")


def test_a_store_that_cannot_be_asked_fails_by_name_and_nothing_is_accepted(world: World) -> None:
    world.record(CHROMA)
    gone = world.folder / "gone.dhub.yaml"
    broken = {"source": {"type": "llm-chroma", "config": {"path": str(world.folder / "nowhere")}}}
    gone.write_text(json.dumps(broken))
    pipeline = world.run(stores=[world.chroma(), str(gone)])
    assert any("gone.dhub.yaml" in one for one in failures(pipeline))
    assert world.indexes() == {}
    assert report(pipeline).understood_less
    assert world.usage(LOG) == {"source=spans": 2}


def test_what_a_store_could_not_be_asked_for_is_asked_by_the_next_run(world: World) -> None:
    world.record(CHROMA)
    world.chroma()
    recipe = world.recipe.read_text()
    world.recipe.unlink()
    world.run(stores=[str(world.recipe)])
    assert world.indexes() == {}
    world.recipe.write_text(recipe)
    said = report(world.run(stores=[str(world.recipe)]))
    assert said.indexes_found_by == {"id probe": 2}
    assert world.indexes() == {DOCS: "id probe"}
    assert world.usage(LOG) == {"source=spans": 2}
    assert report(world.run(stores=[str(world.recipe)])).answers == 0


def test_totals_stay_if_objects_are_removed_while_a_store_cannot_be_asked(world: World) -> None:
    earlier = world.record(CHROMA)
    world.chroma()
    missing = str(world.folder / "missing.dhub.yaml")
    world.run(stores=[missing])
    earlier.unlink()
    world.record(Recording("openinference-langchain/features"))
    pipeline = world.run(stores=[str(world.recipe)])
    assert "Days whose objects were removed" in {one.title for one in report(pipeline).failures}
    assert world.usage(LOG) == {"source=spans": 2}


def test_a_recipe_rule_needs_no_store(world: World) -> None:
    world.record(CHROMA)
    said = report(world.run(indexes=[{"application": "support-.*", "store_class": "Chroma", "urn": DOCS}]))
    assert said.indexes_found_by == {"recipe rule": 2}
    assert world.indexes() == {DOCS: "recipe rule"}


def test_answers_of_an_application_without_a_name_fail_unless_the_recipe_names_it(world: World) -> None:
    archive = str(FOLDER / "mlflow-archive")
    unnamed = report(world.run(files=archive))
    assert (unnamed.answers, [one.title for one in unnamed.failures]) == (
        0,
        ["Answers without an application"],
    )
    assert unnamed.understood_less
    named = report(world.run(files=archive, application={"default": "support-bot"}))
    assert (named.answers, list(named.failures)) == (4, [])
    assert world.usage(LOG) == {"source=spans": 4}
    assert report(world.run(files=archive, application={"default": "support-bot"})).answers == 0


@pytest.mark.parametrize("export", ["langsmith-export", "langfuse-export"])
def test_chunks_of_exports_lead_to_their_index(world: World, export: str) -> None:
    stores = [world.chroma()]
    said = report(
        world.run(files=str(FOLDER / export), application={"default": "support-bot"}, stores=stores)
    )
    assert said.indexes_found_by == {"id probe": 14}


def test_hooks_and_spans_give_the_same_assets_and_edges(world: World, tmp_path: Path) -> None:
    """What the hooks recorded of the same answers goes through the same source, as a sealed segment."""
    hooks, spans = tmp_path / "hooks", tmp_path / "from-spans"
    hooks.mkdir()
    spans.mkdir()
    segment = world.seal(*map(recorded, CHROMA.expected["answers"]))
    assert failures(world.run(catalog=hooks)) == []
    segment.unlink()
    world.record(CHROMA)
    assert failures(world.run(catalog=spans, stores=[world.chroma()])) == []
    by_hooks, by_spans = graph_of(hooks), graph_of(spans)

    def assets(graph: Mapping[tuple[str, str], Any]) -> set[str]:
        return {urn for urn, _ in graph if "dataProcessInstance" not in urn and "dataPlatform:" in urn}

    def edges(graph: Mapping[tuple[str, str], Any]) -> set[tuple[str, str]]:
        found = {
            (JOB, one["destinationUrn"]) for one in graph[JOB, "dataJobInputOutput"]["inputDatasetEdges"]
        }
        upstreams = graph[RETRIEVER, "upstreamLineage"]["upstreams"]
        return found | {(RETRIEVER, one["dataset"]) for one in upstreams}

    # A template without a name is text, which a reader of spans drops where it arrives.
    template = {urn for urn in assets(by_hooks) if ".prompt-" in urn}
    assert assets(by_spans) == assets(by_hooks) - template
    assert edges(by_spans) == {edge for edge in edges(by_hooks) if edge[1] not in template}


def test_answers_of_segments_and_of_spans_are_added_and_each_edge_says_who_saw_it(world: World) -> None:
    world.seal(*map(recorded, CHROMA.expected["answers"]))
    world.record(CHROMA)
    assert report(world.run(stores=[world.chroma()])).answers == 4
    assert world.usage(LOG) == {"host=web-1": 2, "source=spans": 2}
    assert world.indexes() == {DOCS: "hook,id probe"}
    inputs = world.aspect(JOB, "dataJobInputOutput")["inputDatasetEdges"]
    found = {one["destinationUrn"]: one["properties"]["found_by"] for one in inputs}
    assert found.pop(RETRIEVER) == "hook,trace"
    assert list(found.values()) == ["hook"]  # The template, whose text no reader of spans keeps.


def stamped(path: Path, host: str) -> None:
    """Stamp the first span of each trace, as hooks whose store takes the answers."""
    request = ExportTraceServiceRequest.FromString(path.read_bytes())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if not span.parent_span_id:
                    span.attributes.add(key=span_names.RECORDED).value.bool_value = True
                    span.attributes.add(key=span_names.APPLICATION).value.string_value = "support-bot"
                    span.attributes.add(key=span_names.HOST).value.string_value = host
                    answer = f"{span.start_time_unix_nano // 1_000_000:012x}{span.span_id.hex()}"
                    span.attributes.add(key=span_names.ANSWER_ID).value.string_value = answer
    path.write_bytes(request.SerializeToString())


def test_an_answer_that_a_host_and_spans_saw_counts_once(world: World) -> None:
    stamped(world.record(CHROMA), "web-1")
    world.seal(*map(recorded, CHROMA.expected["answers"]))
    world.run(stores=[world.chroma()])
    assert world.usage(LOG) == {"host=web-1": 2}
    # The edges of the spans are there all the same.
    assert world.indexes() == {DOCS: "hook,id probe"}


def only_roots(path: Path, *, wanted: bool) -> bytes:
    """Return the spans of a file that have no parent, or all others."""
    request = ExportTraceServiceRequest.FromString(path.read_bytes())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            kept = [span for span in scope.spans if (not span.parent_span_id) is wanted]
            del scope.spans[:]
            scope.spans.extend(kept)
    return bytes(request.SerializeToString())


def test_an_answer_whose_stamped_root_arrives_late_counts_once(world: World) -> None:
    path = world.record(CHROMA)
    stamped(path, "web-1")
    roots = only_roots(path, wanted=True)
    path.write_bytes(only_roots(path, wanted=False))
    indexes = [{"urn": DOCS}]
    world.run(indexes=indexes)
    assert world.usage(LOG)["source=spans"] >= 2
    (world.spans / "roots.pb").write_bytes(roots)
    assert failures(world.run(indexes=indexes)) == []
    moved = {"source=spans": 0, "source=spans@web-1": 2}
    for urn in (LOG, RETRIEVER, DOCS):
        assert world.usage(urn) == moved
    with closing(LocalCatalog(world.folder / "catalog.db")) as catalog:
        records = catalog.series(JOB, "llmUsage", 0)
    assert {one["partitionSpec"]["partition"]: one["calls"] for one in records} == moved | {
        f"{who}/version=7": calls for who, calls in moved.items()
    }


def test_without_a_catalog_it_is_said_that_earlier_totals_may_count_twice(world: World) -> None:
    stamped(world.record(CHROMA), "web-1")

    def titles(target: dict[str, Any], **config: Any) -> list[str]:
        options = {"files": str(world.spans), "max_days": ANY_AGE, **config}
        recipe = {"source": {"type": "llm-spans", "config": options}, "sink": target}
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        pipeline.run()
        return [one.title for one in report(pipeline).warnings]

    file = {"type": "file", "config": {"filename": str(world.folder / "out.json")}}
    own = {"type": "llm-local", "config": {"path": str(world.folder / "new.db")}}
    unseen = "Earlier totals cannot be looked up"
    assert unseen in titles(file)
    # Its own file holds nothing before the first run, and tells everything after it.
    assert unseen not in titles(own)
    assert unseen not in titles(file, catalog=str(world.folder / "new.db"))
    world.record(CHROMA)  # Without stamps.
    assert unseen not in titles(file)


def less(known: Any, now: Any, where: str = "") -> list[str]:
    """Where a value says less than one before: it is gone, shorter, or another one."""
    if isinstance(known, dict):
        found = now if isinstance(now, dict) else {}
        return [one for key in known for one in less(known[key], found.get(key), f"{where}/{key}")]
    if isinstance(known, list):
        return [where] if len(now or ()) < len(known) else []
    if isinstance(known, str) and isinstance(now, str) and set(known.split(", ")) <= set(now.split(", ")):
        return []
    grown = isinstance(known, int) and isinstance(now, int) and now > known
    return [] if known in (None, "", now) or grown else [f"{where}: {known} -> {now}"]


@pytest.mark.parametrize(
    "name", ["openinference-langchain", "mlflow-langchain", "openinference-llama-index", "genai-langchain"]
)
def test_spans_that_are_read_after_the_hooks_take_nothing_away(world: World, name: str) -> None:
    recording = Recording(f"{name}/features")
    segment = world.seal(*map(recorded, recording.expected["answers"]))
    world.run()
    before = graph_of(world.folder)
    segment.unlink()
    stamped(world.record(recording), "web-1")
    world.spans.rename(world.folder / "later")
    world.run(files=str(world.folder / "later"))
    after = graph_of(world.folder)
    described = ("datasetProperties", "schemaMetadata", "retrieverInfo", "llmApplicationInfo", "dataJobInfo")
    kept = {key: aspect for key, aspect in before.items() if key[1] in described}
    assert len(kept) > 10
    assert [line for key, aspect in kept.items() for line in less(aspect, after[key], f"{key}")] == []


def test_what_the_catalog_has_of_a_host_is_not_counted_again(world: World) -> None:
    segment = world.seal(*map(recorded, CHROMA.expected["answers"]))
    world.run()
    segment.unlink()
    stamped(world.record(CHROMA), "web-1")
    spans = world.folder / "only-spans"
    shutil.copytree(world.spans, spans)
    world.run(files=str(spans))
    assert world.usage(LOG) == {"host=web-1": 2}


def test_spans_that_come_before_the_totals_of_their_host_are_left_out_of_sums(world: World) -> None:
    segments = world.folder / "segments"
    stamped(world.record(CHROMA), "web-1")
    world.run()
    assert world.usage(LOG) == {"source=spans@web-1": 2}
    segments.mkdir()
    world.spans = segments
    world.seal(*map(recorded, CHROMA.expected["answers"]))
    world.run()
    with closing(LocalCatalog(world.folder / "catalog.db")) as catalog:
        added = records_to_add(catalog.series(LOG, "datasetUsageStatistics", 0))
    assert [one["partitionSpec"]["partition"] for one in added] == ["host=web-1"]


def test_the_memory_is_kept_by_a_run_that_ends_early(world: World) -> None:
    world.record(CHROMA)
    world.run(stores=[world.chroma()])
    before = graph_of(world.folder)
    away = world.folder / "away"
    shutil.move(world.spans, away)
    assert failures(world.run(stores=[str(world.recipe)])) != []
    assert graph_of(world.folder) == before
    shutil.move(away, world.spans)
    assert report(world.run(stores=[str(world.recipe)])).read.spans_read == 0


def test_runs_of_writes_in_a_segment_are_embedding_jobs(world: World) -> None:
    written = RecordedWrites(
        run="run-1",
        application="support-bot",
        index=CHROMA.expected["answers"][0]["retrievals"][0]["index"],
        index_number=1,
        embedding={"provider": "openai", "model": "text-embedding-3-small"},
        started=1_796_000_000.0,
        ended=1_796_000_010.0,
        framework="langchain",
        host="web-1",
        job="embed docs",
        flow="nightly",
        orchestrator="airflow",
        counts={"added": 1},
        sources=(({"value": "s3://kb/0.md"}, 1),),
        sources_unknown=0,
        splitter=None,
        facts={},
        error=None,
    )
    later = replace(written, ended=written.ended + 5, counts={"added": 3})
    world.seal(later, name="host-2")
    world.seal(written, name="host-1")
    said = report(world.run())
    assert (said.embedding_runs, said.answers) == (1, 0)
    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed docs)"
    lineage = world.aspect(job, "dataJobInputOutput")
    assert [one["destinationUrn"] for one in lineage["outputDatasetEdges"]] == [DOCS]
    assert [one["destinationUrn"].partition(",")[2] for one in lineage["inputDatasetEdges"]] == [
        "kb/0.md,PROD)"
    ]
    assert report(world.run()).embedding_runs == 0


def test_no_text_of_an_application_leaves(world: World, tmp_path: Path) -> None:
    for name in ("chroma", "features"):
        world.record(Recording(f"openinference-langchain/{name}"))
    target = tmp_path / "out"
    target.mkdir()
    shown = outputs(target, "spans", {"files": str(world.spans), "max_days": ANY_AGE})
    assert not any("CANARY" in one for one in shown)


def test_a_connection_that_works_and_one_that_does_not(world: World) -> None:
    world.record(CHROMA)
    works = SpansSource.test_connection({"files": str(world.spans)}).basic_connectivity
    assert works is not None
    assert works.capable
    nothing = SpansSource.test_connection({"files": str(world.folder / "nowhere")}).basic_connectivity
    assert nothing is not None
    assert not nothing.capable
    refused = SpansSource.test_connection({"files": "/x", "clickhouse": {"url": "http://CANARY"}})
    assert "either `files` or `clickhouse`" in str(refused.internal_failure_reason)
    assert "CANARY" not in str(refused.internal_failure_reason)
