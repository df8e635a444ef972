"""Prompt files of a git repository: a version is a commit that changed the file, labels are tags and branches."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from datahub.configuration.common import AllowDenyPattern
from dulwich.objects import ObjectID

from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.prompt_registries.prompt_files.files import (
    MOST_BYTES,
    FileVersion,
    UnusableContentError,
    VersionedFile,
    decode,
    too_large,
)
from datahub_llmops.prompt_registries.prompt_files.git_history import (
    Change,
    FileHistory,
    History,
    read_history,
)
from datahub_llmops.prompt_registries.prompt_files.git_repository import GitRepository, reading
from datahub_llmops.prompt_registries.prompt_files.git_sizes import MOST_OBJECT_BYTES, ObjectTooLargeError

SHORT: Final = 12
"""Characters of a commit's hash in a version."""


class GitFiles:
    """The files that are committed below ``prefix``, on one branch. What is not committed has no version."""

    def __init__(
        self,
        folder: Path,
        prefix: str,
        *,
        branch: str | None,
        tag_pattern: AllowDenyPattern,
        branch_pattern: AllowDenyPattern | None,
        most_commits: int,
        web_url: str | None,
    ) -> None:
        """Raises ``UnreachableError`` if the repository cannot be read."""
        self._repository = GitRepository(folder, branch)
        self._where = folder
        self._prefix = f"{prefix}/" if prefix else ""
        self._tags = tag_pattern
        self._branches = branch_pattern
        self._most = most_commits
        self._web = web_url
        self._lock = threading.RLock()
        """The library's packs are files with one position."""
        self._wanted: Sequence[str] = ()
        self._history: History | None = None
        self._refs: Mapping[str, ObjectID] | None = None
        self._files_at: dict[ObjectID, Mapping[str, ObjectID]] = {}
        """Tree -> the files in it that ever had a wanted path."""
        with reading(str(folder)):
            tree = self._repository.commit(self._repository.tip).tree
            entries, submodules = self._repository.files(tree)
        self._blobs: dict[str, ObjectID] = {
            entry.path.removeprefix(self._prefix): entry.blob
            for entry in entries
            if entry.path.startswith(self._prefix)
        }
        self._submodules = [
            path.removeprefix(self._prefix) for path in submodules if path.startswith(self._prefix)
        ]
        if prefix and not self._blobs:
            raise UnreachableError(
                f"{folder}: the branch that is read has no file below {prefix!r}. Commit them, set `branch`, or set "
                "`git: false` to read the folder as it is."
            )

    def follow(self, paths: Sequence[str]) -> None:
        """Say which files are prompts, before any is read: one walk serves all of them."""
        with self._lock:
            self._wanted, self._history = tuple(paths), None
            self._files_at.clear()

    def paths(self) -> Sequence[str]:
        return sorted(self._blobs)

    def skipped(self) -> Mapping[str, str]:
        return dict.fromkeys(
            self._submodules,
            "a submodule is a separate repository; give it its own recipe if it holds prompts",
        )

    def current(self, path: str) -> str:
        blob = self._blobs.get(path)
        if blob is None:
            raise VanishedError(f"{path[:200]}: no such file on the branch that is read.")
        return self._text(blob, path)

    def _text(self, blob: ObjectID, path: str) -> str:
        try:
            with self._lock, reading(f"{self._where}: {path}"):
                content = self._repository.blob(blob)
        except ObjectTooLargeError:
            raise too_large(path, MOST_OBJECT_BYTES) from None
        if len(content) > MOST_BYTES:
            raise too_large(path, len(content))
        return decode(content, path)

    def read(self, path: str) -> VersionedFile:
        if path not in self._blobs:
            raise VanishedError(f"{path[:200]}: no such file on the branch that is read.")
        with self._lock:
            file, labels = self._file_history(path)
        versions = [self._version(change, labels) for change in reversed(file.changes)]
        return VersionedFile(versions=versions, unknown_version=file.cut_at and file.cut_at[:SHORT])

    def _file_history(self, path: str) -> tuple[FileHistory, Mapping[str, Sequence[str]]]:
        if self._history is None or self._prefix + path not in self._history.files:
            wanted = {*self._wanted, path} & self._blobs.keys()
            with reading(f"{self._where}: its history"):
                full = [self._prefix + one for one in sorted(wanted)]
                self._history = read_history(self._repository, full, self._most)
                self._files_at.clear()
        file = self._history.files[self._prefix + path]
        with reading(f"{self._where}: its tags and branches"):
            return file, self._labels(file, self._history)

    def _version(self, change: Change, labels: Mapping[str, Sequence[str]]) -> FileVersion:
        problem = content = failed = None
        try:
            content = self._text(change.blob, change.path)
        except UnusableContentError as error:
            problem = str(error)
        except UnreadableError as error:
            failed = error
        return FileVersion(
            version=change.commit[:SHORT],
            content=content,
            problem=problem,
            error=failed,
            labels=tuple(sorted(labels.get(change.commit, ()))),
            created=change.when,
            author=change.author or None,
            message=change.message or None,
            url=f"{self._web}/{change.commit}/{change.path}" if self._web else None,
            path=change.path,
        )

    def _labels(self, file: FileHistory, history: History) -> Mapping[str, Sequence[str]]:
        """Commit -> the tags and branches at which the file is what that commit made of it."""
        found: dict[str, list[str]] = {}
        for label, commit in self._wanted_refs().items():
            change = self._at(file, commit, history)
            if change is not None:
                found.setdefault(change.commit, []).append(label)
        return found

    def _at(self, file: FileHistory, commit: ObjectID, history: History) -> Change | None:
        """The change that made the file what it is at a commit."""
        held = self._ref_files(commit, history)
        position = history.positions.get(commit)
        here = {held[path] for path in file.paths if path in held}
        same = [change for change in file.changes if change.blob in here]
        if position is not None:
            same = [change for change in same if change.position >= position]
        return same[0] if same else None

    def _wanted_refs(self) -> Mapping[str, ObjectID]:
        if self._refs is None:
            self._refs = dict(filter(self._is_wanted_ref, self._repository.refs().items()))
        return self._refs

    def _is_wanted_ref(self, ref: tuple[str, ObjectID]) -> bool:
        name = ref[0]
        if name in self._repository.tags():
            return is_allowed(self._tags, name)
        return name == self._repository.branch if self._branches is None else is_allowed(self._branches, name)

    def _ref_files(self, commit: ObjectID, history: History) -> Mapping[str, ObjectID]:
        tree = self._repository.commit(commit).tree
        found = self._files_at.get(tree)
        if found is None:
            entries, _ = self._repository.files(tree)
            ever = {path for file in history.files.values() for path in file.paths}
            found = {entry.path: entry.blob for entry in entries if entry.path in ever}
            self._files_at[tree] = found
        return found

    def mark(self) -> str | None:
        with self._lock, reading(str(self._where)):
            return self._repository.fingerprint()

    def close(self) -> None:
        with self._lock:
            self._repository.close()
