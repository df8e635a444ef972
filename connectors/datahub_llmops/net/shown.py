"""Makes text of other systems safe to show, on a terminal, in a log and in the report of a run, and words times."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Final

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the direction of writing, or are not seen at all."""

_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe0e\ufe0f")
"""Letters that have a width or join others, and nothing to see: no space, by their Unicode category."""


def clean(text: str) -> str:
    """Make ``text`` safe for a terminal: one line, with visible escapes in place of control characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(letter) for letter in text)


def clean_name(name: str) -> str:
    """Make a name safe like ``clean``, and one of blanks only visible: in quotes, with codes for all but spaces.

    >>> clean_name("docs"), clean_name(" "), clean_name("\u3164 "), clean_name("")
    ('docs', '" "', '"\\\\u3164 "', '')
    """
    if not name or not all(letter.isspace() or letter in _BLANK for letter in name):
        return clean(name)
    return '"' + "".join(" " if letter == " " else _code(letter) for letter in name) + '"'


def _visible(letter: str) -> str:
    if letter in "\n\r\t":
        return " "
    return letter if unicodedata.category(letter) not in _INVISIBLE else _code(letter)


def _code(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_LOGIN: Final = re.compile(r"//\S*@")


def without_login(text: str) -> str:
    """Replace the user and the password of every address in ``text``.

    >>> without_login("ftp://ada:se/cr@t@host/x"), without_login("./catalog.db")
    ('ftp://***@host/x', './catalog.db')
    """
    return _LOGIN.sub("//***@", text)


def moment(seconds: float) -> str:
    """Say when something was, in UTC as everywhere in a catalog.

    >>> moment(1_796_082_283.765)
    '2026-11-30 23:44:43 UTC'
    """
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
