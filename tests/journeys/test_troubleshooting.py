"""The page of messages quotes what the code says: each message is looked for among the texts of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.paths import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
OPEN = "…"
"""What differs from case to case, in the page and in the texts below."""


@cache
def texts() -> tuple[str, ...]:
    """Every text in the code of the package, with ``OPEN`` for what an f-string or a template fills in."""
    package = ROOT / "connectors" / "datahub_llmops"
    return tuple(text for path in sorted(package.rglob("*.py")) for text in texts_of(path))


def texts_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield flat(re.sub(r"%s|\{\w*\}", OPEN, node.value))
        elif isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else OPEN for one in node.values)
            yield flat("".join(map(str, parts)))


def flat(text: str) -> str:
    return " ".join(text.split())


def quoted() -> list[str]:
    """The messages of the page: bold code at the beginning of an entry."""
    entries = flat(PAGE.read_text("utf-8").partition("## By message")[2])
    return [flat(one) for one in re.findall(r"\*\*`([^`]+)`\*\*", entries)]


def is_said(message: str) -> bool:
    """Whether a text has the parts of a message one after the other, whatever stands for the open ones."""
    pattern = re.compile(".*".join(map(re.escape, message.split(OPEN))))
    return any(pattern.search(text) for text in texts())


def test_the_page_quotes_many_messages() -> None:
    assert len(quoted()) > 30


@pytest.mark.parametrize("message", quoted())
def test_each_message_is_one_of_the_code(message: str) -> None:
    assert is_said(message)


def test_another_message_is_found_out() -> None:
    assert not is_said("failed: the connection was not refused")
