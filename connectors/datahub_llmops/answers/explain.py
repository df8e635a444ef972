"""Traces an answer back to its prompt version, documents, their sources, the jobs that wrote them, owners and terms.

Joins what the hooks recorded with a catalog. Each document states the evidence for its origin: ``row`` (the chunk
carries the key of its row), ``source`` (it names its dataset), ``index`` (only what feeds the whole index is known), or
``none`` (a retriever has added it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer
from datahub_llmops.answer_store.recorded import (
    Chunk,
    Identities,
    ModelCall,
    Raw,
    RecordedAnswer,
    Retrieval,
)
from datahub_llmops.answers.given_documents import list_given
from datahub_llmops.answers.resolver import MapConfig, Resolver, shown
from datahub_llmops.answers.writers import Writers, WritingJob
from datahub_llmops.assets.usage import model_name
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import FullCatalog, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.errors import UnknownAnswerError, UnknownAssetError
from datahub_llmops.governance.embedded import broken_run, read_embedded
from datahub_llmops.governance.facts import gather
from datahub_llmops.ingestion.applications.places import Places
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.addresses import dataset_urn

Evidence: TypeAlias = Literal["row", "source", "index", "none"]
"""What an origin rests on, strongest first; see the module."""
_LISTED: Final = 5
"""Ids that a message names, if several are meant."""
HOPS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUsed:
    """A prompt of the answer; ``urn`` is ``None`` if it has neither a name nor a template."""

    urn: str | None
    name: str
    version: str | None
    digest: str | None
    in_catalog: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsed:
    """A model call: what was asked for and what served.

    ``prompt`` is the position of its prompt in the prompts of the answer; ``None`` if it is not known.
    """

    prompt: int | None
    asked: str | None
    served: str | None
    urn: str | None
    tokens_in: int | None
    tokens_out: int | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A chunk that the application was given, with the evidence for where it came from.

    ``index_shown`` is ``None`` if no index was seen to give it: a retriever has added it.
    """

    chunk: str | None
    score: float | None
    index: str | None
    index_shown: str | None
    source: str | None
    source_shown: str | None
    key: str | None
    text_fields: tuple[str, ...]
    rests_on: Evidence
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A dataset or job upstream of the documents, with its owners. ``modified`` is in milliseconds since the epoch."""

    urn: str
    type: str
    subtype: str | None
    name: str
    owners: tuple[str, ...]
    terms: tuple[str, ...]
    tags: tuple[str, ...]
    rests_on: Evidence
    modified: int | None
    column_edges: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A source that changed after the index was written, and after the last run that read it began, if one is known."""

    index: str
    source: str
    index_modified: int
    source_modified: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NotConfirmed:
    """An edge upstream of the documents that no run has confirmed since an instant, in ISO format."""

    upstream: str
    downstream: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation(Result):
    """One answer with everything that the answer store and the catalog know about it."""

    answer: RecordedAnswer
    prompts: tuple[PromptUsed, ...]
    models: tuple[ModelUsed, ...]
    documents: tuple[Document, ...]
    writers: tuple[WritingJob, ...]
    indexes: tuple[Origin, ...]
    origins: tuple[Origin, ...]
    stale: tuple[Stale, ...]
    not_confirmed: tuple[NotConfirmed, ...]
    gaps: tuple[str, ...]

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the explanation as plain JSON. What a framework recorded as an object of its own becomes text."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return found


def find(store: Store, answer: str) -> RecordedAnswer:
    """Find the answer with an id, or the only one whose id begins with these characters.

    Raises:
        UnknownAnswerError: there is none, or several; the message says what else to try.
    """
    row = store.answer(answer)
    if row is not None:
        return load_answer(row, Identities(store))
    several = store.ids_from(answer, _LISTED + 1)
    if several:
        more = " and others" if len(several) > _LISTED else ""
        raise UnknownAnswerError(
            f"several answers begin with {answer}: {', '.join(several[:_LISTED])}{more}; give more of the id"
        )
    raise UnknownAnswerError(f"no answer {answer} in {store.path}; list them: datahub-llmops answers")


