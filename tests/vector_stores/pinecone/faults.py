"""How `llm-pinecone` is put through the fault matrix. Every index has a host of its own."""

from __future__ import annotations

from faults.matrix import At, over_http
from vector_stores.pinecone.service import KEY, PineconeService

_FETCH = "/hosts/docs/vectors/fetch"

FAULTS = (
    over_http(
        title="Pinecone",
        system="pinecone",
        store="Pinecone at 127.0.0.1",
        fixture="pinecone_written",
        stub=lambda indexes, **options: PineconeService(*indexes, **options),
        recipe=lambda url: {
            "url": url,
            "api_key": KEY,
            "sample_rows": 10,
            "index_pattern": {"allow": ["docs", "hybrid", "sparse"]},
        },
        listing=At(requests=lambda call: call.path == "/indexes"),
        reading=At(requests=lambda call: call.path == "/hosts/docs/describe_index_stats", item="docs"),
        counting=At(
            requests=lambda call: call.path == _FETCH and call.query["namespace"] == ["__default__"],
            item="docs.__default__",
        ),
    ),
)
