"""The history of prompt files: which commits changed each of them, through renames.

One walk over all commits, newest first, serves every file: a commit is compared with its parents, and equal trees are
not entered. A merge counts only where it differs from all of its parents, as in ``git log``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from dulwich.diff_tree import (
    CHANGE_ADD,
    CHANGE_DELETE,
    CHANGE_RENAME,
    RenameDetector,
    TreeChange,
    tree_changes,
    tree_changes_for_merge,
)
from dulwich.objects import Commit, ObjectID
from dulwich.walk import ORDER_TOPO, Walker

from datahub_llmops.prompt_registries.prompt_files.git_repository import GitRepository

_MOST_RENAMES: Final = 100
"""Added files of one commit above which only files with equal content count as renamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit that changed a file. ``position`` counts commits from the newest on."""

    commit: str
    blob: ObjectID
    path: str
    author: str
    when: datetime | None
    message: str
    position: int


@dataclass(slots=True, kw_only=True)
class FileHistory:
    """All changes of one file, newest first. ``cut_at`` is the commit before which nothing is known of it."""

    changes: list[Change] = field(default_factory=list)
    cut_at: str | None = None

    @property
    def paths(self) -> frozenset[str]:
        """Every path that the file had."""
        return frozenset(change.path for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The histories of the wanted files, by their path today, and the position of each commit."""

    files: Mapping[str, FileHistory]
    positions: Mapping[ObjectID, int]


def read_history(repository: GitRepository, paths: Iterable[str], most_commits: int) -> History:
    """Walk the history of ``paths``, which are files at the tip, through at most ``most_commits`` commits.

    Raises whatever the library raises for damaged objects: see ``git_repository.reading``.
    """
    files = {path: FileHistory() for path in paths}
    following = dict(files)
    """Path at the time of the walk -> the file that is followed."""
    positions: dict[ObjectID, int] = {}
    shallow = repository.shallow
    detector = RenameDetector(repository.store, max_files=_MOST_RENAMES)
    walker = Walker(
        repository.store,
        [repository.tip],
        order=ORDER_TOPO,
        get_parents=lambda commit: [] if commit.id in shallow else commit.parents,
    )
    for position, entry in enumerate(walker):
        commit = entry.commit
        positions[commit.id] = position
        if not following and position:
            continue  # Later positions are needed for labels all the same.
        if commit.id in shallow or position >= most_commits:
            _cut(following, commit)
            if position >= most_commits:
                break
            continue
        _follow(repository, commit, position, following, detector)
    return History(files=files, positions=positions)


def _cut(following: dict[str, FileHistory], commit: Commit) -> None:
    for file in following.values():
        file.cut_at = file.cut_at or commit.id.decode()
    following.clear()


def _follow(
    repository: GitRepository,
    commit: Commit,
    position: int,
    following: dict[str, FileHistory],
    detector: RenameDetector,
) -> None:
    changes = _changes(repository, commit, None)
    ours = [change for change in changes if _path(change.new) in following]
    if any(change.type == CHANGE_ADD for change in ours) and any(
        change.type == CHANGE_DELETE for change in changes
    ):
        changes = _changes(repository, commit, detector)
        ours = [change for change in changes if _path(change.new) in following]
    for change in ours:
        path = _path(change.new)
        file = following.get(path or "")
        if path is None or file is None or change.new is None or change.new.sha is None:
            continue
        file.changes.append(
            Change(
                commit=commit.id.decode(),
                blob=change.new.sha,
                path=path,
                author=commit.author.decode("utf-8", "replace"),
                when=_when(commit.author_time, commit.author_timezone),
                message=commit.message.decode("utf-8", "replace").strip(),
                position=position,
            )
        )
        if change.type == CHANGE_ADD:
            del following[path]
        elif change.type == CHANGE_RENAME and (old := _path(change.old)) is not None:
            del following[path]
            following.setdefault(old, file)


def _changes(repository: GitRepository, commit: Commit, detector: RenameDetector | None) -> list[TreeChange]:
    trees = [repository.commit(parent).tree for parent in commit.parents]
    if len(trees) < 2:
        return list(
            tree_changes(repository.store, trees[0] if trees else None, commit.tree, rename_detector=detector)
        )
    merged = tree_changes_for_merge(repository.store, trees, commit.tree, rename_detector=detector)
    return [next(change for change in group if change is not None) for group in merged]


def _path(entry: object) -> str | None:
    path = getattr(entry, "path", None)
    return path.decode("utf-8", "replace") if isinstance(path, bytes) else None


def _when(seconds: int, offset: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, timezone(timedelta(seconds=offset))).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
