"""An answer walked back: prompt version, documents, their source, the job that wrote them, its owners and terms.

Joins what the hooks stored with a catalog. Every document says what its origin rests on: ``row`` (the chunk carries the
key of its row), ``source`` (it names its dataset), or ``index`` (only what feeds the index as a whole is known).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.queries import WriteRow
from datahub_llmops.answer_store.recorded import (
    Chunk,
    Identities,
    Raw,
    RecordedAnswer,
    RecordedWrites,
    Retrieval,
)
from datahub_llmops.answers.resolver import MapConfig, Resolver, shown
from datahub_llmops.assets.usage import model_name
from datahub_llmops.catalog.protocol import FullCatalog, Node
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.errors import StoreError, UnknownAssetError
from datahub_llmops.lineage import provenance

RestsOn: TypeAlias = Literal["row", "source", "index"]
HOPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUsed:
    """A prompt of the answer; ``urn`` is ``None`` where it has neither a name nor a template."""

    urn: str | None
    name: str
    version: str | None
    digest: str | None
    in_catalog: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsed:
    """A model call: what was asked for and what served."""

    asked: str | None
    served: str | None
    urn: str | None
    tokens_in: int | None
    tokens_out: int | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The run that wrote a document, as this host recorded it."""

    run: str
    job: str
    flow: str
    orchestrator: str
    embedding_model: str | None
    sources: tuple[str, ...]
    """Datasets that the run as a whole read, where it says so."""
    started: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A chunk that was retrieved."""

    chunk: str | None
    score: float | None
    index: str | None
    index_shown: str
    source: str | None
    source_shown: str | None
    key: str | None
    text_fields: tuple[str, ...]
    rests_on: RestsOn
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A dataset or job above the documents, with who answers for it. ``modified`` in milliseconds since the epoch."""

    urn: str
    type: str
    subtype: str | None
    name: str
    owners: tuple[str, ...]
    terms: tuple[str, ...]
    tags: tuple[str, ...]
    rests_on: RestsOn
    modified: int | None
    column_edges: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A source that changed after the index was written."""

    index: str
    source: str
    index_modified: int
    source_modified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that is known about one answer."""

    answer: RecordedAnswer
    prompts: tuple[PromptUsed, ...]
    models: tuple[ModelUsed, ...]
    documents: tuple[Document, ...]
    writers: tuple[Writer, ...]
    indexes: tuple[Origin, ...]
    origins: tuple[Origin, ...]
    stale: tuple[Stale, ...]
    gaps: tuple[str, ...]


def find(store: Store, answer: str | None, *, text: str | None = None) -> RecordedAnswer:
    """The answer with an id, or the newest whose text was ``text``.

    Raises:
        StoreError: there is none; the message says what else to try.
    """
    known = Identities(store)
    if text is not None:
        secret = digests.key(store.path, create=False)
        ids = store.with_text(digests.digest(secret, text)) if secret is not None else []
        if not ids:
            raise StoreError(
                "no stored answer has this text (the whole answer, as the application gave it, made on this host or"
                f" with its {digests.KEY_VARIABLE})"
            )
        answer = ids[0]
    row = store.answer(answer or "")
    if row is None:
        raise StoreError(f"no answer {answer} in {store.path}; list them: datahub-llmops answers")
    return load_answer(row, known)


