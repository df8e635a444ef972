"""A web application as servers load it: attached once, before they fork or after, and asked by HTTP.

``gunicorn hooks.web:application``, ``uwsgi --module hooks.web:application``; the store in ``DATAHUB_LLMOPS_STORE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import datahub_llmops.hooks as lineage
from hooks import parts

lineage.attach("support-bot")
_chain = parts.rag(parts.InMemoryVectorStore.from_documents(parts.DOCUMENTS, parts.NamedEmbedding(size=8)))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """One answer a request; its id is the response."""
    with lineage.answer() as a:
        _chain.invoke("planted question")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [a.id.encode()]