def find_by_text(store: Store, text: str) -> tuple[RecordedAnswer, tuple[str, ...]]:
    """Find the newest answer whose whole text was ``text``, with what is not known if others had the same text.

    Raises:
        UnknownAnswerError: there is none; the message says what else to try.
    """
    secret = digests.key(store.path, create=False)
    ids = store.with_text(digests.digest(secret, text)) if secret is not None else []
    if not ids:
        raise UnknownAnswerError(
            "no stored answer has this text. It has to be the whole answer as the application returned it, "
            f"recorded on this host or with its {digests.KEY_VARIABLE}"
        )
    others = (
        f"which of {len(ids)} answers with this text is meant: this is the newest; name another by its id"
    )
    return find(store, ids[0]), (others,) if len(ids) > 1 else ()


def explain(
    store: Store | None,
    answer: RecordedAnswer,
    catalog: FullCatalog | None,
    config: MapConfig | None = None,
    *,
    known_gaps: Iterable[str] = (),
) -> Explanation:
    """Join a recorded answer with the catalog.

    Args:
        store: the answer store that has the answer, and the runs that wrote its chunks; ``None`` if spans show it.
        answer: the answer.
        catalog: where what feeds its indexes is looked up.
        config: that of ``llm-runs`` or ``llm-spans``, so that both resolve alike.
        known_gaps: what is missing in the answer itself.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    gaps: dict[str, None] = dict.fromkeys(known_gaps)
    config = config or MapConfig()
    resolver = Resolver(
        config.instances,
        env=config.env,
        catalog=catalog,
        ambiguous=lambda found: gaps.setdefault(
            f"{found.shown} may be {' or '.join(found.candidates)}: say which with `instances` in the recipe of "
            f"{'llm-runs' if store is not None else 'llm-spans'}, and name it: --recipe"
        ),
    )
    rules = provenance.compile_rules(provenance.ProvenanceConfig(rules=config.source_rules), env=config.env)
    writers = Writers(store, resolver, gaps) if store is not None else None
    documents, jobs = _Documents(writers, resolver, rules, gaps).read(answer)
    if store is None and documents:
        gaps.setdefault(
            "which job runs wrote the documents: spans and segments do not show it, an answer store does"
        )
    unconfirmed: set[NotConfirmed] = set()
    indexes, origins = (
        _read_origins(catalog, documents, gaps, unconfirmed) if catalog is not None else ([], [])
    )
    stale = list(_find_stale(indexes, origins, _read_written(documents, jobs), gaps))
    if catalog is None:
        gaps.setdefault("no catalog was asked: tables, owners and terms are not known")
    return Explanation(
        answer=answer,
        prompts=tuple(_read_prompts(answer, resolver, catalog, Places(catalog, config.env))),
        models=tuple(_model(call, resolver) for call in answer.models),
        documents=tuple(documents),
        writers=tuple(jobs),
        indexes=tuple(indexes),
        origins=tuple(origins),
        stale=tuple(_not_embedded(catalog, stale) if catalog is not None else stale),
        not_confirmed=tuple(sorted(unconfirmed)),
        gaps=tuple(gaps),
    )


def _read_prompts(
    answer: RecordedAnswer, resolver: Resolver, catalog: FullCatalog | None, places: Places
) -> Iterator[PromptUsed]:
    # A prompt without a name is the application's, which several frameworks may make answers for.
    urns = [resolver.prompt(raw, answer.application, places.platform(answer)) for raw in answer.prompts]
    known = (
        {node.urn for node in catalog.nodes([urn for urn in urns if urn])} if catalog is not None else set()
    )
    for raw, urn in zip(answer.prompts, urns, strict=True):
        digest = raw.get("digest")
        name = raw.get("name") or (f"unnamed, template {str(digest)[:12]}" if digest else "unnamed")
        yield PromptUsed(
            urn=urn, name=str(name), version=raw.get("version"), digest=digest, in_catalog=urn in known
        )


def _model(call: ModelCall, resolver: Resolver) -> ModelUsed:
    return ModelUsed(
        prompt=call.prompt,
        asked=model_name(call.asked),
        served=model_name(call.served) or model_name(call.asked),
        urn=resolver.model(call.served or call.asked),
        tokens_in=call.tokens_in,
        tokens_out=call.tokens_out,
        status="cached" if call.cached else call.status,
    )


class _Documents:
    """Reads the documents of an answer, and the job runs that wrote them, where an answer store knows these."""

    def __init__(
        self, writers: Writers | None, resolver: Resolver, rules: provenance.Rules, gaps: dict[str, None]
    ) -> None:
        self._writers, self._resolver, self._rules, self._gaps = writers, resolver, rules, gaps

    def read(self, answer: RecordedAnswer) -> tuple[list[Document], list[WritingJob]]:
        documents = [self._document(*given) for given in list_given(answer.retrievals)]
        return documents, list(self._writers.jobs.values()) if self._writers is not None else []

    def _document(self, retrieval: Retrieval | None, chunk: Chunk) -> Document:
        number, raw_index = (None, None) if retrieval is None else (retrieval.index_number, retrieval.index)
        index = None if retrieval is None else self._resolver.index(raw_index)
        if retrieval is not None and index is None:
            advice = (
                "lineage.name_index(store, urn)" if self._writers is not None else "`indexes` in the recipe"
            )
            self._gaps.setdefault(f"index not resolved: {shown(raw_index)}; name it: {advice}")
        raw = _source_of(chunk, raw_index)
        given = raw.get("urn")
        source = (
            dataset_urn(given) if isinstance(given, str) else self._rules.match(str(raw.get("value", "")))
        )
        fields = raw.get("fields")
        return Document(
            chunk=chunk.id,
            score=chunk.score,
            index=index,
            index_shown=None if retrieval is None else shown(raw_index),
            source=source,
            source_shown=str(given or raw.get("value")) if raw else None,
            key=chunk.key,
            text_fields=tuple(fields.split(",")) if isinstance(fields, str) else (),
            rests_on=_rests_on(retrieval, source, chunk),
            run=self._writers.run(number, chunk, index) if self._writers is not None else chunk.run,
        )


def _source_of(chunk: Chunk, index: Raw | None) -> Raw:
    """Return the source of a chunk. LangChain's LanceDB writes the path of the database in its place, which is none."""
    found = chunk.source or {}
    path = (index or {}).get("path")
    return {} if path is not None and found.get("value") == path else found


