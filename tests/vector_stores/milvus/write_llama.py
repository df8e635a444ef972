"""Writes a collection with LlamaIndex's own package: ``python write_llama.py URL TOKEN DATABASE WORD``."""

from __future__ import annotations

import asyncio
import sys

from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.vector_stores.milvus import MilvusVectorStore


async def main() -> None:
    """Two chunks of two documents; the store makes an asynchronous client too, which asks for a running loop."""
    url, token, database, word = sys.argv[1:]
    store = MilvusVectorStore(uri=url, token=token, collection_name="llama", dim=3, db_name=database)
    store.add(
        [
            TextNode(
                text=f"{word} {n}",
                metadata={"file_path": f"/kb/{n}.md"},
                embedding=[1.0, 2.0, float(n)],
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc-{n}")},
            )
            for n in (1, 2)
        ]
    )


if __name__ == "__main__":
    asyncio.run(main())
