"""An application with real LangChain and Chroma, the store that the hooks keep of it, and its local catalog."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datahub.ingestion.run.pipeline import Pipeline
from datahub.ingestion.sink.file import write_metadata_file
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate

import datahub_llmops.hooks as lineage
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.mapping.proposals import Proposal
from hooks.parts import Model, NamedEmbedding

TABLE = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.articles,PROD)"
INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),support-bot)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.VectorStoreRetriever,PROD)"
PROMPT = "urn:li:dataset:(urn:li:dataPlatform:langfuse,support.v3,PROD)"


@dataclass
class World:
    """An application, its store and its catalog."""

    folder: Path
    handle: lineage.Handle
    ids: list[str]
    embedding: NamedEmbedding
    opened: list[Chroma] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "answers.db"

    @property
    def catalog(self) -> Path:
        return self.folder / "catalog.db"

    def chroma(self) -> Chroma:
        self.opened.append(Chroma("docs", self.embedding, persist_directory=str(self.folder / "chroma")))
        return self.opened[-1]

    def close(self) -> None:
        """Chroma keeps a dozen files of each folder open until its last client is closed."""
        for store in self.opened:
            store._client.close()

    def index(self) -> None:
        """A job that stamps."""
        documents = [
            Document(f"text {n}", id=f"chunk-{n}", metadata={"row_id": f"row-{n}"}) for n in range(3)
        ]
        with lineage.job(
            "embed articles", source=TABLE, key_field="row_id", text_fields=("body",), stamp=True
        ):
            self.chroma().add_documents(documents)

    def ask(self, version: str = "1") -> str:
        """One answer."""
        prompt = ChatPromptTemplate.from_messages([("system", "Use {context}"), ("human", "{question}")])
        prompt.metadata = {"langfuse_prompt": {"name": "support", "version": 3}}
        with lineage.answer() as a:
            found = self.chroma().as_retriever(search_kwargs={"k": 2}).invoke("q")
            Model().invoke(prompt.invoke({"context": str(len(found)), "question": "q"}))
        self.ids.append(a.id)
        return a.id

    def embedded_with(self, model: str) -> None:
        """From now on texts and queries are embedded with another model."""
        self.embedding = NamedEmbedding(size=8, model=model)

    def long_ago(self, seconds: int) -> None:
        """Everything that is stored happened earlier, the writes an hour before the answers."""
        assert self.handle.flush(10)
        with closing(sqlite3.connect(self.store)) as db:
            for (name,) in db.execute("select id from answers").fetchall():
                moved = f"{int(name[:12], 16) - seconds * 1000:012x}{name[12:]}"
                db.execute(
                    "update answers set id = ?, ended = ended - ? where id = ?", (moved, seconds, name)
                )
            writes = seconds + 3_600
            db.execute("update writes set started = started - ?, ended = ended - ?", (writes, writes))
            db.commit()

    def ingest(self, source: str, config: dict[str, Any], *, state: bool = True) -> Any:
        """Run a recipe into the catalog; the source's report."""
        assert self.handle.flush(10)
        recipe: dict[str, Any] = {
            "pipeline_name": source,
            "source": {"type": source, "config": dict(config)},
            "sink": {"type": "llm-local", "config": {"path": str(self.catalog)}},
        }
        if state:
            recipe["source"]["config"]["stateful_ingestion"] = {
                "enabled": True,
                "state_provider": {"type": "llm-local", "config": {"path": str(self.catalog)}},
            }
        pipeline = Pipeline.create(recipe)
        pipeline.run()
        pipeline.raise_from_status()
        return pipeline.source.get_report()

    def runs(self, **config: Any) -> Any:
        return self.ingest("llm-runs", {"store": str(self.store), **config})

    def connector(self, **config: Any) -> Any:
        return self.ingest("llm-chroma", {"path": str(self.folder / "chroma"), **config})

    def emit(self, *proposals: Proposal) -> None:
        """What another source says."""
        written = self.folder / "others.json"
        write_metadata_file(written, list(proposals))
        self.ingest("file", {"path": str(written)}, state=False)

    def aspect(self, urn: str, name: str) -> Any:
        catalog = LocalCatalog(self.catalog)
        try:
            return catalog.aspects(urn, [name]).get(name) or catalog.latest(urn).get(name)
        finally:
            catalog.close()

    def edges(self, urn: str, field: str = "inputDatasetEdges") -> set[str]:
        found = self.aspect(urn, "dataJobInputOutput") or {}
        return {edge["destinationUrn"] for edge in found.get(field) or []}