def _rests_on(retrieval: Retrieval | None, source: str | None, chunk: Chunk) -> Evidence:
    if source is None:
        return "none" if retrieval is None else "index"
    return "source" if chunk.key is None else "row"


def _read_origins(
    catalog: FullCatalog,
    documents: Sequence[Document],
    gaps: dict[str, None],
    unconfirmed: set[NotConfirmed],
) -> tuple[list[Origin], list[Origin]]:
    """The indexes that the documents were found in, and everything upstream of them or named by a document.

    What is missing is added to ``gaps``, and edges that are not confirmed to ``unconfirmed``.
    """
    evidence = _evidence(documents)
    indexes: dict[str, Node] = {}
    upstream: dict[str, Node] = {}
    column_edges: dict[str, tuple[tuple[str, str], ...]] = {}
    for index in dict.fromkeys(document.index for document in documents if document.index is not None):
        try:
            walk = catalog.lineage(index, "up", HOPS)
        except UnknownAssetError:
            gaps.setdefault(f"{index} is not in the catalog: run the recipe of its store")
            continue
        columns: dict[str, set[tuple[str, str]]] = {}
        for pair in (pair for edge in walk.edges for pair in edge.columns):
            columns.setdefault(asset_of(pair.upstream), set()).add((pair.upstream, pair.downstream))
        unconfirmed.update(
            NotConfirmed(upstream=edge.upstream, downstream=edge.downstream, since=edge.not_confirmed_since)
            for edge in walk.edges
            if edge.not_confirmed_since
        )
        for node in walk.nodes:
            (upstream if node.hops else indexes).setdefault(node.urn, node)
            column_edges.setdefault(node.urn, tuple(sorted(columns.get(node.urn, ()))))
    missing = [urn for urn in evidence if urn not in upstream]
    upstream.update({node.urn: node for node in catalog.nodes(missing)})
    for urn in missing:
        if urn not in upstream:
            gaps.setdefault(f"{urn} is named by a document and not in the catalog")
    modified = _read_modified(
        catalog, [node.urn for node in (*indexes.values(), *upstream.values()) if node.type == "dataset"]
    )

    def origin(node: Node) -> Origin:
        return Origin(
            urn=node.urn,
            type=node.type,
            subtype=node.subtype,
            name=node.name,
            owners=node.owners,
            terms=node.terms,
            tags=node.tags,
            rests_on=evidence.get(node.urn, "index"),
            modified=modified.get(node.urn),
            column_edges=column_edges.get(node.urn, ()),
        )

    return [origin(node) for node in indexes.values()], [origin(node) for node in upstream.values()]


