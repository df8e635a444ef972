"""Which files are prompts, by their path, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.errors import UnreadableError
from datahub_llmops.prompt_registries.prompt_files.formats.dispatch import prompt_name

DEFAULT_INCLUDE: Final = (
    "**/*.prompty",
    "**/*.prompt",
    "**/*.prompt.yml",
    "**/*.prompt.yaml",
    "**/*.prompt.json",
    *(
        f"**/prompts/**/*.{ending}"
        for ending in ("json", "yaml", "yml", "txt", "md", "jinja2", "jinja", "j2")
    ),
)
"""Globs of the files that are prompts if a recipe does not say: those of the formats, and texts in such folders."""


@lru_cache(maxsize=256)
def _compiled(glob: str) -> re.Pattern[str]:
    """A glob as an expression: ``**`` crosses folders, ``*`` and ``?`` do not."""
    parts = []
    for piece in re.split(r"(\*\*/|\*\*|\*|\?)", glob):
        parts.append(
            {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece) or re.escape(piece)
        )
    return re.compile("".join(parts))


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches one of ``globs``.

    >>> matches("support/answer.prompty", ["**/*.prompty"]), matches("answer.prompty", ["**/*.prompty"])
    (True, True)
    >>> matches("docs/prompts/a.txt", ["prompts/**/*.txt"]), matches("prompts/a.txt", ["prompts/**/*.txt"])
    (False, True)
    """
    return any(_compiled(glob).fullmatch(path) is not None for glob in globs)


def named(paths: Sequence[str]) -> Iterator[tuple[str, str] | FailedListing]:
    """Yield the name of each prompt with its path; for several files with one name, yield that they clash."""
    by_name: dict[str, list[str]] = {}
    for path in sorted(paths):
        by_name.setdefault(prompt_name(path), []).append(path)
    for name, found in by_name.items():
        if len(found) == 1:
            yield name, found[0]
        else:
            files = ", ".join(PurePosixPath(path).name for path in found)
            yield FailedListing(
                name=(name,),
                error=UnreadableError(f"{files} are one prompt by their name. Rename all but one."),
            )
