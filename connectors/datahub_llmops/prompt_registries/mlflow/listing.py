"""Reads MLflow's listings to their end, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from datahub_llmops.errors import UnreachableError
from datahub_llmops.net.http import HttpClient, Query
from datahub_llmops.net.json_values import mappings
from datahub_llmops.net.paging import Pages

_TOKEN: Final = "next_page_token"


def absent(status: int, answer: object) -> bool:
    """Whether MLflow itself says that something does not exist."""
    return (
        status == 404 and isinstance(answer, dict) and answer.get("error_code") == "RESOURCE_DOES_NOT_EXIST"
    )


def get_pages(client: HttpClient, path: str, params: Query, key: str) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the entries below ``key`` of each page of a listing that is asked for by GET."""
    pages = Pages.of(client, path)
    query = params
    while True:
        entries, token = _page(client, path, client.get(path, query), key)
        pages.add(map(repr, entries))
        yield entries
        if token is None:
            return
        pages.turn(token)
        query = {**params, "page_token": str(token)}


def post_pages(
    client: HttpClient, path: str, body: Mapping[str, Any], key: str
) -> Iterator[list[Mapping[str, Any]]]:
    """Like ``get_pages`` for a listing that is asked for by POST."""
    pages = Pages.of(client, path)
    asked = dict(body)
    while True:
        entries, token = _page(client, path, client.post(path, asked, reads=True), key)
        pages.add(map(repr, entries))
        yield entries
        if token is None:
            return
        pages.turn(token)
        asked = {**body, "page_token": token}


def _page(client: HttpClient, path: str, answer: object, key: str) -> tuple[list[Mapping[str, Any]], object]:
    """Take a page apart. One without entries is ``{}``: MLflow leaves out what is empty."""
    if not isinstance(answer, Mapping):
        raise client.unexpected(path)
    if not answer.keys() <= {key, _TOKEN}:
        raise UnreachableError(
            f"{client.name}: what answers at {path} is not MLflow. Set url to the root of the tracking server, for "
            "example http://localhost:5000."
        )
    entries = answer.get(key, [])
    if not isinstance(entries, list):
        raise client.unexpected(path)
    return mappings(entries), answer.get(_TOKEN) or None


def quoted(value: str) -> str | None:
    """Write a value for a filter of MLflow; ``None`` if it has both kinds of quotation marks, which no filter can.

    MLflow has no way to escape them.
    """
    mark = '"' if "'" in value else "'"
    return None if mark in value else f"{mark}{value}{mark}"
