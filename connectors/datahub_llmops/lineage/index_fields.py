"""Finds the fields of a collection by the names that recipes and queries use."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from datahub_llmops.assets.collections import Collection

_LAYOUTS: Final = ("metadata.", "cmetadata.", "langchain_metadata.", "metadata_.")
"""Where frameworks nest the metadata of a chunk: LangChain's and LlamaIndex's payloads, LangChain's ``PGVector`` and
``PGVectorStore``, and LlamaIndex's Postgres tables."""

_NEAREST: Final = 3


class IndexFields:
    """The payload fields of one collection, with its text field."""

    def __init__(self, collection: Collection) -> None:
        paths = [field.path for field in collection.fields]
        if collection.text_field is not None:
            paths.append(collection.text_field)
        self.paths = frozenset(paths)
        self.vectors = tuple(vector.name for vector in collection.vectors if not vector.sparse)
        self.text = (() if collection.text_field is None else (collection.text_field,)) + self.vectors
        """The fields that the embedded text feeds."""
        self._by_case: dict[str, set[str]] = {}
        for path in paths:
            self._by_case.setdefault(path.lower(), set()).add(path)

    def find(self, name: str) -> str | None:
        """Return the path of the field ``name``, or ``None`` if there is none or several differ in case only.

        An exact match comes first, then one in another case, then the same two in each of the known layouts.
        """
        for layout in ("", *_LAYOUTS):
            wanted = f"{layout}{name}"
            if wanted in self.paths:
                return wanted
            matches = self._by_case.get(wanted.lower(), set())
            if len(matches) == 1:
                return next(iter(matches))
        return None

    def nearest(self, name: str) -> str:
        """Name the fields that are spelled most like ``name``, for a message."""
        return nearest("fields", name, self.paths)


def nearest(noun: str, name: str, known: Iterable[str]) -> str:
    """Name what is spelled most like ``name``, or else the first ones, for a message."""
    listed = sorted(set(known))
    found = _near(name, listed)
    if found:
        return f"the nearest {noun} are {', '.join(found)}"
    return f"the {noun} are {_listed(listed)}" if listed else f"there are no {noun}"


def _near(name: str, paths: Iterable[str]) -> list[str]:
    """The paths whose last part, or the whole of which, resembles ``name``, best first."""
    spelled: dict[str, list[str]] = {}
    for path in sorted(paths):
        for form in {path.lower(), path.lower().rpartition(".")[2]}:
            spelled.setdefault(form, []).append(path)
    close = get_close_matches(name.lower(), spelled, n=_NEAREST)
    return list(dict.fromkeys(path for form in close for path in spelled[form]))[:_NEAREST]


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:5])
    return f"{shown} and {len(paths) - 5} more" if len(paths) > 5 else shown
