"""Turns LangSmith's JSON of prompts and commits into plain facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datahub_llmops.net.json_values import mapping, moment, strings, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A prompt as the listing tells it. LangSmith calls it a repo."""

    handle: str
    workspace: str
    kind: str
    updated: str
    commits: int
    last: str | None
    """Hash of the newest commit."""
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    description: str | None
    upstream: str | None
    """``owner/name`` of the prompt that it is a fork of."""

    def mark(self, labels: Mapping[str, str | None]) -> str:
        """What changes whenever the prompt does: a commit, a label, a description.

        That LangSmith changes the update time when a label moves is not known, so the commits that have them count too.
        """
        state = json.dumps(
            [self.commits, self.last, sorted(labels.items()), self.tags, self.description, self.upstream],
            separators=(",", ":"),
        )
        return f"{self.updated} {hashlib.sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as the listing tells it."""

    hash: str
    parent: str | None
    created: datetime | None
    author: str | None
    message: str | None
    manifest_digest: str | None
    """LangSmith's own digest of what the commit holds."""


def parse_listed(entry: Mapping[str, Any]) -> Listed | None:
    """Read one entry of the listing; ``None`` if it has not the shape of one."""
    handle, workspace = text(entry.get("repo_handle")), text(entry.get("tenant_id"))
    kind, updated = text(entry.get("repo_type")), text(entry.get("updated_at"))
    commits = whole(entry.get("num_commits"))
    if handle is None or workspace is None or kind is None or updated is None or commits is None:
        return None
    return Listed(
        handle=handle,
        workspace=workspace,
        kind=kind,
        updated=updated,
        commits=commits,
        last=text(entry.get("last_commit_hash")),
        labels=tuple(sorted(set(strings(entry.get("commit_tags"))))),
        tags=tuple(sorted(set(strings(entry.get("tags"))))),
        description=text(entry.get("description")),
        upstream=text(entry.get("upstream_repo_full_name")),
    )


def parse_commit(entry: Mapping[str, Any]) -> Commit | None:
    """Read one entry of the listing of commits; ``None`` if it has not the shape of one."""
    hash = text(mapping(entry).get("commit_hash"))
    if hash is None:
        return None
    return Commit(
        hash=hash,
        parent=text(entry.get("parent_commit_hash")),
        created=moment(entry.get("created_at")),
        author=text(entry.get("full_name")),
        message=text(entry.get("description")),
        manifest_digest=text(entry.get("manifest_sha")),
    )


def oldest_first(commits: Iterable[Commit]) -> list[Commit]:
    """Order commits that are listed newest first, so that each comes after its parent whatever the listing says."""
    waiting = list(reversed(list(commits)))
    by_hash = {commit.hash: commit for commit in waiting}
    placed: dict[str, Commit] = {}
    for commit in waiting:
        line: list[Commit] = []
        seen: set[str] = set()
        step: Commit | None = commit
        while step is not None and step.hash not in placed and step.hash not in seen:
            seen.add(step.hash)
            line.append(step)
            step = by_hash.get(step.parent) if step.parent else None
        placed.update((one.hash, one) for one in reversed(line))
    return list(placed.values())
