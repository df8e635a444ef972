"""The demo's embedding job: it splits rows of the warehouse into chunks, and embeds them into a Chroma collection.

It is an ordinary LangChain job. A record manager knows what the collection contains, so a second run writes nothing.
Two calls are ours: ``attach``, and ``lineage.index`` in place of LangChain's ``index``, which stamps each chunk with
the row that it came from. recipes/chroma.dhub.yaml declares which columns the job reads.

    python examples/demo/embed.py demo/warehouse.db demo/chroma demo/answers.db
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager
from langchain_core.documents import Document
from langchain_text_splitters import RecursiveCharacterTextSplitter
from stand_ins import COLLECTION, knowledge_base

import datahub_llmops.hooks as lineage

SOURCE = "urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)"
BATCH = 1000
QUERY = Path(__file__).with_name("embed.sql")


def rows(warehouse: Path) -> Iterator[Document]:
    """Yield one document for each row of the query."""
    database = sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True)
    try:
        for key, name, doc, module, maintainer in database.execute(QUERY.read_text()):
            metadata = {
                "id": key,
                "name": name,
                "module": module,
                "maintainer": maintainer,
                "source": "sqlite:///main.entry_docs",
            }
            yield Document(doc, metadata=metadata)
    finally:
        database.close()


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/demo/embed.py DATABASE CHROMA_FOLDER ANSWER_STORE")
    warehouse, folder, answers = sys.argv[1:]
    handle = lineage.attach(application="knowledge-base", store=answers, source_keys="clear")
    splitter = RecursiveCharacterTextSplitter(chunk_size=512, chunk_overlap=64)
    base = knowledge_base(folder)
    records = SQLRecordManager(f"chroma/{COLLECTION}", db_url=f"sqlite:///{folder}.records.db")
    records.create_schema()
    done = lineage.index(
        splitter.split_documents(rows(Path(warehouse))),
        records,
        base.langchain,
        cleanup="full",
        key_encoder="sha256",
        batch_size=BATCH,
        job_name="embed-docs",
        flow="knowledge-base",
        orchestrator="airflow",
        source=SOURCE,
        key_field="id",
        text_fields=["doc"],
        stamp=True,
    )
    handle.flush()
    added, removed = done["num_added"], done["num_deleted"]
    changes = f"{added:,} added, {removed:,} removed" if added or removed else "unchanged"
    print(f"{folder}: collection {COLLECTION}, {base.collection.count():,} chunks ({changes})")


if __name__ == "__main__":
    main()
