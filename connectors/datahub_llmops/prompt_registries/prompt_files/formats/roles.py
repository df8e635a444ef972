"""Roles inside one text: lines such as ``system:`` begin the next message.

https://prompty.ai and https://microsoft.github.io/promptflow/reference/tools-reference/llm-tool.html
"""

from __future__ import annotations

import re
from typing import Final

from datahub_llmops.assets.templates import Message, Template, TemplateFormat

_MARKER: Final = re.compile(
    r"^[ \t]*(?:#+[ \t]*)?(system|user|assistant|developer|tool|function)[ \t]*(?:\[[^\]\n]*\][ \t]*)?:[ \t]*\r?$\n?",
    re.MULTILINE | re.IGNORECASE,
)


def split_roles(text: str, format: TemplateFormat) -> Template:
    """Split a text at its role lines. A text that does not begin with one is a text prompt.

    >>> [(m.role, m.text) for m in split_roles("system:\\nBe brief.\\nuser:\\n{{q}}", "jinja2").messages]
    [('system', 'Be brief.\\n'), ('user', '{{q}}')]
    """
    marks = list(_MARKER.finditer(text))
    if not marks or text[: marks[0].start()].strip():
        return Template(messages=(Message(role="user", text=text),), format=format)
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    messages = tuple(
        Message(role=mark[1].lower(), text=text[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    )
    return Template(messages=messages, format=format, is_chat=True)
