"""The REST API of one LangSmith workspace.

https://docs.langchain.com/langsmith/smith-api-ref
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.errors import ConnectorError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import mapping, text, whole
from datahub_llmops.net.paging import Pages
from datahub_llmops.prompt_registries.langsmith.facts import Commit, Listed, parse_commit, parse_listed

V1: Final = "/api/v1"
V2: Final = "/api/v2"
_A_PAGE: Final = 100


def absent(status: int, answer: object) -> bool:
    """Whether LangSmith itself says that something does not exist: ``Commit not found``.

    A path that it does not serve is answered ``Not Found``, which says nothing of the thing.
    """
    detail = text(mapping(answer).get("detail")) or ""
    return status == 404 and detail != "Not Found" and detail.lower().endswith("not found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The workspace that the key belongs to."""

    id: str
    handle: str | None
    """The owner of its prompts in their full names; ``None`` if it never chose one."""


class LangSmithServer:
    """Calls of one workspace, which raise ``ConnectorError`` only. Thread-safe; it closes ``client``."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self.workspace = Once(self._read_workspace)
        """The workspace, read at the first call: whatever answers there is LangSmith, and takes the key."""

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def pages_at(self) -> str:
        """Root of the user interface. The service has it beside the API; elsewhere both have one address."""
        return self._client.address.replace("api.smith.langchain.com", "smith.langchain.com", 1)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """Return the JSON object at ``path``."""
        return self._object(path, self._client.get(path, params))

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the JSON object that a question is answered with. It changes nothing."""
        return self._object(path, self._client.post(path, dict(body), reads=True))

    def entries(self, path: str, key: str, params: Mapping[str, str | int]) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a listing by offset, which are at ``key`` beside their total.

        Raises:
            UnreadableError: it ended before the total that it states.
        """
        pages = Pages.of(self._client, path)
        offset = 0
        while True:
            answer = self.get(path, {**params, "limit": _A_PAGE, "offset": offset})
            found, total = self._list(path, answer, key), whole(answer.get("total"))
            if total is None:
                raise self.unexpected(path)
            if not found and offset < total:
                raise UnreadableError(
                    f"{self.name}: {path} returned {offset:,} of {total:,} entries. Run again; if it happens again, "
                    "look at the server's log."
                )
            pages.add(map(repr, found))
            yield from found
            offset += len(found)
            if offset >= total:
                return
            pages.turn(offset)

    def cursors(self, path: str, params: Mapping[str, str | int]) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a listing whose pages name where the next one begins."""
        pages = Pages.of(self._client, path)
        cursor: str | None = None
        while True:
            answer = self.get(path, params if cursor is None else {**params, "cursor": cursor})
            found = self._list(path, answer, "items")
            pages.add(map(repr, found))
            yield from found
            cursor = text(answer.get("next_cursor"))
            if cursor is None:
                return
            pages.turn(cursor)

    def question(self, path: str, body: Mapping[str, Any], most: int) -> tuple[list[Mapping[str, Any]], bool]:
        """Return the entries of at most ``most`` pages of a question, and whether these are all."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        for _ in range(most):
            answer = self.post(path, body if cursor is None else {**body, "cursor": cursor})
            found.extend(self._list(path, answer, "items"))
            cursor = text(answer.get("next_cursor"))
            if cursor is None:
                return found, True
        return found, False

    def list_prompts(self) -> Iterator[Listed]:
        """List the prompts of the workspace, archived ones too. Public prompts of others are left out.

        Raises:
            UnreadableError: only prompts of other workspaces are listed.
        """
        path, own = f"{V1}/repos", self.workspace().id
        strangers = 0
        known = 0
        asked: dict[str, str | int] = {"repo_type": "prompt", "is_archived": "allow", "tenant_id": own}
        for entry in self.entries(path, "repos", asked):
            listed = parse_listed(entry)
            if listed is None:
                raise self.unexpected(path)
            if listed.workspace != own:
                strangers += 1
            elif listed.kind == "prompt":
                known += 1
                yield listed
        if strangers and not known:
            raise UnreadableError(
                f"{self.name}: all of {strangers:,} prompts belong to other workspaces. Set workspace_id to the one "
                "that the prompts are in."
            )

    def read_repo(self, handle: str) -> Listed:
        """Read what the listing tells of one prompt."""
        path = f"{V1}/repos/-/{self._part(handle)}"
        listed = parse_listed(mapping(self.get(path).get("repo")))
        if listed is None or listed.handle != handle:
            raise self.unexpected(path)
        return listed

    def confirm_gone(self, handle: str) -> ConnectorError:
        """Return ``VanishedError`` if LangSmith says that there is no such prompt, else why that is not known."""
        try:
            self.read_repo(handle)
        except ConnectorError as error:
            return error
        return UnreadableError(
            f"{self.name}: the prompt {handle} is there, but its commits were not found. Run again."
        )

    def list_commits(self, handle: str, owner: str = "-") -> list[Commit]:
        """List all commits of a prompt, as LangSmith lists them: newest first."""
        path = f"{V1}/commits/{path_part(owner)}/{self._part(handle)}"
        found = [self._commit(path, entry) for entry in self.entries(path, "commits", {})]
        return list({commit.hash: commit for commit in found}.values())

    def find_label(self, handle: str, label: str) -> str | None:
        """Return the hash of the commit that has a label; ``None`` if none has it."""
        path = f"{V1}/commits/-/{self._part(handle)}"
        answer = self.get(path, {"tag": label, "limit": 1})
        found = self._list(path, answer, "commits")
        return self._commit(path, found[0]).hash if found else None

    def read_manifest(self, handle: str, hash: str) -> Mapping[str, Any]:
        """Read the template of one commit with its model. Examples are not asked for."""
        path = f"{V1}/commits/-/{self._part(handle)}/{path_part(hash)}"
        answer = self.get(path, {"include_model": "true", "get_examples": "false"})
        manifest = answer.get("manifest")
        if answer.get("commit_hash") != hash or not isinstance(manifest, Mapping):
            raise self.unexpected(path)
        return manifest

    def unexpected(self, path: str) -> UnreadableError:
        """Return the error for an answer without the shape of LangSmith's."""
        return self._client.unexpected(path)

    def close(self) -> None:
        self._client.close()

    def _part(self, handle: str) -> str:
        if handle in ("", ".", ".."):
            raise UnreadableError(
                f"{self.name}: a prompt named {handle!r} has no URL. Rename it, or filter it out by prompt_pattern."
            )
        return path_part(handle)

    def _commit(self, path: str, entry: Mapping[str, Any]) -> Commit:
        commit = parse_commit(entry)
        if commit is None:
            raise self.unexpected(path)
        return commit

    def _object(self, path: str, answer: object) -> Mapping[str, Any]:
        if not isinstance(answer, Mapping):
            raise self.unexpected(path)
        return answer

    def _list(self, path: str, answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        found = answer.get(key)
        if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
            raise self.unexpected(path)
        return found

    def _read_workspace(self) -> Workspace:
        path = f"{V1}/settings"
        try:
            answer = self.get(path)
        except VanishedError as error:
            raise UnreachableError(str(error)) from None
        id = text(answer.get("id"))
        if id is None:
            raise UnreachableError(
                f"{self.name}: {path} names no workspace. Set url to the root of LangSmith's API, and api_key to a key "
                "of a workspace."
            )
        return Workspace(id=id, handle=text(answer.get("tenant_handle")))
