"""The public REST API of one Langfuse project.

https://langfuse.com/docs/api-and-data-platform/features/public-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.errors import ConnectorError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import mapping, mappings, text, whole
from datahub_llmops.net.paging import Pages
from datahub_llmops.prompt_registries.langfuse.facts import Listed, parse_listed

API: Final = "/api/public"
_PROMPTS: Final = f"{API}/v2/prompts"
_A_PAGE: Final = 100
"""The largest page of most listings; more is answered 400."""


def absent(status: int, answer: object) -> bool:
    """Whether Langfuse itself says that something does not exist. A path that it does not serve is a web page."""
    return status == 404 and mapping(answer).get("error") == "LangfuseNotFoundError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project that the keys belong to."""

    id: str
    name: str


class LangfuseServer:
    """Calls of one project, which raise ``ConnectorError`` only. Thread-safe; it closes ``client``."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self.project = Once(self._read_project)
        """The project, read at the first call: whatever answers there is Langfuse, and takes the keys."""

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def address(self) -> str:
        """Root of the user interface."""
        return self._client.address

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """Return the JSON object at ``path``, which begins below the API's root."""
        answer = self._client.get(f"{API}{path}", params)
        if not isinstance(answer, Mapping):
            raise self.unexpected(path)
        return answer

    def pages(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a listing with numbered pages."""
        pages = Pages.of(self._client, f"{API}{path}")
        number = 1
        while True:
            answer = self.get(path, {**(params or {}), "page": number, "limit": _A_PAGE})
            entries = self._entries(path, answer)
            pages.add(map(repr, entries))
            yield from entries
            total = whole(mapping(answer.get("meta")).get("totalPages"))
            if total is None:
                raise self.unexpected(path)
            if number >= total:
                return
            number += 1
            pages.turn(number)

    def cursors(self, path: str, params: Mapping[str, str | int]) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a listing whose pages name where the next one begins."""
        pages = Pages.of(self._client, f"{API}{path}")
        cursor: str | None = None
        while True:
            answer = self.get(path, params if cursor is None else {**params, "cursor": cursor})
            entries = self._entries(path, answer)
            pages.add(map(repr, entries))
            yield from entries
            cursor = text(mapping(answer.get("meta")).get("cursor"))
            if cursor is None:
                return
            pages.turn(cursor)

    def list_prompts(self, **filters: str) -> Iterator[Listed]:
        """List the prompts by name. ``name`` is the whole name; with ``label`` only versions with it are listed."""
        for entry in self.pages("/v2/prompts", filters):
            listed = parse_listed(entry)
            if listed is None:
                raise self.unexpected("/v2/prompts")
            yield listed

    def read_version(self, name: str, version: int) -> Mapping[str, Any]:
        """Read one version as it was written, without what it includes put in."""
        return self.get(self._path(name), {"version": version, "resolve": "false"})

    def confirm_gone(self, name: str) -> ConnectorError:
        """Return ``VanishedError`` if Langfuse says that there is no such prompt, else why that is not known.

        An empty listing is not proof. Every prompt has the label ``latest``.
        """
        try:
            self.get(self._path(name), {"label": "latest"})
        except ConnectorError as error:
            return error
        return UnreadableError(f"{self.name}: the prompt is there, but the listing leaves it out. Run again.")

    def unexpected(self, path: str) -> UnreadableError:
        """Return the error for an answer without the shape of Langfuse's."""
        return self._client.unexpected(f"{API}{path}")

    def close(self) -> None:
        self._client.close()

    def _path(self, name: str) -> str:
        if name in ("", ".", ".."):
            raise UnreadableError(
                f"{self.name}: a prompt named {name!r} has no URL. Copy it under another name, or filter it out by "
                "prompt_pattern."
            )
        return f"/v2/prompts/{path_part(name)}"

    def _entries(self, path: str, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        data = answer.get("data")
        if not isinstance(data, list):
            raise self.unexpected(path)
        return mappings(data)

    def _read_project(self) -> Project:
        try:
            found = next(iter(self._entries("/projects", self.get("/projects"))), {})
        except VanishedError as error:
            raise UnreachableError(str(error)) from None
        id, name = text(found.get("id")), text(found.get("name"))
        if id is None or name is None:
            raise UnreachableError(
                f"{self.name}: the keys belong to no project. Set public_key and secret_key to those of a project, and "
                "url to the root of Langfuse."
            )
        return Project(id=id, name=name)
