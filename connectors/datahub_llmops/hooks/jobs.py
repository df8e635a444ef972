"""Named jobs that write an index: what the record manager did and, on request, stamped chunks."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from datahub_llmops.answer_store.keys import ENDED, OPEN, WritesKey
from datahub_llmops.hooks import runtime, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.names import clean_name, dataset_urn
from datahub_llmops.hooks.write_events import Job, WriteEvent

Source: TypeAlias = str | Callable[[dict[str, Any]], str | None]


@contextlib.contextmanager
def job(
    name: str,
    *,
    flow: str | None = None,
    orchestrator: str | None = None,
    source: Source | None = None,
    key_field: str | None = None,
    text_fields: Sequence[str] = (),
    stamp: bool = False,
) -> Iterator[str]:
    """Attribute the writes inside to this job, and to one run of it, whose id is yielded.

    ``source`` is the URN of the dataset that the documents come from, or a function of a document's metadata;
    ``text_fields`` its columns that make up the text; ``key_field`` the metadata key that holds a row's key. With
    ``stamp`` the chunks carry these as ``dh_*`` keys, where the store takes new keys.
    """
    facts = {
        WritesKey.JOB: _name("name", name) or "job",
        WritesKey.STATE: OPEN,
        **_find_orchestration(flow, orchestrator),
    }
    current = Job(
        facts=facts, stamp=stamp, source=_source(source), key_field=key_field, fields=_fields(text_fields)
    )
    before = runtime.current_job.get()
    runtime.current_job.set(current)
    try:
        yield current.run
        _record_end(current)
    finally:
        runtime.current_job.set(before)


@guarded("job.end")
def _record_end(current: Job) -> None:
    """Say that the job came to its end. One that raises, or whose process is killed, says nothing."""
    last = current.last
    if last is None:
        return
    event = WriteEvent("count", last.framework, last.index, last.ended)
    event.application, event.version, event.run = last.application, last.version, current.run
    event.facts = {**current.facts, WritesKey.STATE: ENDED}
    runtime.send(event)


def _find_orchestration(flow: str | None, orchestrator: str | None) -> dict[str, str]:
    """Return flow and orchestrator as given, else those that Airflow's environment names."""
    found: dict[str, str] = {}
    dag = os.environ.get("AIRFLOW_CTX_DAG_ID")
    flow, orchestrator = _name("flow", flow), _name("orchestrator", orchestrator)
    if flow is not None:
        found[WritesKey.FLOW] = flow
    elif dag:
        found[WritesKey.FLOW] = dag
    if orchestrator is not None:
        found[WritesKey.ORCHESTRATOR] = orchestrator
    elif dag and flow is None:
        found[WritesKey.ORCHESTRATOR] = "airflow"
    return found


def _name(argument: str, given: object) -> str | None:
    name = clean_name(given)
    if name is None and given is not None:
        runtime.refuse(f"lineage.job({argument}=...) is not text: it was ignored")
    return name


def _source(given: Source | None) -> Source | None:
    """Return the source if it is a function, or the URN of a dataset."""
    if given is None or callable(given):
        return given
    urn = dataset_urn(given)
    if urn is None:
        runtime.refuse(
            "lineage.job(source=...) is not the URN of a dataset with its environment: it was ignored. Write "
            "urn:li:dataset:(urn:li:dataPlatform:PLATFORM,NAME,PROD)"
        )
    return urn


def _fields(given: object) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if isinstance(names, (list, tuple, set, frozenset)):
        return [name for one in names if (name := clean_name(one)) is not None]
    runtime.refuse("lineage.job(text_fields=...) is not a list of names: it was ignored")
    return []


