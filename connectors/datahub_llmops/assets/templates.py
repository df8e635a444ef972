"""Templates of prompts, and one digest for the same template wherever it is kept.

Registries, files and frameworks write one template in different ways: ``{x}``, ``{{x}}`` or ``{{ x }}``, ``human`` or
``user``. ``digest`` is the same for all of them, so that a copy in an application's code is recognised.
``docs/template-digests.md`` says what counts as the same. Standard library only: the hooks use it too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import Formatter
from typing import Final, Literal, TypeAlias

TemplateFormat: TypeAlias = Literal["f-string", "mustache", "jinja2", "text"]
"""How variables are written. ``text`` has none: braces are braces."""
Segment: TypeAlias = "str | tuple[str]"
"""A piece of literal text, or the name of a variable as a tuple of one."""

DIGEST_PREFIX: Final = "t1:"
"""The version of the normalisation. A change of what counts as the same needs another one."""
PROMPT_PREFIX: Final = "prompt-"
"""Tells prompts without a name from retrievers of the same application: ``<application>.prompt-<digest>``."""
PLACEHOLDER: Final = "placeholder"
"""Role of a message that stands for a list of messages; its text is the name of the variable."""

_ROLES: Final = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "user",
    "AIMessagePromptTemplate": "assistant",
    "MessagesPlaceholder": PLACEHOLDER,
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
}
_DOUBLE_BRACES: Final = re.compile(r"\{\{\{\s*([\w.-]+)\s*\}\}\}|\{\{\s*([\w.-]+)\s*\}\}")
"""A plain variable. Sections, filters, blocks and comments stay literal text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a template. ``role`` is the registry's own word."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The template of one version of a prompt. A text prompt has one message with the role ``user``."""

    messages: tuple[Message, ...]
    format: TemplateFormat
    is_chat: bool = False

    @property
    def digest(self) -> str:
        """The digest of the template, as ``digest`` computes it."""
        return digest(((message.role, message.text) for message in self.messages), self.format)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in the order of their first use."""
        found: dict[str, None] = {}
        for message in self.messages:
            if normal_role(message.role) == PLACEHOLDER:
                found.setdefault(message.text.strip())
                continue
            for segment in segments(message.text, self.format):
                if isinstance(segment, tuple):
                    found.setdefault(segment[0])
        return tuple(found)

    @property
    def shown(self) -> str:
        """The template as a person reads it: the text, or each message under its role."""
        if not self.is_chat:
            return "\n\n".join(message.text for message in self.messages)
        return "\n\n".join(f"[{message.role}]\n{message.text}" for message in self.messages)

    @property
    def size(self) -> int:
        """Number of characters of all messages."""
        return sum(len(message.text) for message in self.messages)


def normal_role(role: str) -> str:
    """Return the role under one name, whatever a framework or registry calls it.

    >>> normal_role("human"), normal_role("AIMessagePromptTemplate"), normal_role("critic")
    ('user', 'assistant', 'critic')
    """
    return _ROLES.get(role) or _ROLES.get(role.lower(), role.lower())


def segments(text: str, format: TemplateFormat) -> list[Segment]:
    """Split a text into literal pieces and variables, without white space at its ends.

    >>> segments(" Answer {question}, as {{json}} ", "f-string")
    ['Answer ', ('question',), ', as {json}']
    >>> segments("Answer {{ question }}, as {json}", "jinja2")
    ['Answer ', ('question',), ', as {json}']
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    found: list[Segment] = []
    for segment in _split(text, format):
        if isinstance(segment, str) and found and isinstance(found[-1], str):
            found[-1] += segment
        elif segment:
            found.append(segment)
    return found


def _split(text: str, format: TemplateFormat) -> Iterable[Segment]:
    if format == "text":
        return (text,)
    if format != "f-string":
        return _split_double_braces(text)
    try:
        return list(_split_f_string(text))
    except ValueError:  # A single brace: no template of this format, so it has no variables.
        return (text,)


def _split_f_string(text: str) -> Iterator[Segment]:
    for literal, name, spec, conversion in Formatter().parse(text):
        yield literal
        if name is not None:
            yield (name.strip() + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else ""),)


def _split_double_braces(text: str) -> Iterator[Segment]:
    end = 0
    for match in _DOUBLE_BRACES.finditer(text):
        yield text[end : match.start()]
        yield (match[1] or match[2],)
        end = match.end()
    yield text[end:]


def digest(messages: Iterable[tuple[str, str]], format: TemplateFormat) -> str:
    """Digest a template, given as roles and texts: SHA-256 over its normal form, with the version as a prefix.

    >>> digest([("system", "Answer briefly."), ("human", "{question}")], "f-string")[:15]
    't1:d68aa16d6304'
    >>> digest([("system", "Answer briefly. "), ("user", "{{ question }}")], "mustache")[:15]
    't1:d68aa16d6304'
    """
    return digest_each((role, text, format) for role, text in messages)


def digest_each(messages: Iterable[tuple[str, str, TemplateFormat]]) -> str:
    """Digest a template of which each message has a format of its own, as ``digest`` does.

    >>> digest_each([("system", "Answer briefly.", "text"), ("human", "{question}", "f-string")])[:15]
    't1:d68aa16d6304'
    """
    normal = []
    for role, text, format in messages:
        name = normal_role(role)
        normal.append([name, [text.strip()] if name == PLACEHOLDER else segments(text, format)])
    canonical = json.dumps(normal, ensure_ascii=False, separators=(",", ":"))
    return DIGEST_PREFIX + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def short_digest(digest: str) -> str:
    """The first twelve characters of a digest without its version: they identify a prompt within an application.

    >>> short_digest("t1:3fd2f819836c4b07aa"), short_digest("3fd2f819836c4b07aa")
    ('3fd2f819836c', '3fd2f819836c')
    """
    return digest.rpartition(":")[2][:12]
