"""What ``llm-runs`` says in our own aspects, and usage of one day from several hosts."""

from __future__ import annotations

import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate

import datahub_llmops.hooks as lineage
from datahub_llmops.aspects.manifest import aspect_names
from hooks.parts import Model, Overloaded
from runs.world import INDEX, JOB, LOG, PROMPT, RETRIEVER, World

MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,gpt-test-2026-01,PROD)"
EMBEDDED = "urn:li:mlModel:(urn:li:dataPlatform:custom,text-embedding-3-small,PROD)"
PRICES = [{"model": "openai/gpt-test(-.*)?", "input": 2, "cached_input": 1, "output": 10}]
# 20 tokens in that were not cached, 10 that were, 5 out.
COST = (20 * 2 + 10 * 1 + 5 * 10) / 1_000_000
HERE = f"host={socket.gethostname()}"


def usage(world: World, urn: str) -> list[dict[str, Any]]:
    """Every record of an asset's usage in the catalog, by partition."""
    with closing(sqlite3.connect(world.catalog)) as db:
        rows = db.execute(
            "select body from series where name = 'llmUsage' and asset = (select id from asset where urn = ?)",
            (urn,),
        ).fetchall()
    return sorted((json.loads(row[0]) for row in rows), key=lambda one: one["partitionSpec"]["partition"])


def of_host(world: World, urn: str) -> dict[str, Any]:
    [whole] = [one for one in usage(world, urn) if one["partitionSpec"]["partition"] == HERE]
    return whole


def test_usage_of_an_application_and_of_all_that_it_uses(world: World) -> None:
    world.index()
    for _ in range(2):
        world.ask()
    world.runs(prices=PRICES, currency="EUR")
    application = of_host(world, JOB)
    assert {key: application[key] for key in ("calls", "errors", "inputTokens", "cachedInputTokens")} == {
        "calls": 2,
        "errors": 0,
        "inputTokens": 60,
        "cachedInputTokens": 20,
    }
    assert (application["outputTokens"], application["reasoningTokens"]) == (10, 4)
    assert application["cost"] == pytest.approx(2 * COST)
    assert application["currency"] == "EUR"
    assert application["eventGranularity"] == {"unit": "DAY", "multiple": 1}
    assert sum(bucket["calls"] for bucket in application["latencyHistogram"]) == 2
    assert application["latencyMillis"] >= 0
    assert "cacheWriteTokens" not in application
    model = of_host(world, MODEL)
    assert (model["calls"], model["inputTokens"], model["cost"]) == (2, 60, pytest.approx(2 * COST))
    prompt = of_host(world, PROMPT)
    assert (prompt["calls"], prompt["inputTokens"]) == (2, 60)
    assert "latencyMillis" not in prompt
    for urn in (RETRIEVER, INDEX):
        found = of_host(world, urn)
        assert (found["calls"], found["errors"], found["distinctChunks"]) == (2, 0, 2)
        assert "inputTokens" not in found
    assert usage(world, LOG) == []


def test_a_version_is_counted_by_itself(world: World) -> None:
    for version in ("7", "8"):
        with lineage.application("support-bot", version=version):
            world.ask()
    world.runs()
    calls = {one["partitionSpec"]["partition"]: one["calls"] for one in usage(world, JOB)}
    assert calls == {HERE: 2, f"{HERE}/version=7": 1, f"{HERE}/version=8": 1}


def test_without_prices_there_is_no_cost(world: World) -> None:
    world.ask()
    world.runs()
    assert {"cost", "currency"}.isdisjoint(of_host(world, JOB))


def test_one_call_without_a_price_leaves_the_cost_of_its_day_unknown(world: World) -> None:
    world.ask()
    Model(model_name="other").invoke("q")
    world.runs(prices=PRICES)
    assert "cost" not in of_host(world, JOB)
    assert of_host(world, MODEL)["cost"] == pytest.approx(COST)


def test_an_error_is_counted_and_costs_nothing(world: World) -> None:
    world.ask()
    with pytest.raises(Overloaded):
        Model(fail=True).invoke("q")
    world.runs(prices=PRICES)
    application = of_host(world, JOB)
    assert (application["calls"], application["errors"]) == (2, 1)
    assert application["cost"] == pytest.approx(COST)


def test_a_repeat_and_a_late_answer_replace_their_day(world: World) -> None:
    world.ask()
    world.runs()
    world.runs()
    world.ask()
    world.runs()
    assert of_host(world, JOB)["calls"] == 2
    world.ingest("llm-runs", {"store": str(world.store)}, state=False)
    assert of_host(world, JOB)["calls"] == 2
    assert len(usage(world, JOB)) == 2  # All of it, and its version.


def test_two_hosts_have_their_own_part_of_a_day(world: World, tmp_path: Path) -> None:
    world.ask()
    assert world.handle.flush(10)
    other = tmp_path / "elsewhere.db"
    with closing(sqlite3.connect(world.store)) as db, closing(sqlite3.connect(other)) as copy:
        db.backup(copy)
        copy.execute("update answers set body = json_set(body, '$.h', 'elsewhere')")
        copy.commit()
    world.ask()
    for _ in range(2):
        world.runs()
        world.runs(store=str(other))
    calls = {one["partitionSpec"]["partition"]: one["calls"] for one in usage(world, JOB)}
    assert calls == {
        HERE: 2,
        f"{HERE}/version=7": 2,
        "host=elsewhere": 1,
        "host=elsewhere/version=7": 1,
    }


