"""Says which packages of an extra are missing, by the metadata of this package and by looking for their modules."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, metadata, requires
from importlib.util import find_spec
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_OURS: Final = "datahub-llmops"
_PREFIX: Final = "llm-"


def extra_of(kind: str) -> str | None:
    """Return the extra that the recipe type ``kind`` needs; ``None`` if it is not ours, or needs none."""
    name = kind.removeprefix(_PREFIX)
    known = {canonicalize_name(extra) for extra in metadata(_OURS).get_all("Provides-Extra") or ()}
    return name if kind.startswith(_PREFIX) and canonicalize_name(name) in known else None


def missing_packages(extra: str) -> tuple[str, ...]:
    """List the packages of an extra that are not installed, are too old, or cannot be imported."""
    return tuple(one.name for one in _needed(extra) if not _is_there(one))


def _needed(extra: str) -> Iterator[Requirement]:
    for line in requires(_OURS) or ():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            continue
        if one.marker.evaluate({"extra": extra}):
            yield one


def _is_there(needed: Requirement) -> bool:
    try:
        found = distribution(needed.name)
    except PackageNotFoundError:
        return False
    return needed.specifier.contains(found.version, prereleases=True) and all(
        map(_can_be_found, _modules(found))
    )


def _modules(found: Distribution) -> set[str]:
    """The top-level packages that a distribution brings."""
    files = found.files or ()
    return {file.parts[0] for file in files if len(file.parts) == 2 and file.name == "__init__.py"}


def _can_be_found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
