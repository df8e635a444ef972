"""Asks a model through LangChain's or LlamaIndex's package of OpenAI: ``FRAMEWORK URL STORE``.

It runs in the environment ``instrumentations``, where neither DataHub nor this package is installed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import datahub_llmops.hooks as lineage


def langchain(url: str) -> None:
    """At once, asynchronously, and as a stream."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="k", stream_usage=True)
    model.invoke("q")
    asyncio.run(model.ainvoke("q"))
    list(model.stream("q"))


def llama_index(url: str) -> None:
    """At once, asynchronously, and as a stream."""
    from llama_index.llms.openai import OpenAI

    options: Any = {"additional_kwargs": {"stream_options": {"include_usage": True}}}
    model = OpenAI(model="gpt-4o-mini", api_base=url, api_key="k", **options)
    plain = OpenAI(model="gpt-4o-mini", api_base=url, api_key="k")
    plain.complete("q")
    asyncio.run(plain.acomplete("q"))
    list(model.stream_complete("q"))


def main(framework: str, url: str, store: str) -> None:
    """Ask, and write everything."""
    handle = lineage.attach("bot", store=store)
    (langchain if framework == "langchain" else llama_index)(url)
    assert handle.flush(20)


if __name__ == "__main__":
    main(*sys.argv[1:])
