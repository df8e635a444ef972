"""The formats of prompt files: one template in each of them, what else they state, and what is refused."""

from __future__ import annotations

import json

import pytest
from langchain_core.load import dumps
from langchain_core.messages import SystemMessage
from langchain_core.prompts import ChatPromptTemplate

from datahub_llmops.assets.templates import digest
from datahub_llmops.prompt_registries.prompt_files.formats.dispatch import parse, prompt_name
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError, NotAPromptError
from datahub_llmops.prompt_registries.prompt_files.formats.promptflow import Flow, parse_flow

PROMPTY_1 = """---
name: Answer
description: Answers questions of customers.
authors: [ada, jonas]
tags: [support]
model:
  api: chat
  configuration:
    type: azure_openai
    azure_deployment: gpt-4o
  parameters:
    temperature: 0.2
    tools: [{type: function}]
inputs:
  context: {type: string}
  question: {type: string}
sample:
  question: planted-sample
---
system:
Answer from {{context}}.

user:
{{question}}
"""
PROMPTY_2 = """---
name: Answer
description: Answers questions of customers.
metadata: {authors: [ada], tags: [support], version: '2.1'}
model:
  id: gpt-4o
  provider: openai
  connection: {kind: key, apiKey: '${env:OPENAI_API_KEY}'}
  options: {temperature: 0.2}
inputs:
- name: context
  kind: string
- name: question
  kind: string
template: {format: {kind: mustache}, parser: {kind: prompty}}
---
system:
Answer from {{context}}.
user:
{{question}}
"""
GITHUB = """name: Answer
description: Answers questions of customers.
model: openai/gpt-4o
modelParameters: {temperature: 0.2}
messages:
- role: system
  content: Answer from {{context}}.
- role: user
  content: '{{question}}'
testData:
- question: planted-sample
evaluators:
- name: brief
  string: {startsWith: Yes}
"""
DOTPROMPT = """---
model: googleai/gemini-2.0-flash
config: {temperature: 0.2}
input:
  schema:
    context: string
    question?: string, what is asked
---
{{! a comment }}
{{role "system"}}
Answer from {{context}}.
{{role "user"}}
{{question}}
"""
LANGCHAIN_CHAT = json.dumps(
    {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "chat", "ChatPromptTemplate"],
        "kwargs": {
            "input_variables": ["context", "question"],
            "messages": [
                {
                    "lc": 1,
                    "type": "constructor",
                    "id": ["langchain", "prompts", "chat", "SystemMessagePromptTemplate"],
                    "kwargs": {
                        "prompt": {
                            "lc": 1,
                            "type": "constructor",
                            "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
                            "kwargs": {"template": "Answer from {context}.", "template_format": "f-string"},
                        }
                    },
                },
                {
                    "lc": 1,
                    "type": "constructor",
                    "id": ["langchain", "prompts", "chat", "HumanMessagePromptTemplate"],
                    "kwargs": {
                        "prompt": {
                            "lc": 1,
                            "type": "constructor",
                            "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
                            "kwargs": {"template": "{question}", "template_format": "f-string"},
                        }
                    },
                },
            ],
        },
    }
)
MARKDOWN = """---
description: Answers questions of customers.
author: ada
tags: support, chat
variables: [context, question]
model: openai/gpt-4o
temperature: 0.2
template_format: f-string
---
# system:
Answer from {context}.
# user:
{question}
"""
JINJA = "system:\nAnswer from {{ context }}.\n\nuser:\n{{ question }}\n"

SAME = {
    "answer.prompty": PROMPTY_1,
    "second.prompty": PROMPTY_2,
    "answer.prompt.yml": GITHUB,
    "answer.prompt": DOTPROMPT,
    "answer.json": LANGCHAIN_CHAT,
    "answer.md": MARKDOWN,
    "answer.jinja2": JINJA,
}
DIGEST = digest([("system", "Answer from {context}."), ("user", "{question}")], "f-string")


@pytest.mark.parametrize("path", SAME)
def test_one_template_has_one_digest_in_every_format(path: str) -> None:
    template = parse(path, SAME[path], "mustache").template
    assert template.digest == DIGEST
    assert template.variables == ("context", "question")


