"""Compares what is installed with the versions that the tests of this package ran with.

``data/versions.json`` is generated from ``uv.lock``, ``pyproject.toml`` and ``tests/environments`` by
``docs/generate.py``, which writes the table of the documentation from it too.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from datahub_llmops import __version__
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.setup.diagnosis import Diagnosis

DATAHUB: Final = "acryl-datahub"
_PATCHED: Final = "Usually it works. If not, install one that was tested: pip install '{package}<={newest}'"
_OLD: Final = "Install a newer one: pip install --upgrade '{package}>={oldest}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpan:
    """The oldest and the newest release of a package that the tests ran with."""

    package: str
    oldest: str
    newest: str


@cache
def table() -> Mapping[str, Any]:
    """Read ``setup/data/versions.json``: ``python``, ``server``, and ``packages`` with their oldest and newest."""
    text = (files("datahub_llmops.setup") / "data" / "versions.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def tested_packages() -> tuple[VersionSpan, ...]:
    """List the packages of the table, DataHub first."""
    return tuple(
        VersionSpan(package=package, oldest=span["oldest"], newest=span["newest"])
        for package, span in table()["packages"].items()
    )


def examine_versions(installed: Callable[[str], str | None] | None = None) -> list[Diagnosis]:
    """Examine Python, this package, DataHub, and what else of the table is installed."""
    find = installed or installed_version
    return [
        _python(),
        Diagnosis(section="versions", name="datahub-llmops", verdict="ok", message=__version__),
        *_packages(find),
    ]


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or ``None``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def judge(found: str, tested: VersionSpan) -> Verdict:
    """Judge a version by those that were tested. A patch of a tested series counts as tested.

    >>> lancedb = VersionSpan(package="lancedb", oldest="0.30.0", newest="0.34.1")
    >>> [judge(one, lancedb) for one in ("0.29.9", "0.31.5", "0.34.7", "0.35.0")]
    ['not ok', 'ok', 'ok', 'not known']
    """
    try:
        own, oldest, newest = Version(found), Version(tested.oldest), Version(tested.newest)
    except InvalidVersion:
        return "not known"
    if own < oldest:
        return "not ok"
    return "ok" if own <= newest or _is_patch(own.release, newest.release) else "not known"


def _is_patch(own: tuple[int, ...], newest: tuple[int, ...]) -> bool:
    """Whether a release differs from the newest one by its last number only: DataHub's have four numbers."""
    common = max(1, len(newest) - 1)
    return (*own, 0, 0, 0)[:common] <= newest[:common]


def _packages(find: Callable[[str], str | None]) -> Iterator[Diagnosis]:
    for tested in tested_packages():
        found = find(tested.package)
        if found is not None:
            yield _judged(tested, found)
        elif tested.package == DATAHUB:
            yield Diagnosis(
                section="versions",
                name=tested.package,
                verdict="not ok",
                message="It is not installed, so no recipe can run.",
                to_do=f"pip install '{tested.package}>={tested.oldest}'",
            )


def _judged(tested: VersionSpan, found: str) -> Diagnosis:
    verdict = judge(found, tested)
    to_do = {"ok": None, "not ok": _OLD, "not known": _PATCHED}[verdict]
    return Diagnosis(
        section="versions",
        name=tested.package,
        verdict=verdict,
        message=f"{found} (tested: {span(tested)})",
        to_do=to_do and to_do.format(package=tested.package, oldest=tested.oldest, newest=tested.newest),
    )


def span(tested: VersionSpan) -> str:
    """Say which releases were tested: one, or from the oldest to the newest."""
    return tested.newest if tested.oldest == tested.newest else f"{tested.oldest} to {tested.newest}"


def _python() -> Diagnosis:
    tested: list[str] = table()["python"]
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    supported = own in tested
    return Diagnosis(
        section="versions",
        name="Python",
        verdict="ok" if supported else "not known",
        message=f"{platform.python_version()} (tested: {', '.join(tested)})",
        to_do=None if supported else f"Use Python {tested[-1]} if something fails.",
    )
