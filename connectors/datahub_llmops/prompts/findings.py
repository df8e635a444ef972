"""Findings about prompts: versions that nobody runs, applications that run another one, templates without a registry.

Pure functions. "Not seen" only counts where somebody looks: without any observed use, whether a prompt is an orphan is
not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["orphan", "behind", "unregistered", "not known"]

KINDS: Final[tuple[Kind, ...]] = ("orphan", "behind", "unregistered", "not known")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Use:
    """An application that runs a version, by its name or by a copy of its template."""

    application: str | None
    """URN of its job; ``None`` if only the number of uses was counted, not whose."""
    last_seen: date | None
    """Day in UTC; ``None`` if whoever states the use does not say when."""
    found_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """What findings need to know of one version."""

    version: str
    labels: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding about a version of a prompt."""

    kind: Kind
    version: str
    since: datetime | None = None
    """Orphan: the last use, else since when the version has been labelled. Behind: since when another one has been."""
    applications: tuple[str, ...] = ()
    """The applications that are behind."""


def is_observed(uses: Iterable[Use], *, now: datetime, unused_after: timedelta) -> bool:
    """Whether the use of prompts is observed at all: whether any application was seen within the time."""
    return any(_is_recent(use, now, unused_after) for use in uses)


def since(kind: Kind, *, last_use: date | None, placed: Iterable[datetime]) -> datetime | None:
    """Return since when a finding holds; ``None`` if that is not known.

    Args:
        kind: what was found. Of other kinds than an orphan and behind, nobody knows since when.
        last_use: the last day on which any version of the prompt was used.
        placed: when the labels that the finding is about came to where they are.
    """
    if kind == "orphan" and last_use is not None:
        return _midnight(last_use)
    return max(placed, default=None) if kind in ("orphan", "behind") else None


def find(
    versions: Sequence[KnownVersion],
    *,
    production: Collection[str],
    labelled_since: Mapping[str, datetime],
    observed: bool,
    now: datetime,
    unused_after: timedelta,
) -> list[Finding]:
    """Find what is wrong with the versions of one prompt.

    Args:
        versions: all versions of the prompt.
        production: labels that mark the version that applications are meant to run.
        labelled_since: label -> when it came to where it is. Nothing is behind where that is not known.
        observed: whether the use of prompts is observed at all, see ``is_observed``.
        now: the time of the run.
        unused_after: how long a version may go without use.
    """
    meant = [version for version in versions if set(version.labels) & set(production)]
    if not meant:
        return []
    placed = [
        labelled_since[label] for version in meant for label in version.labels if label in labelled_since
    ]
    return [
        *_orphans(versions, meant, placed, observed, now, unused_after),
        *_behind(versions, meant, since("behind", last_use=None, placed=placed)),
    ]


def _orphans(
    versions: Sequence[KnownVersion],
    meant: Sequence[KnownVersion],
    placed: Sequence[datetime],
    observed: bool,
    now: datetime,
    unused_after: timedelta,
) -> Iterator[Finding]:
    # A prompt of which another version runs is not an orphan: its application is behind.
    uses = [use for version in versions for use in version.uses]
    if any(use.last_seen is None or _is_recent(use, now, unused_after) for use in uses):
        return
    last = max((use.last_seen for use in uses if use.last_seen is not None), default=None)
    lonely = since("orphan", last_use=last, placed=placed)
    for version in meant:
        if observed:
            yield Finding(kind="orphan", version=version.version, since=lonely)
        else:
            yield Finding(kind="not known", version=version.version)


def _behind(
    versions: Sequence[KnownVersion], meant: Sequence[KnownVersion], moved: datetime | None
) -> Iterator[Finding]:
    if moved is None:
        return
    right = {version.version for version in meant}
    late: dict[str, list[str]] = {}
    for application, seen in sorted(_last_uses(versions).items()):
        newest = max(seen.values())
        # Days are all that is known of a use: one on the day of the move may have been before it.
        if newest > moved.astimezone(UTC).date() and not any(
            seen.get(version) == newest for version in right
        ):
            for version, day in seen.items():
                if day == newest:
                    late.setdefault(version, []).append(application)
    for version, applications in late.items():
        yield Finding(kind="behind", version=version, since=moved, applications=tuple(applications))


def _last_uses(versions: Sequence[KnownVersion]) -> dict[str, dict[str, date]]:
    """Application -> version -> the last day that it was seen to run it."""
    found: dict[str, dict[str, date]] = {}
    for version in versions:
        for use in version.uses:
            if use.last_seen is not None and use.application is not None:
                seen = found.setdefault(use.application, {})
                seen[version.version] = max(use.last_seen, seen.get(version.version, use.last_seen))
    return found


def _is_recent(use: Use, now: datetime, unused_after: timedelta) -> bool:
    # The whole day counts: when on it the use was is not known.
    return use.last_seen is not None and now - _midnight(use.last_seen) < unused_after + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
