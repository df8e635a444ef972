"""Runs recipes by ``datahub ingest run`` as if no package of an extra were installed.

    python without_extras.py RECIPE...

The output of each recipe begins with a line ``== RECIPE``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typing_extensions import override


class Hidden(MetaPathFinder):
    """Lets imports of the hidden packages fail as if they were not installed."""

    def __init__(self, packages: frozenset[str]) -> None:
        self.packages = packages

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top in self.packages or fullname.startswith("google.protobuf"):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def needed(distribution: str, extras: frozenset[str], seen: set[str]) -> Iterator[str]:
    """Yield what a distribution needs with these extras, and what that needs."""
    try:
        lines = requires(distribution) or ()
    except PackageNotFoundError:
        return
    for line in lines:
        one = Requirement(line)
        if one.marker is not None and not any(
            one.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            continue
        name = canonicalize_name(one.name)
        if name not in seen:
            seen.add(name)
            yield name
            yield from needed(name, frozenset(one.extras), seen)


def hide() -> frozenset[str]:
    """Hide every package that only extras of ours bring, and return their names."""
    base = set(needed("datahub-llmops", frozenset(), set()))
    only = set(needed("datahub-llmops", frozenset({"all"}), set())) - base - {"datahub-llmops"}
    tops = frozenset(
        top
        for top, owners in packages_distributions().items()
        if all(canonicalize_name(owner) in only for owner in owners)
    )
    sys.meta_path.insert(0, Hidden(tops))
    return tops


def main(recipes: Sequence[str]) -> None:
    """Run each recipe as ``datahub ingest run`` does."""
    hide()
    from datahub.entrypoints import datahub

    for recipe in recipes:
        sys.stdout.write(f"== {recipe}\n")
        try:
            datahub.main(["ingest", "run", "-c", recipe], standalone_mode=False)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the command shows, it shows all of them
            sys.stdout.write(f"{type(error).__name__} {error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