def explain(
    store: Store,
    answer: RecordedAnswer,
    catalog: FullCatalog | None,
    config: MapConfig | None = None,
) -> Explanation:
    """Join. ``config`` is that of ``llm-runs``, so that both end at the same assets.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return _Walk(store, answer, catalog, config or MapConfig()).explanation()


class _Walk:
    """One answer on its way back."""

    def __init__(
        self,
        store: Store,
        answer: RecordedAnswer,
        catalog: FullCatalog | None,
        config: MapConfig,
    ) -> None:
        self._store, self._answer, self._catalog = store, answer, catalog
        self._resolver = Resolver(
            config.instances,
            env=config.env,
            catalog=catalog,
            ambiguous=lambda found: self._gap(
                f"{found.shown} may be {' or '.join(found.candidates)}: say which with `instances` in the recipe of "
                "llm-runs, and name it: --recipe"
            ),
        )
        self._rules = provenance.compile(
            provenance.ProvenanceConfig(rules=config.source_rules), env=config.env
        )
        self._secret = digests.key(store.path, create=False)
        self._gaps: list[str] = []
        self._writers: dict[str, Writer] = {}
        self._known: list[tuple[int, Raw]] | None = None

    def _gap(self, text: str) -> None:
        if text not in self._gaps:
            self._gaps.append(text)

    def explanation(self) -> Explanation:
        """Everything."""
        documents = tuple(self._documents())
        rests = self._rests_on(documents)
        indexes, origins = self._origins(documents, rests)
        if self._catalog is None:
            self._gap("no catalog was asked: tables, owners and terms are not known")
        return Explanation(
            answer=self._answer,
            prompts=tuple(self._prompt(raw) for raw in self._answer.prompts),
            models=tuple(self._models()),
            documents=documents,
            writers=tuple(self._writers.values()),
            indexes=tuple(indexes),
            origins=tuple(origins),
            stale=tuple(self._stale(indexes, origins)),
            gaps=tuple(self._gaps),
        )

    def _prompt(self, raw: Mapping[str, Any]) -> PromptUsed:
        platform = self._answer.framework or "langchain"
        urn = self._resolver.prompt(raw, self._answer.application, platform)
        digest = raw.get("digest")
        name = raw.get("name") or (f"unnamed, template {str(digest)[:12]}" if digest else "unnamed")
        there = urn is not None and self._catalog is not None and bool(self._catalog.nodes([urn]))
        return PromptUsed(
            urn=urn, name=str(name), version=raw.get("version"), digest=digest, in_catalog=there
        )

    def _models(self) -> list[ModelUsed]:
        return [
            ModelUsed(
                asked=model_name(call.asked),
                served=model_name(call.served) or model_name(call.asked),
                urn=self._resolver.model(call.served or call.asked),
                tokens_in=call.tokens_in,
                tokens_out=call.tokens_out,
                status="cached" if call.cached else call.status,
            )
            for call in self._answer.models
        ]

    def _documents(self) -> list[Document]:
        leaves = [one for one in self._answer.retrievals if not one.composite]
        return [self._document(one, chunk) for one in leaves for chunk in one.chunks]

    def _document(self, retrieval: Retrieval, chunk: Chunk) -> Document:
        index = self._resolver.index(retrieval.index)
        if index is None:
            self._gap(
                f"index not resolved: {shown(retrieval.index)}; name it: lineage.name_index(store, urn)"
            )
        raw = chunk.source or {}
        given = raw.get("urn")
        source = given if isinstance(given, str) else self._rules.match(str(raw.get("value", "")))
        run = self._writer(retrieval, chunk, index)
        rests: RestsOn = "index" if source is None else "row" if chunk.key is not None else "source"
        fields = raw.get("fields")
        return Document(
            chunk=chunk.id,
            score=chunk.score,
            index=index,
            index_shown=shown(retrieval.index),
            source=source,
            source_shown=str(given or raw.get("value")) if raw else None,
            key=chunk.key,
            text_fields=tuple(fields.split(",")) if isinstance(fields, str) else (),
            rests_on=rests,
            run=run,
        )

    def _writer(self, retrieval: Retrieval, chunk: Chunk, index: str | None) -> str | None:
        found = self._last_writer(retrieval.index_number, chunk, index)
        if found is None and chunk.run is not None:
            found = self._store.run(chunk.run)
        if found is None:
            return chunk.run
        if found.run not in self._writers:
            self._writers[found.run] = _as_writer(load_writes(found, Identities(self._store)))
        return found.run

    def _last_writer(self, number: int | None, chunk: Chunk, index: str | None) -> WriteRow | None:
        """Also of one that wrote into the same index by another of its names."""
        if chunk.id is None or self._secret is None:
            return None
        key = digests.chunk_key(self._secret, chunk.id)
        found = []
        for other, raw in self._indexes():
            written = self._store.writer_of(other, key)
            if written is not None and (other == number or (index and self._resolver.index(raw) == index)):
                found.append(written)
        return max(found, key=lambda one: one.ended, default=None)

    def _indexes(self) -> list[tuple[int, Raw]]:
        if self._known is None:
            self._known = list(self._store.identities("index"))
        return self._known

    @staticmethod
    def _rests_on(documents: tuple[Document, ...]) -> dict[str, RestsOn]:
        """Sources that documents name themselves; a row says more than a source."""
        found: dict[str, RestsOn] = {}
        for document in documents:
            if document.source is not None and found.get(document.source) != "row":
                found[document.source] = document.rests_on
        return found

    def _origins(
        self, documents: tuple[Document, ...], rests: Mapping[str, RestsOn]
    ) -> tuple[list[Origin], list[Origin]]:
        catalog = self._catalog
        if catalog is None:
            return [], []
        indexes: list[Origin] = []
        above: dict[str, Origin] = {}
        for index in dict.fromkeys(one.index for one in documents if one.index is not None):
            try:
                walk = catalog.lineage(index, "up", HOPS)
            except UnknownAssetError:
                self._gap(f"{index} is not in the catalog: run the recipe of its store")
                continue
            columns: dict[str, set[tuple[str, str]]] = {}
            for edge in walk.edges:
                for pair in edge.columns:
                    columns.setdefault(asset_of(pair.upstream), set()).add((pair.upstream, pair.downstream))
            for node in walk.nodes:
                origin = self._origin(
                    node, rests.get(node.urn, "index"), tuple(sorted(columns.get(node.urn, ())))
                )
                if node.hops == 0:
                    indexes.append(origin)
                else:
                    above.setdefault(node.urn, origin)
        missing = [urn for urn in rests if urn not in above]
        for node in catalog.nodes(missing):
            above[node.urn] = self._origin(node, rests[node.urn], ())
        for urn in missing:
            if urn not in above:
                self._gap(f"{urn} is named by a document and not in the catalog")
        return indexes, list(above.values())

    def _origin(self, node: Node, rests: RestsOn, columns: tuple[tuple[str, str], ...]) -> Origin:
        return Origin(
            urn=node.urn,
            type=node.type,
            subtype=node.subtype,
            name=node.name,
            owners=node.owners,
            terms=node.terms,
            tags=node.tags,
            rests_on=rests,
            modified=self._modified(node.urn) if node.type == "dataset" else None,
            column_edges=columns,
        )

    def _modified(self, urn: str) -> int | None:
        assert self._catalog is not None
        operation = self._catalog.latest(urn).get("operation", {})
        properties = self._catalog.aspects(urn, ["datasetProperties"]).get("datasetProperties", {})
        stamps = [operation.get("lastUpdatedTimestamp"), (properties.get("lastModified") or {}).get("time")]
        known = [stamp for stamp in stamps if isinstance(stamp, int)]
        return max(known) if known else None

    @staticmethod
    def _stale(indexes: list[Origin], origins: list[Origin]) -> list[Stale]:
        return [
            Stale(
                index=index.urn,
                source=origin.urn,
                index_modified=index.modified,
                source_modified=origin.modified,
            )
            for index in indexes
            for origin in origins
            if index.modified is not None and origin.modified is not None and origin.modified > index.modified
        ]


def _as_writer(found: RecordedWrites) -> Writer:
    return Writer(
        run=found.run,
        job=found.job or f"index {found.index.get('collection', 'documents')}",
        flow=found.flow or found.application,
        orchestrator=found.orchestrator or found.framework,
        embedding_model=model_name(found.embedding),
        sources=tuple(sorted(raw["urn"] for raw, _ in found.sources if isinstance(raw.get("urn"), str))),
        started=found.started,
        ended=found.ended,
    )
