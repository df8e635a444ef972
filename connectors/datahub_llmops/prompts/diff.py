"""What differs between two versions of a prompt: the template line by line, and everything around it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.prompts.page import PromptPage, VersionPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two versions, what changed beside the text, and the text as a unified diff.

    ``lines`` is ``None`` if the catalog does not hold both texts; ``same_template`` is ``None`` if it does not hold
    both digests either.
    """

    old: VersionPage
    new: VersionPage
    facts: Mapping[str, tuple[str, str]]
    lines: tuple[str, ...] | None
    same_template: bool | None


def find_version(page: PromptPage, typed: str) -> VersionPage:
    """Find the version that ``typed`` means: a version, the beginning of one, a label, or ``latest``.

    Raises:
        UnknownAssetError: there is none, or the beginning of several.
    """
    by_version = [one for one in page.versions if typed.removeprefix("v") == one.known.version]
    by_label = [one for one in page.versions if typed in one.known.labels]
    begun = [one for one in page.versions if len(typed) >= 4 and one.known.version.startswith(typed)]
    for found in (by_version, by_label, begun):
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            versions = ", ".join(one.known.version for one in found)
            raise UnknownAssetError(f"{typed!r} means several versions: {versions}. Give one of them")
    if typed == "latest" and page.versions:
        return page.versions[0]
    labels = sorted({label for one in page.versions for label in one.known.labels})
    known = ", ".join(one.known.version for one in page.versions[:20] if one.known.version) or "none is known"
    more = f"; labels: {', '.join(labels)}" if labels else ""
    raise UnknownAssetError(f"{page.prompt.shown} has no version or label {typed!r}. Versions: {known}{more}")


def compare(old: VersionPage, new: VersionPage) -> Difference:
    """Compare two versions."""
    facts = {name: pair for name, pair in _facts(old, new) if pair[0] != pair[1]}
    lines = None
    if old.text is not None and new.text is not None:
        lines = tuple(
            difflib.unified_diff(
                old.text.splitlines(), new.text.splitlines(), _title(old), _title(new), lineterm=""
            )
        )
    same = old.digest == new.digest if old.digest and new.digest else None
    return Difference(old=old, new=new, facts=facts, lines=lines, same_template=same)


def _title(page: VersionPage) -> str:
    labels = f" ({', '.join(page.known.labels)})" if page.known.labels else ""
    return f"version {page.known.version}{labels}"


def _facts(old: VersionPage, new: VersionPage) -> Iterator[tuple[str, tuple[str, str]]]:
    yield "variables", (", ".join(old.variables), ", ".join(new.variables))
    yield "model", (old.model or "", new.model or "")
    for name in sorted({*old.settings, *new.settings}):
        yield name, (old.settings.get(name, ""), new.settings.get(name, ""))
    yield "author", (old.author or "", new.author or "")
