"""What a reader of HTML sees: tags, attributes and text; and a name that tries to be more than text."""

from __future__ import annotations

from html.parser import HTMLParser

from typing_extensions import override

EVIL = "<script>alert(1)</script>\" onload='x' \u202egnp.exe\x1b[31m {{ 7 * 7 }}"
AS_TEXT = "<script>alert(1)</script>\" onload='x' \\u202egnp.exe\\x1b[31m {{ 7 * 7 }}"


class Seen(HTMLParser):
    """The tags, attributes and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
