"""What is kept of the attributes of spans, and what is dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.attributes import Selection


def test_content_is_dropped_and_identifiers_are_kept() -> None:
    selection = Selection()
    kept = selection.pick(
        {
            "openinference.span.kind": "LLM",
            "input.value": "a question",
            "llm.input_messages.0.message.content": "a prompt",
            "llm.prompt_template.template": "Answer {question}",
            "gen_ai.usage.input_tokens": 7,
            "datahub_llmops.answer.id": "0af7",
        }
    )
    assert kept == {
        "openinference.span.kind": "LLM",
        "gen_ai.usage.input_tokens": 7,
        "datahub_llmops.answer.id": "0af7",
    }


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
@pytest.mark.parametrize("within", [True, False])
def test_ids_and_sources_of_a_retrievers_output_are_kept_and_nothing_else_of_it(
    separators: tuple[str, str], within: bool
) -> None:
    documents = [
        {"id": "c1", "page_content": "text", "metadata": {"source": "s3://kb/a.md", "note": "more"}},
        {"page_content": "more"},
    ]
    output = json.dumps({"documents": documents} if within else documents, separators=separators)
    assert Selection().pick({"output.value": output}) == {
        "output.value": [
            {"id": "c1", "score": None, "metadata": {"source": "s3://kb/a.md"}},
            {"id": None, "score": None, "metadata": {}},
        ]
    }


def test_other_outputs_are_dropped_and_are_not_too_long() -> None:
    selection = Selection()
    calls = json.dumps([{"id": "call_1", "function": {"name": "search"}}])
    assert selection.pick({"output.value": "an answer", "gen_ai.completion": '{"text": 1}'}) == {}
    assert selection.dropped == 0
    assert selection.pick({"langfuse.observation.output": calls}) == {}


@pytest.mark.parametrize("given", [dict, json.dumps])
def test_a_runs_metadata_keeps_the_keys_of_frameworks_and_registries(given: Any) -> None:
    metadata = {"ls_provider": "openai", "lc_hub_repo": "support", "customer": "Ada", "thread_id": "7"}
    kept = Selection().pick({"metadata": given(metadata)})
    assert kept == {"metadata": {"ls_provider": "openai", "lc_hub_repo": "support"}}


def test_numbers_that_are_none_in_json_do_not_hide_a_documents_source() -> None:
    name = "retrieval.documents.0.document.metadata"
    kept = Selection().pick({name: '{"source": "s3://kb/a.md", "similarity": NaN, "note": "text"}'})
    assert kept == {name: {"source": "s3://kb/a.md"}}


def test_results_of_a_search_become_lists_without_their_texts() -> None:
    kept: dict[str, Any] = {}
    selection = Selection()
    for number in range(2):
        selection.event(
            "db.query.result",
            {
                "db.query.result.id": f"c{number}",
                "db.query.result.distance": 0.5,
                "db.query.result.metadata": '{"source": "s3://kb/a.md", "note": "text"}',
                "db.query.result.document": "text",
            },
            kept,
        )
    selection.event("gen_ai.choice", {"content": "text"}, kept)
    assert kept == {
        names.RESULT_IDS: ["c0", "c1"],
        names.RESULT_SCORES: [0.5, 0.5],
        names.RESULT_METADATA: [{"source": "s3://kb/a.md"}] * 2,
    }


def test_the_rows_of_a_query_without_an_id_of_their_own_are_content() -> None:
    kept: dict[str, Any] = {}
    Selection().event("db.query.result", {"id": 7, "text": "text"}, kept)
    assert kept == {}


def test_stamps_of_the_hooks_are_the_same_if_they_are_written_as_texts() -> None:
    index = ['{"platform":"qdrant","collection":"docs"}', "urn:li:x"]
    given = {
        "datahub_llmops.index.raw": index,
        "datahub_llmops.recorded": False,
        "datahub_llmops.application": "[support] bot",
    }
    as_texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    assert as_texts["datahub_llmops.recorded"] == "false"
    assert Selection().pick(as_texts) == Selection().pick(given) == given
