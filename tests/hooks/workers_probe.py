"""A chain with the hooks attached, sent to the workers of a cluster on this machine as the cluster sends it.

``python tests/hooks/workers_probe.py {ray,spark} FOLDER`` in an environment of its own; prints as JSON what the
application and its workers said. Needs the cluster's package, langchain-core, numpy, and this package.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datahub_llmops.hooks as lineage
from datahub_llmops.hooks.langchain import handler as langchain
from hooks import parts

TASKS = 8
Said: TypeAlias = list[dict[str, Any]]


def without(chain: Any, handle: lineage.Handle) -> dict[str, Any]:
    """In a worker where nobody has attached."""
    with lineage.answer():
        said = chain.invoke("q", {"metadata": {"handle": handle}}).content
    return {"pid": os.getpid(), "said": said, "enabled": handle.stats()["enabled"]}


def attached(chain: Any, handle: lineage.Handle, store: str) -> dict[str, Any]:
    """As the documentation says: every task attaches, and flushes since the cluster kills its workers."""
    assert lineage.attach("support-bot", store=store) is handle
    with lineage.answer() as a:
        said = chain.invoke("q", {"metadata": {"handle": handle}}).content
    assert handle.flush(10), handle.stats()
    return {"pid": os.getpid(), "said": said, "id": a.id, "errors": handle.stats()["errors"]}


def on_ray(chain: Any, handle: lineage.Handle, store: str) -> tuple[Said, Said]:
    """Tasks, and an actor that attaches when it is made."""
    # Otherwise it leaves a token in the home folder, and calls home.
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray  # type: ignore[import-not-found]  # in its own environment

    class Bot:
        def __init__(self) -> None:
            lineage.attach("support-bot", store=store)

        def ask(self) -> dict[str, Any]:
            return attached(chain, handle, store)

    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100_000_000,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,  # Short: it holds sockets.
        )
        try:
            task = ray.remote(without)
            bare = ray.get([task.remote(chain, handle) for _ in range(TASKS)])
            task = ray.remote(attached)
            asked = ray.get([task.remote(chain, handle, store) for _ in range(TASKS)])
            bot = ray.remote(Bot).remote()
            return bare, asked + ray.get([bot.ask.remote() for _ in range(TASKS)])
        finally:
            ray.shutdown()


def on_spark(chain: Any, handle: lineage.Handle, store: str) -> tuple[Said, Said]:
    """Partitions, in forks of a daemon."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # in its own environment

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        partitions = session.sparkContext.parallelize(range(TASKS), TASKS)
        bare = partitions.map(lambda _: without(chain, handle)).collect()
        return bare, partitions.map(lambda _: attached(chain, handle, store)).collect()
    finally:
        session.stop()


CLUSTERS: dict[str, Callable[..., tuple[Said, Said]]] = {"ray": on_ray, "spark": on_spark}

if __name__ == "__main__":
    folder = Path(sys.argv[2])
    handle = lineage.attach("support-bot", store=folder / "application.db")
    chain = parts.rag(parts.InMemoryVectorStore.from_documents(parts.DOCUMENTS, parts.NamedEmbedding(size=8)))
    with lineage.answer() as a:
        chain.invoke("q")
    handler = langchain.attached()
    assert handler is not None
    # The handler once more by name, which makes it part of what is sent.
    sent = chain.with_config(callbacks=[handler])
    bare, asked = CLUSTERS[sys.argv[1]](sent, handle, str(folder / "workers.db"))
    assert handle.flush(10), handle.stats()
    sys.stdout.write(json.dumps({"pid": os.getpid(), "id": a.id, "without": bare, "attached": asked}))