def _evidence(documents: Iterable[Document]) -> dict[str, Evidence]:
    """The strongest evidence for each source that documents name themselves: a row is stronger than a source."""
    found: dict[str, Evidence] = {}
    for document in documents:
        if document.source is not None and found.get(document.source) != "row":
            found[document.source] = document.rests_on
    return found


def _read_modified(catalog: FullCatalog, datasets: Sequence[str]) -> dict[str, int]:
    """When each dataset changed last, in milliseconds since the epoch, if the catalog knows."""
    versioned, series = catalog.aspects_of(datasets), catalog.latest_of(datasets)
    found: dict[str, int] = {}
    for urn in datasets:
        properties = versioned.get(urn, {}).get("datasetProperties", {})
        operation = series.get(urn, {}).get("operation", {})
        stamps = (operation.get("lastUpdatedTimestamp"), (properties.get("lastModified") or {}).get("time"))
        if known := [stamp for stamp in stamps if isinstance(stamp, int)]:
            found[urn] = max(known)
    return found


def _read_written(documents: Iterable[Document], jobs: Iterable[WritingJob]) -> dict[str, int]:
    """When hooks saw the documents of each index being written last, in milliseconds since the epoch."""
    ended = {job.run: round(job.ended * 1000) for job in jobs}
    found: dict[str, int] = {}
    for document in documents:
        if document.index is not None and document.run in ended:
            found[document.index] = max(found.get(document.index, 0), ended[document.run])
    return found


def _find_stale(
    indexes: Iterable[Origin], origins: Sequence[Origin], written: Mapping[str, int], gaps: dict[str, None]
) -> Iterator[Stale]:
    """Pairs of an index and a source that changed after the index was written.

    Few stores tell when a collection was written. For the others the hooks' sighting of the writing counts. If there is
    none, that is added to ``gaps``.
    """
    changed = {origin.urn: origin.modified for origin in origins if origin.modified is not None}
    for index in indexes:
        modified = index.modified if index.modified is not None else written.get(index.urn)
        if modified is None:
            if changed:
                gaps.setdefault(f"when {index.name} was written, and whether its sources are newer")
            continue
        for source, at in changed.items():
            if at > modified:
                yield Stale(index=index.urn, source=source, index_modified=modified, source_modified=at)


def _not_embedded(catalog: FullCatalog, stale: Iterable[Stale]) -> Iterator[Stale]:
    """Leave out what a run of the index's jobs has seen: one that finds all rows unchanged does not write the index.

    ``check`` judges by the same runs.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    for index, pairs in groupby(stale, key=lambda one: one.index):
        facts = gather(catalog, index, now=datetime.now(UTC))
        embedded = {} if broken_run(facts) is not None else read_embedded(facts)
        for one in pairs:
            seen = embedded.get(one.source)
            if seen is None or seen.begun is None or seen.begun.timestamp() * 1000 < one.source_modified:
                yield one
