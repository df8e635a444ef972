"""Writes a collection with LangChain's own package: ``python write_langchain.py URL TOKEN DATABASE WORD``."""

from __future__ import annotations

import sys

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_milvus import Milvus


def main() -> None:
    """Thirty chunks of three files, in typed columns; the same with metadata in a JSON column."""
    url, token, database, word = sys.argv[1:]
    documents = [
        Document(page_content=f"{word} {n}", metadata={"source": f"/kb/{n % 3}.md", "page": n})
        for n in range(30)
    ]
    for name, options in (("notes", {}), ("nested", {"metadata_field": "metadata"})):
        Milvus.from_documents(
            documents,
            DeterministicFakeEmbedding(size=8),
            collection_name=name,
            connection_args={"uri": url, "token": token, "db_name": database},
            auto_id=True,
            **options,
        )


if __name__ == "__main__":
    main()
