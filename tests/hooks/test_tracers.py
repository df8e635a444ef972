"""Which span has the stamp beside real instrumentations, as docs/hooks.md says it."""

from __future__ import annotations

import json
from typing import Final

import pytest

from hooks.test_probes import run, version
from support import engines

REQUEST: Final = {"index": "request", "prompt": "request", "application": "request"}
_WORKFLOW: Final = {
    "index": "execute_task RunnableParallel<context,question>",
    "prompt": "RunnableSequence.workflow",
    "application": "RunnableSequence.workflow",
}
STAMPED: Final = {
    # Its spans of LangChain are never the current one.
    ("openinference", "langchain", "hooks first"): (REQUEST, {}),
    ("openinference", "langchain", "tracer first"): (REQUEST, {}),
    ("openllmetry", "langchain", "hooks first"): (_WORKFLOW, _WORKFLOW),
    ("openllmetry", "langchain", "tracer first"): (_WORKFLOW, _WORKFLOW),
    ("openinference", "llama-index", "hooks first"): (
        {"index": "VectorIndexRetriever.retrieve", "prompt": "MockLLM.complete", "application": "request"},
        {
            "index": "VectorIndexRetriever.retrieve",
            "prompt": "MockLLM.complete",
            "application": "VectorIndexRetriever.retrieve",
        },
    ),
    ("openinference", "llama-index", "tracer first"): (
        {
            "index": "RetrieverQueryEngine._query",
            "prompt": "MockLLM.complete",
            "application": "RetrieverQueryEngine.query",
        },
    )
    * 2,
    ("openllmetry", "llama-index", "hooks first"): (
        {"index": "VectorIndexRetriever.task", "prompt": "MockLLM.task", "application": "request"},
        {
            "index": "VectorIndexRetriever.task",
            "prompt": "MockLLM.task",
            "application": "VectorIndexRetriever.task",
        },
    ),
    ("openllmetry", "llama-index", "tracer first"): (
        {
            "index": "RetrieverQueryEngine.task",
            "prompt": "MockLLM.task",
            "application": "RetrieverQueryEngine.workflow",
        },
    )
    * 2,
}
"""The spans with index, prompt and application: inside a span of the application's own, and without one."""


@pytest.mark.parametrize(("tool", "framework", "order"), STAMPED)
def test_the_span_that_is_stamped(tool: str, framework: str, order: str) -> None:
    said = run("instrumentations", "-m", "hooks.stamped_spans", tool, framework, order)
    assert json.loads(said.splitlines()[-1]) == list(STAMPED[tool, framework, order])
    engines.ran("instrumentations", version("instrumentations", "opentelemetry-sdk"))
