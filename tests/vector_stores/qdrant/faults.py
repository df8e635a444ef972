"""How `llm-qdrant` is put through the fault matrix."""

from __future__ import annotations

from faults.matrix import SECRET, At, over_http, with_login
from support.stub import Stub
from vector_stores.qdrant.engine import missing

FAULTS = (
    over_http(
        title="Qdrant",
        system="qdrant",
        store="Qdrant at 127.0.0.1",
        fixture="qdrant_written",
        stub=lambda engine, **options: Stub(engine.answer, missing=missing("articles"), **options),
        recipe=lambda url: {
            "url": with_login(url),
            "api_key": SECRET,
            "collection_pattern": {"allow": ["articles", "llama", "notes"]},
        },
        listing=At(requests=lambda call: call.path == "/collections"),
        reading=At(requests=lambda call: call.path == "/collections/articles", item="articles"),
        counting=At(requests=lambda call: call.path == "/collections/articles/facet", item="articles"),
    ),
)