NEAR_MISSES = {
    "another word": JINJA.replace("Answer", "Reply"),
    "another role": JINJA.replace("system:", "developer:"),
    "another variable": JINJA.replace("{{ question }}", "{{ query }}"),
    "a variable as text": JINJA.replace("{{ question }}", "question"),
    "one message": JINJA.replace("\nuser:\n", ""),
    "white space inside": JINJA.replace("Answer from", "Answer  from"),
    "another order": "user:\n{{ question }}\nsystem:\nAnswer from {{ context }}.",
    "a filter": JINJA.replace("{{ question }}", "{{ question | upper }}"),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_has_another_digest(case: str) -> None:
    assert parse("answer.jinja2", NEAR_MISSES[case], "mustache").template.digest != DIGEST


def test_prompty_1_states_model_settings_authors_and_tags() -> None:
    found = parse("answer.prompty", PROMPTY_1, "mustache")
    assert (found.format, found.model, found.author) == ("prompty 1", "azure/gpt-4o", "ada, jonas")
    assert found.parameters == {"temperature": "0.2"}
    assert (found.description, found.tags) == ("Answers questions of customers.", ("support",))
    assert found.properties == {"name": "Answer", "api": "chat"}
    assert "planted-sample" not in repr(found)


def test_prompty_2_states_the_same_in_its_own_keys() -> None:
    found = parse("answer.prompty", PROMPTY_2, "mustache")
    assert (found.format, found.model, found.author) == ("prompty 2", "openai/gpt-4o", "ada")
    assert (found.variables, found.parameters) == (("context", "question"), {"temperature": "0.2"})
    assert found.properties == {"name": "Answer", "version": "2.1"}
    assert "OPENAI_API_KEY" not in repr(found)


def test_github_models_states_model_and_evaluators_but_no_test_data() -> None:
    found = parse("answer.prompt.yaml", GITHUB, "mustache")
    assert (found.model, found.parameters) == ("openai/gpt-4o", {"temperature": "0.2"})
    assert found.properties == {"name": "Answer", "evaluators": "brief"}
    assert "planted-sample" not in repr(found)


def test_dotprompt_declares_variables_and_splits_at_roles_and_history() -> None:
    found = parse("answer.prompt", DOTPROMPT, "mustache")
    assert (found.variables, found.model) == (("context", "question"), "googleai/gemini-2.0-flash")
    chat = parse(
        "chat.prompt", '{{role "system"}}Be brief.{{history}}{{role "user"}}{{q}}', "mustache"
    ).template
    assert [(message.role, message.text) for message in chat.messages] == [
        ("system", "Be brief."),
        ("placeholder", "history"),
        ("user", "{{q}}"),
    ]
    assert parse("plain.prompt", "Hello {{name}}", "mustache").template.variables == ("name",)


def test_langchain_reads_the_forms_of_load_prompt() -> None:
    text = '_type: prompt\ninput_variables: [q]\ntemplate: "Answer {q} as {{json}}"\n'
    found = parse("prompts/a.yaml", text, "mustache")
    assert found.template.digest == digest([("user", "Answer {{q}} as {json}")], "mustache")
    few = {
        "_type": "few_shot",
        "prefix": "Give the antonym.",
        "example_prompt": {"_type": "prompt", "template": "In: {in}"},
        "examples": [{"in": "planted-example"}],
        "suffix": "In: {word}",
        "input_variables": ["word"],
    }
    found = parse("prompts/few.json", json.dumps(few), "mustache")
    assert found.template.shown == "Give the antonym.\n\nIn: {in}\n\nIn: {word}"
    assert "planted-example" not in repr(found)


def test_braces_of_a_langchain_message_without_a_template_are_text() -> None:
    literal = 'Answer as {"a": 1}, {not} {{else}}.'
    chat = ChatPromptTemplate([SystemMessage(literal), ("human", "{q}")])
    found = parse("prompts/chat.json", dumps(chat), "mustache")
    expected = digest(
        [("system", literal.replace("{", "{{").replace("}", "}}")), ("user", "{q}")], "f-string"
    )
    assert (found.template.digest, found.template.variables) == (expected, ("q",))
    alone = parse("prompts/chat.json", dumps(ChatPromptTemplate([SystemMessage(literal)])), "mustache")
    assert alone.template.digest == digest([("system", literal)], "text")
    assert alone.template.variables == ()


def test_text_without_a_format_has_that_of_the_recipe() -> None:
    text = "---\ntitle: a\n---\nHello {name}"
    assert parse("a.txt", text, "f-string").template.variables == ("name",)
    assert parse("a.txt", text, "mustache").template.variables == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("prompts/settings.json", '{"key": 1}'),
        ("prompts/list.yaml", "- a\n- b"),
        ("prompts/README.md", "# Prompts\nHow we write them."),
        ("prompts/chain.json", '{"_type": "llm_chain", "prompt": {}}'),
        ("prompts/empty.yaml", ""),
    ],
)
def test_other_files_are_no_prompts(path: str, text: str) -> None:
    with pytest.raises(NotAPromptError):
        parse(path, text, "mustache")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("a.prompty", "Hello", "no front matter"),
        ("a.prompty", "---\nname: a\nHello", "no closing line"),
        ("a.prompty", "---\n- a\n---\n", "not a mapping"),
        ("a.prompty", "---\ntemplate: liquid\n---\nx", "neither jinja2 nor mustache"),
        ("a.prompt.yml", "messages: hello", "no list `messages`"),
        ("a.prompt.yml", "messages: [{role: system}]", "message 1"),
        ("a.prompt.yml", "messages: [{role: [", "not valid YAML, at line"),
        ("a.prompt.yml", f"{BOMB}messages: [*i]", "too large"),
        ("a.prompt.yml", "messages: &m [*m]", "contains itself"),
        ("a.prompt.yml", "[" * 200 + "]" * 200, "too deeply"),
        ("a.prompt.yml", "!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("a.json", '{"_type": "prompt", "template_path": "/etc/passwd"}', "another file"),
        ("a.json", '{"_type": "prompt", "template": "x", "template_format": "liquid"}', "template_format"),
        ("a.json", '{"_type": "chat", "messages": [{"role": "user"}]}', "message 1"),
        ("a.md", "---\ntemplate_format: liquid\n---\nx", "template_format"),
    ],
)
def test_a_malformed_prompt_is_named_without_its_text(path: str, text: str, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse(path, text, "mustache")


FLOW = """
inputs: {question: {type: string}}
nodes:
- name: look_up
  type: python
  source: {type: code, path: look_up.py}
- name: answer
  type: llm
  source: {type: code, path: answer.jinja2}
  inputs: {deployment_name: gpt-4o, temperature: 0.1}
  connection: secret-connection
- name: style
  type: prompt
  source: {type: code, path: ../shared/style.jinja2}
- name: judge
  use_variants: true
- name: leaves
  type: llm
  source: {type: code, path: ../../elsewhere.jinja2}
node_variants:
  judge:
    default_variant_id: b
    variants:
      a: {node: {type: llm, source: {type: code, path: judge_a.jinja2}}}
      b: {node: {type: llm, source: {type: code, path: judge_b.jinja2}, inputs: {model: gpt-4o-mini}}}
"""


def test_a_flow_names_its_templates_and_models() -> None:
    assert parse_flow(FLOW, "bot/flow.dag.yaml") == Flow(
        templates=("bot/answer.jinja2", "shared/style.jinja2", "bot/judge_b.jinja2"),
        models=("gpt-4o", "gpt-4o-mini"),
        outside=("leaves",),
    )
    with pytest.raises(MalformedError, match="no list `nodes`"):
        parse_flow("nodes: 3", "flow.dag.yaml")


def test_a_name_is_the_path_without_the_ending_of_the_format() -> None:
    assert prompt_name("support/answer.prompt.yml") == "support/answer"
    assert prompt_name("support/answer.v2.prompty") == "support/answer.v2"
    assert prompt_name("Prompts/Answer.MD") == "Prompts/Answer"
