"""Identities of real store objects whose engines cannot be had: what can be made without a connection.

``python tests/hooks/places_probe.py pinecone`` in an environment of its own, since Pinecone's client and the older one
that DataHub's source pins overwrite each other; prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

SECRET = "planted-key-5ec7e7"
PINECONE = "https://my-docs-abc1234.svc.us-east-1-aws.pinecone.io"


def pinecone() -> dict[str, Any]:
    """Both frameworks, by host and by client."""
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_pinecone import PineconeVectorStore  # type: ignore[import-not-found]  # in its own environment
    from llama_index.vector_stores.pinecone import (  # type: ignore[import-not-found]  # as above
        PineconeVectorStore as LlamaStore,
    )
    from pinecone import Pinecone  # type: ignore[import-untyped]  # ships no types

    embedding = DeterministicFakeEmbedding(size=8)
    index = Pinecone(api_key=SECRET).Index(host=PINECONE)
    return {
        "langchain, index": PineconeVectorStore(index=index, embedding=embedding, namespace="ns"),
        "langchain, host": PineconeVectorStore(host=PINECONE, pinecone_api_key=SECRET, embedding=embedding),
        "llama-index": LlamaStore(pinecone_index=index, namespace="ns"),
    }


STORES: dict[str, Callable[[], dict[str, Any]]] = {"pinecone": pinecone}

if __name__ == "__main__":
    from datahub_llmops.hooks.store_identity import identify_store

    found = {name: identify_store(store) for name, store in STORES[sys.argv[1]]().items()}
    sys.stdout.write(json.dumps(found))
