"""The REST API and GraphQL of one Phoenix server.

REST is stable and has no authors, times or aggregates. GraphQL has them, and changes from release to release.
https://arize.com/docs/phoenix/sdk-api-reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from datahub_llmops.errors import UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import mapping, mappings, objects, text
from datahub_llmops.net.paging import Pages

GRAPHQL: Final = "/graphql"
_PROMPTS: Final = "/v1/prompts"
_A_PAGE: Final = 100


class MovedError(UnreadableError):
    """The GraphQL of this server has no longer, or not yet, what was asked for."""


def absent(status: int, answer: object) -> bool:
    """Whether Phoenix says that something does not exist. Others say it in the same words: it alone proves nothing."""
    return status == 404 and answer == "Not Found"


class PhoenixServer:
    """Calls of one server, which raise ``ConnectorError`` only. Thread-safe; it closes ``client``."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def address(self) -> str:
        """Root of the user interface."""
        return self._client.address

    def ask(self, query: str, variables: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """Return the data that a query of GraphQL is answered with.

        Raises:
            MovedError: the server does not know a field, a type or an argument of the query.
        """
        body = {"query": query, "variables": dict(variables or {})}
        try:
            answer = mapping(self._client.post(GRAPHQL, body, reads=True))
        except VanishedError:
            raise self._gateway(GRAPHQL) from None
        if errors := objects(answer.get("errors")):
            # A query that does not fit the schema is refused as a whole. Messages may repeat what was asked about.
            if not any("path" in error for error in errors):
                raise MovedError(
                    f"{self.name}: its GraphQL differs from that of the versions that this connector knows. Upgrade "
                    "the connector, or Phoenix if it is older than 20."
                )
            raise UnreadableError(
                f"{self.name}: POST {GRAPHQL} was answered with an error instead of data. Look at the server's log."
            )
        data = answer.get("data")
        if not isinstance(data, Mapping):
            raise UnreachableError(
                f"{self.name}: what answers at {GRAPHQL} is not Phoenix. Set url to the root of Phoenix, for example "
                "http://localhost:6006."
            )
        return data

    def connection(
        self, query: str, variables: Mapping[str, object], *path: str
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the nodes of all pages of a connection. ``query`` takes ``$after``, ``path`` leads to it."""
        pages = Pages.of(self._client, f"{GRAPHQL} {'.'.join(path)}")
        after: str | None = None
        while True:
            found: Any = self.ask(query, {**variables, "after": after})
            for part in path:
                found = mapping(found).get(part)
            edges, page = mapping(found).get("edges"), mapping(mapping(found).get("pageInfo"))
            if not isinstance(edges, list) or not isinstance(page.get("hasNextPage"), bool):
                raise self._client.unexpected(GRAPHQL)
            nodes = [mapping(edge.get("node")) for edge in mappings(edges)]
            pages.add(map(repr, nodes))
            yield from nodes
            if not page["hasNextPage"]:
                return
            after = text(page.get("endCursor"))
            pages.turn(after)

    def list_prompts(self) -> Iterator[Mapping[str, Any]]:
        """List the prompts by REST, newest first."""
        return self._pages(_PROMPTS)

    def read_versions(self, name: str) -> list[Mapping[str, Any]]:
        """Read all versions of a prompt with their templates, newest first. There are none of an unknown prompt."""
        return list(self._pages(f"{_PROMPTS}/{path_part(name)}/versions"))

    def read_tags(self, version: str) -> list[Mapping[str, Any]]:
        """Read the tags of a version by its id."""
        return list(self._pages(f"/v1/prompt_versions/{path_part(version)}/tags"))

    def has_prompt(self, name: str) -> bool:
        """Ask for one prompt by its name, the only request that an unknown one is answered 404."""
        try:
            self._client.get(f"{_PROMPTS}/{path_part(name)}/latest")
        except VanishedError:
            return False
        return True

    def unexpected(self, path: str) -> UnreadableError:
        """Return the error for an answer without the shape of Phoenix's."""
        return self._client.unexpected(path)

    def close(self) -> None:
        self._client.close()

    def _gateway(self, path: str) -> UnreachableError:
        """Return the error for a 404 where Phoenix never answers one, in words that others use too."""
        return UnreachableError(
            f"{self.name}: {path} was answered 404, but not by Phoenix: perhaps a gateway answered. Check the url and "
            "its path."
        )

    def _pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        pages = Pages.of(self._client, path)
        cursor: str | None = None
        while True:
            asked: dict[str, str | int] = {"limit": _A_PAGE}
            try:
                answer = self._client.get(path, asked if cursor is None else {**asked, "cursor": cursor})
            except VanishedError:
                raise self._gateway(path) from None
            if not isinstance(answer, Mapping) or not {"data", "next_cursor"} <= answer.keys():
                raise UnreachableError(
                    f"{self.name}: what answers at {path} is not Phoenix. Set url to the root of Phoenix, for example "
                    "http://localhost:6006."
                )
            data = answer["data"]
            if not isinstance(data, list):
                raise self._client.unexpected(path)
            entries = mappings(data)
            pages.add(map(repr, entries))
            yield from entries
            if answer["next_cursor"] is None:
                return
            cursor = text(answer["next_cursor"])
            pages.turn(cursor)
