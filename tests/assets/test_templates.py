"""One template has one digest, however its variables and roles are written; another template has another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.assets.templates import (
    Message,
    Template,
    TemplateFormat,
    digest,
    digest_each,
    segments,
    short_digest,
)

CHAT = digest([("system", "Answer from {context}."), ("user", "{question}")], "f-string")


@pytest.mark.parametrize(
    "messages",
    [
        [("system", "Answer from {{context}}."), ("user", "{{question}}")],
        [("system", "Answer from {{ context }}."), ("human", "{{ question }}")],
        [("System", " Answer from {{{context}}}.\r\n"), ("HumanMessage", "\n{{question}}")],
        [("SystemMessagePromptTemplate", "Answer from {{context}}."), ("Human", "{{question}}\n\n")],
    ],
)
@pytest.mark.parametrize("format", ["mustache", "jinja2"])
def test_roles_braces_and_white_space_at_the_ends_make_no_difference(
    messages: list[tuple[str, str]], format: TemplateFormat
) -> None:
    assert digest(messages, format) == CHAT


NEAR_MISSES: dict[str, list[tuple[str, str]]] = {
    "another word": [("system", "Reply from {context}."), ("user", "{question}")],
    "another case": [("system", "answer from {context}."), ("user", "{question}")],
    "another role": [("developer", "Answer from {context}."), ("user", "{question}")],
    "another variable": [("system", "Answer from {context}."), ("user", "{query}")],
    "a name in another case": [("system", "Answer from {context}."), ("user", "{Question}")],
    "braces as text": [("system", "Answer from {context}."), ("user", "{{question}}")],
    "the name as text": [("system", "Answer from {context}."), ("user", "question")],
    "a conversion": [("system", "Answer from {context}."), ("user", "{question!r}")],
    "a format": [("system", "Answer from {context}."), ("user", "{question:>9}")],
    "white space inside": [("system", "Answer  from {context}."), ("user", "{question}")],
    "a line inside": [("system", "Answer\nfrom {context}."), ("user", "{question}")],
    "another order": [("user", "{question}"), ("system", "Answer from {context}.")],
    "one message": [("user", "Answer from {context}.{question}")],
    "one message less": [("system", "Answer from {context}.")],
    "one message more": [("system", "Answer from {context}."), ("user", "{question}"), ("assistant", "")],
    "a placeholder": [("system", "Answer from {context}."), ("placeholder", "question")],
}


@pytest.mark.parametrize("how", NEAR_MISSES)
def test_near_misses_have_other_digests(how: str) -> None:
    assert digest(NEAR_MISSES[how], "f-string") != CHAT


def test_near_misses_differ_from_each_other() -> None:
    assert len({digest(messages, "f-string") for messages in NEAR_MISSES.values()}) == len(NEAR_MISSES)


@pytest.mark.parametrize(
    "text", ["{{#each}}{{x}}{{/each}}", "{{ x | upper }}", "{% if x %}y{% endif %}", "{{! note }}"]
)
def test_what_is_more_than_a_variable_is_text(text: str) -> None:
    literal = "".join(one for one in segments(text, "jinja2") if isinstance(one, str))
    assert literal == text.replace("{{x}}", "")


def test_text_that_is_no_f_string_has_no_variables() -> None:
    broken = Template(messages=(Message(role="user", text="{question} and {"),), format="f-string")
    assert broken.variables == ()
    assert broken.digest == digest([("user", "{question} and {")], "text")


def test_a_placeholder_is_a_variable() -> None:
    chat = Template(
        messages=(Message(role="MessagesPlaceholder", text=" history "), Message(role="user", text="{{q}}")),
        format="mustache",
        is_chat=True,
    )
    assert chat.variables == ("history", "q")
    assert chat.digest == digest([("placeholder", "history"), ("human", "{q}")], "f-string")


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LITERALS = st.text(st.sampled_from("ab {}%\n\u00e9\u65e5.:!\"'\\"), max_size=12).filter(
    # Two braces in a row open a variable in the formats with double braces, and cannot be written there as text.
    lambda text: "{{" not in text and "}}" not in text
)
PIECES = st.lists(st.one_of(LITERALS, st.tuples(NAMES)), max_size=8).filter(
    # Nor can a brace beside a variable.
    lambda pieces: all(
        not (isinstance(one, str) and isinstance(other, tuple) and one.endswith("{"))
        and not (isinstance(one, tuple) and isinstance(other, str) and other.startswith("}"))
        and not (isinstance(one, str) and isinstance(other, str))
        for one, other in pairwise(pieces)
    )
)
Pieces = list[str | tuple[str]]


def write(pieces: Pieces, format: TemplateFormat) -> str:
    def one(piece: str | tuple[str]) -> str:
        if isinstance(piece, tuple):
            return {"f-string": "{%s}", "mustache": "{{%s}}"}.get(format, "{{ %s }}") % piece[0]
        return piece.replace("{", "{{").replace("}", "}}") if format == "f-string" else piece

    return "".join(map(one, pieces))


@given(PIECES)
def test_a_template_that_is_rewritten_in_another_format_keeps_its_digest(pieces: Pieces) -> None:
    formats: tuple[TemplateFormat, ...] = ("f-string", "mustache", "jinja2")
    assert len({digest([("user", write(pieces, format))], format) for format in formats}) == 1


@given(PIECES, PIECES)
def test_templates_that_differ_have_different_digests(one: Pieces, other: Pieces) -> None:
    same = normal(one) == normal(other)
    digests = {digest([("user", write(pieces, "f-string"))], "f-string") for pieces in (one, other)}
    assert (len(digests) == 1) == same


def normal(pieces: Pieces) -> list[str | tuple[str]]:
    """The pieces as a person compares them: without white space at the ends of the whole."""
    found: Pieces = [piece for piece in pieces if piece]
    while found and isinstance(found[0], str) and (first := found[0].lstrip()) != found[0]:
        found[:1] = [first] if first else []
    while found and isinstance(found[-1], str) and (last := found[-1].rstrip()) != found[-1]:
        found[-1:] = [last] if last else []
    return found


def test_messages_may_have_formats_of_their_own() -> None:
    assert digest_each([("system", "As {json}.", "text"), ("user", "{{q}}", "mustache")]) == digest(
        [("system", "As {{json}}."), ("user", "{q}")], "f-string"
    )


def test_a_digest_says_which_normal_form_it_is_of() -> None:
    assert "t1:36be1df64d728" + CHAT[16:] == CHAT
    assert len(CHAT) == len("t1:") + 64
    assert short_digest(CHAT) == CHAT[3:15]
