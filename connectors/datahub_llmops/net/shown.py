"""Makes text of other systems safe to show: on a terminal, in a log, and in the report of a run."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the direction of writing, or are not seen at all."""


def clean(text: str) -> str:
    """Make ``text`` safe for a terminal: one line, with visible escapes in place of control characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(letter) for letter in text)


def _visible(letter: str) -> str:
    if letter in "\n\r\t":
        return " "
    if unicodedata.category(letter) not in _INVISIBLE:
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_LOGIN: Final = re.compile(r"//\S*@")


def without_login(text: str) -> str:
    """Replace the user and the password of every address in ``text``.

    >>> without_login("ftp://ada:se/cr@t@host/x"), without_login("./catalog.db")
    ('ftp://***@host/x', './catalog.db')
    """
    return _LOGIN.sub("//***@", text)
