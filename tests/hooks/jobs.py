"""Tasks of a Celery worker with a broker of files, for the tests of deployments.

``celery --app hooks.jobs worker``; folder of the broker in ``BROKER``, the store in ``DATAHUB_LLMOPS_STORE``.
"""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery  # type: ignore[import-untyped]  # ships no types

import datahub_llmops.hooks as lineage
from hooks import parts

FOLDER = os.environ["BROKER"]
Path(FOLDER, "queue").mkdir(exist_ok=True, parents=True)
app = Celery("jobs", broker="filesystem://", backend=f"file://{FOLDER}")
app.conf.broker_transport_options = {
    "data_folder_in": f"{FOLDER}/queue",
    "data_folder_out": f"{FOLDER}/queue",
    "control_folder": f"{FOLDER}/control",
}
lineage.attach("support-bot")
_chain = parts.rag(parts.InMemoryVectorStore.from_documents(parts.DOCUMENTS, parts.NamedEmbedding(size=8)))


@app.task  # type: ignore[untyped-decorator]  # ships no types
def ask() -> str:
    """One answer; its id is the result."""
    with lineage.answer() as a:
        _chain.invoke("planted question")
    return a.id