def index(
    docs: Any,
    record_manager: Any,
    store: Any,
    *,
    job_name: str | None = None,
    flow: str | None = None,
    orchestrator: str | None = None,
    stamp: bool = False,
    source: Source | None = None,
    key_field: str | None = None,
    text_fields: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Call LangChain's ``index``, with the same arguments and result, as one run of a named job.

    Only this call knows how many documents were added, updated, skipped and deleted. Other options are those of
    ``job``; ``stamp`` adds the ``dh_*`` keys after hashing and deduplication, so that a second run of the same
    documents skips all of them.
    """
    from langchain_core.indexing import index as langchain_index

    name = job_name or _default_name(store) or "index"
    with _open_job(name, flow, orchestrator, stamp, source, key_field, text_fields):
        _add_facts(docs, record_manager)
        started = time.time()
        result = langchain_index(docs, record_manager, store, **options)
        _record_counts(store, result, started)
        return result


async def aindex(
    docs: Any,
    record_manager: Any,
    store: Any,
    *,
    job_name: str | None = None,
    flow: str | None = None,
    orchestrator: str | None = None,
    stamp: bool = False,
    source: Source | None = None,
    key_field: str | None = None,
    text_fields: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Do what ``index`` does, in asynchronous code."""
    from langchain_core.indexing import aindex as langchain_index

    name = job_name or _default_name(store) or "index"
    with _open_job(name, flow, orchestrator, stamp, source, key_field, text_fields):
        _add_facts(docs, record_manager)
        started = time.time()
        result = await langchain_index(docs, record_manager, store, **options)
        _record_counts(store, result, started)
        return result


@guarded("index.facts")
def _add_facts(docs: Any, record_manager: Any) -> None:
    """Add facts that only the arguments of ``index`` give to the job in force."""
    current = runtime.current_job.get()
    if current is None:
        return
    namespace = getattr(record_manager, "namespace", None)
    if isinstance(namespace, str):
        current.facts[WritesKey.NAMESPACE] = namespace
    if hasattr(docs, "lazy_load"):
        current.facts[WritesKey.LOADER] = store_identity.class_name(docs)


@guarded("index.name")
def _default_name(store: Any) -> str:
    return f"index {store_identity.identify_store(store).get('collection', type(store).__name__)}"


@guarded("index.count")
def _record_counts(store: Any, result: Any, started: float) -> None:
    if not isinstance(result, dict):
        return
    event = WriteEvent("count", "langchain", store_identity.identify_store(store), started)
    event.application, event.version = runtime.current_application()
    names = {"num_updated": "updated", "num_skipped": "skipped"}
    event.counts = {short: result[name] for name, short in names.items() if isinstance(result.get(name), int)}
    current = runtime.current_job.get()
    if current is not None:
        current.of_write(event)
    runtime.send(event)


def pipeline(
    ingestion: Any,
    *,
    job_name: str | None = None,
    flow: str | None = None,
    orchestrator: str | None = None,
    stamp: bool = False,
    source: Source | None = None,
    key_field: str | None = None,
    text_fields: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Call ``ingestion.run(**options)`` of a LlamaIndex ``IngestionPipeline`` as one run of a named job."""
    name = _pipeline_name(ingestion, job_name)
    with _open_job(name, flow, orchestrator, stamp, source, key_field, text_fields):
        return ingestion.run(**options)


async def apipeline(
    ingestion: Any,
    *,
    job_name: str | None = None,
    flow: str | None = None,
    orchestrator: str | None = None,
    stamp: bool = False,
    source: Source | None = None,
    key_field: str | None = None,
    text_fields: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Do what ``pipeline`` does, in asynchronous code."""
    name = _pipeline_name(ingestion, job_name)
    with _open_job(name, flow, orchestrator, stamp, source, key_field, text_fields):
        return await ingestion.arun(**options)


def _pipeline_name(ingestion: Any, given: str | None) -> str:
    name = given or getattr(ingestion, "name", None)
    return name if isinstance(name, str) else "ingestion pipeline"


def _open_job(
    name: str,
    flow: str | None,
    orchestrator: str | None,
    stamp: bool,
    source: Source | None,
    key_field: str | None,
    text_fields: Sequence[str],
) -> contextlib.AbstractContextManager[str]:
    """Open ``job`` with the options that all four calls share."""
    return job(
        name,
        flow=flow,
        orchestrator=orchestrator,
        source=source,
        key_field=key_field,
        text_fields=text_fields,
        stamp=stamp,
    )
