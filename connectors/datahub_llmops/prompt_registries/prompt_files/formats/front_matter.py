"""Text with YAML between two lines of three dashes before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError
from datahub_llmops.prompt_registries.prompt_files.formats.yaml_text import load_yaml

_BEGIN: Final = re.compile(r"\s*---[ \t]*\r?\n")
_END: Final = re.compile(r"^---[ \t]*\r?$\n?", re.MULTILINE)


def split(text: str) -> tuple[Mapping[str, Any] | None, str]:
    """Return the front matter and the text behind it; ``None`` if there is no front matter.

    Raises:
        MalformedError: the front matter has no end, or is no YAML mapping.

    >>> split('---\\nname: a\\n---\\nHello')
    ({'name': 'a'}, 'Hello')
    >>> split('Hello')
    (None, 'Hello')
    """
    begin = _BEGIN.match(text)
    if begin is None:
        return None, text
    end = _END.search(text, begin.end())
    if end is None:
        raise MalformedError("its front matter has no closing line of three dashes")
    found = load_yaml(text[begin.end() : end.start()])
    if found is None:
        found = {}
    if not isinstance(found, Mapping):
        raise MalformedError("its front matter is not a mapping of keys to values")
    return found, text[end.end() :]