def test_what_retriever_prompt_and_application_are(world: World) -> None:
    world.index()
    world.ask()
    world.connector()
    world.runs()
    retriever = world.aspect(RETRIEVER, "retrieverInfo")
    version = retriever.pop("frameworkVersion")
    assert retriever == {
        "searchType": "similarity",
        "k": 2,
        "framework": "langchain",
        "indexNames": "default_database.docs",
        "indexes": [INDEX],
    }
    columns = world.aspect(PROMPT, "schemaMetadata")["fields"]
    assert [column["fieldPath"] for column in columns] == ["context", "question"]
    assert world.aspect(PROMPT, "subTypes") == {"typeNames": ["Prompt"]}
    prompt = world.aspect(PROMPT, "promptInfo")
    digest = prompt.pop("templateDigest")
    assert prompt == {
        "registry": "langfuse",
        "promptName": "support",
        "promptVersion": "3",
        "variables": "context, question",
        "templateFormat": "f-string",
    }
    assert digest.startswith("t1:")
    assert world.aspect(JOB, "llmApplicationInfo") == {
        "framework": "langchain",
        "frameworkVersion": version,
        "applicationVersion": "7",
        "promptCount": 1,
        "prompts": "support.v3",
        "retrieverCount": 1,
        "retrievers": "docs",
        "modelCount": 1,
        "models": "openai/gpt-test-2026-01",
    }


def test_what_an_application_was_built_of_earlier_stays_known(world: World) -> None:
    world.index()
    world.ask()
    world.runs()
    prompt = ChatPromptTemplate.from_template("{question}")
    prompt.metadata = {"prompt_name": "short", "prompt_version": "2"}
    with lineage.answer():
        Model(model_name="small").invoke(prompt.invoke({"question": "q"}))
    assert world.handle.flush(10)
    with closing(sqlite3.connect(world.store)) as db:  # Of another day, as a later run would read it.
        db.execute("delete from answers where id = ?", (world.ids[0],))
        db.commit()
    world.runs()
    found = world.aspect(JOB, "llmApplicationInfo")
    assert (found["prompts"], found["retrievers"]) == ("short.v2, support.v3", "docs")
    assert found["models"] == "openai/gpt-test-2026-01, openai/small-2026-01"


def test_what_a_registry_says_of_a_prompt_stays(world: World) -> None:
    from datahub.emitter.mcp import MetadataChangeProposalWrapper

    from datahub_llmops.aspects.generated import PromptInfoClass, register

    register()
    said = PromptInfoClass(registry="langfuse", promptName="Support", promptVersion="3", labels="production")
    world.emit(MetadataChangeProposalWrapper(entityUrn=PROMPT, aspect=said))
    world.ask()
    world.runs()
    found = world.aspect(PROMPT, "promptInfo")
    assert (found["labels"], found["promptName"]) == ("production", "Support")
    assert found["templateDigest"].startswith("t1:")


def test_a_job_that_nobody_declares_says_its_model(world: World) -> None:
    world.index()
    world.runs()
    embed = "urn:li:dataJob:(urn:li:dataFlow:(langchain,support-bot,PROD),embed articles)"
    assert world.aspect(embed, "embeddingJobInfo") == {
        "embeddingModel": "text-embedding-3-small",
        "embeddingModelUrn": EMBEDDED,
    }


def test_off_writes_none_of_them_and_all_the_rest(world: World) -> None:
    world.index()
    world.ask()
    report = world.runs(custom_aspects="off")
    assert "custom_aspects is off" in report.custom_aspects
    for urn in (JOB, RETRIEVER, PROMPT, MODEL):
        assert usage(world, urn) == []
        assert all(world.aspect(urn, name) is None for name in aspect_names())
    assert world.aspect(INDEX, "datasetUsageStatistics")["totalSqlQueries"] == 1


def test_prompts_that_are_rendered_first_are_not_an_event_each(world: World) -> None:
    for number in range(30):
        with lineage.answer():
            prompt = ChatPromptTemplate.from_template(f"Question {number}: {{question}}")
            Model().invoke(prompt.invoke({"question": "q"}))
    world.runs()
    with closing(sqlite3.connect(world.catalog)) as db:
        [(prompts,)] = db.execute(
            "select count(distinct asset.urn) from series join asset on asset.id = series.asset"
            " where asset.urn like '%support-bot.prompt-%'"
        ).fetchall()
    assert prompts == 20


def test_an_application_of_both_frameworks_has_the_version_of_each(world: World) -> None:
    import langchain_core
    import llama_index.core
    from llama_index.core import Document as LlamaDocument
    from llama_index.core import MockEmbedding, Settings, VectorStoreIndex
    from llama_index.core.llms import MockLLM

    Settings.llm, Settings.embed_model = MockLLM(), MockEmbedding(8)
    engine = VectorStoreIndex.from_documents([LlamaDocument(text="t")]).as_query_engine()
    world.index()
    world.ask()
    with lineage.answer():
        Model().invoke("q")
        engine.query("q")
    world.runs(custom_aspects="on")
    ours, theirs = langchain_core.__version__, llama_index.core.__version__
    assert world.aspect(JOB, "llmApplicationInfo")["frameworkVersion"] == (
        f"langchain {ours}, llama-index {theirs}"
    )
    assert world.aspect(RETRIEVER, "retrieverInfo")["frameworkVersion"] == ours
    other = RETRIEVER.replace("langchain", "llama-index").replace("VectorStore", "VectorIndex")
    found = world.aspect(other, "retrieverInfo")
    assert (found["framework"], found["frameworkVersion"]) == ("llama-index", theirs)
