"""Git repositories made of commits that a test spells out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit, Tag
from dulwich.repo import Repo

ADA = "Ada Stewart <ada@acme.example>"
START = 1_762_000_000


class Repository:
    """A bare repository at ``path``, or one with a work tree that holds nothing."""

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.repo = _make(path, bare=bare)
        self.repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
        self._count = 0

    def commit(
        self,
        files: Mapping[str, str | bytes],
        message: str = "change",
        *,
        author: str = ADA,
        branch: str = "main",
        parents: Sequence[str] | None = None,
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
    ) -> str:
        """Commit ``files`` as the whole tree, an hour after the last commit; returns its hash."""
        entries: list[Any] = []
        for path, content in files.items():
            blob = Blob.from_string(content.encode() if isinstance(content, str) else content)
            self.repo.object_store.add_object(blob)
            entries.append((path.encode(), blob.id, 0o100644))
        for path, target in (links or {}).items():
            blob = Blob.from_string(target.encode())
            self.repo.object_store.add_object(blob)
            entries.append((path.encode(), blob.id, 0o120000))
        entries += [(path.encode(), sha.encode(), 0o160000) for path, sha in (submodules or {}).items()]
        ref = f"refs/heads/{branch}".encode()
        before = self.repo.refs.as_dict().get(ref)
        commit: Any = Commit()
        commit.tree = commit_tree(self.repo.object_store, entries)
        commit.parents = (
            [parent.encode() for parent in parents] if parents is not None else [before] if before else []
        )
        commit.author = commit.committer = author.encode()
        commit.author_time = commit.commit_time = START + 3600 * self._count
        commit.author_timezone = commit.commit_timezone = 3600
        commit.encoding = b"UTF-8"
        commit.message = message.encode()
        self.repo.object_store.add_object(commit)
        self.repo.refs[ref] = commit.id
        self._count += 1
        return str(commit.id.decode())

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        """Set a tag, or move it."""
        target = commit.encode()
        if annotated:
            tag: Any = Tag()
            tag.name, tag.message, tag.tagger = name.encode(), b"release", ADA.encode()
            tag.tag_time, tag.tag_timezone = START, 0
            tag.object = (Commit, target)
            self.repo.object_store.add_object(tag)
            target = tag.id
        self.repo.refs[f"refs/tags/{name}".encode()] = target

    def branch(self, name: str, commit: str) -> None:
        """Set a branch, or move it."""
        self.repo.refs[f"refs/heads/{name}".encode()] = commit.encode()


def _make(path: Path, *, bare: bool) -> Any:
    # Its types tell refs and hashes from other bytes, which these few lines do not.
    return Repo.init_bare(str(path)) if bare else Repo.init(str(path))
