"""Reads a git repository's objects and refs. No config is read, no hook runs, nothing is checked out or written.

A config can name commands and other files; objects and refs cannot. https://www.dulwich.io/docs/
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from dulwich.errors import (
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    MissingCommitError,
    NotGitRepository,
    ObjectMissing,
    WrongObjectException,
)
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tag, Tree
from dulwich.refs import DiskRefsContainer, Ref

from datahub_llmops.errors import UnreachableError, UnreadableError
from datahub_llmops.prompt_registries.prompt_files.git_sizes import ObjectSizes, ObjectTooLargeError

ObjectT = TypeVar("ObjectT", bound=ShaFile)

_DEEPEST_TREE: Final = 60
_MOST_TAGS_IN_TAGS: Final = 10
_DAMAGE: Final = (
    ApplyDeltaError,
    AssertionError,
    ChecksumMismatch,
    EOFError,
    FileFormatException,
    IndexError,
    KeyError,
    MissingCommitError,
    NotGitRepository,
    ObjectMissing,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    WrongObjectException,
    struct.error,
    zlib.error,
)
"""What the library raises for objects that are missing or damaged."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn damage of the repository into an error that names ``what``.

    Raises:
        UnreadableError: an object is missing or damaged.
        ObjectTooLargeError: an object would unpack to too much.
    """
    try:
        yield
    except ObjectTooLargeError as error:
        raise ObjectTooLargeError(f"{what}: {error}") from None
    except _DAMAGE:
        raise UnreadableError(
            f"{what}: an object of the git repository is missing or damaged. Run `git fsck` in it."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file of a tree."""

    path: str
    blob: ObjectID


class GitRepository:
    """The objects and refs of one repository. Not thread-safe.

    Raises:
        UnreachableError: it has no commit, or is in a form that cannot be read.
    """

    def __init__(self, folder: Path, branch: str | None) -> None:
        """``branch`` is read instead of the one that is checked out."""
        self._folder = folder
        try:
            self.store = DiskObjectStore(str(folder / "objects"))
            self._sizes = ObjectSizes(self.store)
            self._refs = DiskRefsContainer(str(folder))
            self.shallow = self._read_shallow()
            self.branch, self.tip = self._find_tip(branch)
        except _DAMAGE:
            raise UnreachableError(
                f"{folder}: its refs cannot be read. Run `git fsck` in it; a repository with reftables or SHA-256 is "
                "not supported."
            ) from None

    def close(self) -> None:
        self._sizes.close()
        self.store.close()

    def _read_shallow(self) -> frozenset[bytes]:
        try:
            return frozenset((self._folder / "shallow").read_bytes().split())
        except FileNotFoundError:
            return frozenset()

    def _find_tip(self, branch: str | None) -> tuple[str | None, ObjectID]:
        chain, commit = self._refs.follow(Ref(f"refs/heads/{branch}".encode() if branch else b"HEAD"))
        if commit is None:
            if branch:
                raise UnreachableError(
                    f"{self._folder}: the repository has no branch {branch!r}. Set `branch`."
                )
            raise UnreachableError(
                f"{self._folder}: the branch that is checked out has no commit yet. Set `branch` to one that has."
            )
        last = chain[-1] if chain else b""
        return _short(last, b"refs/heads/"), commit

    def refs(self) -> Mapping[str, ObjectID]:
        """Tags and branches by their short names, with the commit that each points at; a tag wins over a branch."""
        found: dict[str, ObjectID] = {}
        for prefix in (b"refs/heads/", b"refs/tags/"):
            for ref, target in sorted(self._refs.as_dict().items()):
                name = _short(ref, prefix)
                commit = self._peel(target) if name else None
                if name and commit is not None:
                    found[name] = commit
        return found

    def branches(self) -> frozenset[str]:
        """The short names of all branches."""
        return frozenset(filter(None, (_short(ref, b"refs/heads/") for ref in self._refs.as_dict())))

    def tags(self) -> frozenset[str]:
        """The short names of all tags."""
        return frozenset(filter(None, (_short(ref, b"refs/tags/") for ref in self._refs.as_dict())))

    def fingerprint(self) -> str:
        """What changes whenever a branch or tag moves, or the history is cut elsewhere."""
        lines = [b"%s %s" % (ref, target) for ref, target in sorted(self._refs.as_dict().items())]
        return hashlib.sha256(b"\n".join([self.tip, *sorted(self.shallow), *lines])).hexdigest()

    def _peel(self, target: ObjectID) -> ObjectID | None:
        for _ in range(_MOST_TAGS_IN_TAGS):
            self._sizes.check(target)
            found = self.store[target]
            if isinstance(found, Commit):
                return target
            if not isinstance(found, Tag):
                return None
            target = found.object[1]
        return None

    def commit(self, commit: ObjectID) -> Commit:
        """Read a commit. Raises ``KeyError`` and others: see ``reading``."""
        return self._read(commit, Commit)

    def tree(self, tree: ObjectID) -> Tree:
        """Read a tree."""
        return self._read(tree, Tree)

    def blob(self, blob: ObjectID) -> bytes:
        """Read a blob."""
        return self._read(blob, Blob).data

    def _read(self, name: ObjectID, kind: type[ObjectT]) -> ObjectT:
        self._sizes.check(name)
        found = self.store[name]
        if not isinstance(found, kind):
            raise TypeError("another kind of object")
        raw = found.as_raw_string()
        # The library takes the name of a loose object for its content's.
        if (
            hashlib.sha1(b"%s %d\0" % (kind.type_name, len(raw)) + raw, usedforsecurity=False)
            .hexdigest()
            .encode()
            != name
        ):
            raise ValueError("another content")
        return found

    def files(self, tree: ObjectID, prefix: str = "") -> tuple[list[Entry], list[str]]:
        """List the regular files below a tree, and the paths of its submodules. Symbolic links are left out."""
        entries: list[Entry] = []
        submodules: list[str] = []
        self._list(tree, prefix, entries, submodules, 0)
        return entries, submodules

    def _list(
        self, tree: ObjectID, prefix: str, entries: list[Entry], submodules: list[str], depth: int
    ) -> None:
        if depth > _DEEPEST_TREE:
            raise ValueError("too deep")
        for item in self.tree(tree).iteritems():
            path = f"{prefix}{item.path.decode('utf-8', 'replace')}"
            if stat.S_ISDIR(item.mode):
                self._list(item.sha, f"{path}/", entries, submodules, depth + 1)
            elif stat.S_ISREG(item.mode):
                entries.append(Entry(path=path, blob=item.sha))
            elif stat.S_IFMT(item.mode) == 0o160000:
                submodules.append(path)


def _short(ref: bytes, prefix: bytes) -> str | None:
    return ref.removeprefix(prefix).decode("utf-8", "replace") if ref.startswith(prefix) else None
