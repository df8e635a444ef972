"""The stand-in answers every recorded request as the real server did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from prompt_registries.langfuse.service import LangfuseService, authorization, recorded

RECORDED = [
    pytest.param(file, number, id=f"{file}-{number}")
    for file in ("prompts_list", "prompt_get", "errors", "projects")
    for number in range(len(recorded(file)))
]


@pytest.fixture(scope="module")
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


def send(service: LangfuseService, request: dict[str, Any], credentials: str | None) -> tuple[int, Any]:
    response = urllib3.request(
        request["method"],
        service.url + request["path"],
        fields={name: str(value) for name, value in (request["query"] or {}).items()},
        headers={} if credentials is None else {"Authorization": credentials},
        retries=False,
    )
    kind = response.headers["Content-Type"]
    return response.status, json.loads(response.data) if "json" in kind else response.data.decode()


def credentials(number: int, request: dict[str, Any]) -> str | None:
    """The recordings of refusals do not say which wrong keys were sent, but come in the order of their recorder."""
    if "auth" not in request:
        return authorization()
    wrong = {0: None, 1: authorization(secret="wrong"), 2: authorization("pk-lf-unknown", "unknown")}
    return wrong.get(number, "Bearer pk-lf-public-only")


@pytest.mark.parametrize(("file", "number"), RECORDED)
def test_a_recorded_request_is_answered_alike(service: LangfuseService, file: str, number: int) -> None:
    exchange = recorded(file)[number]
    status, body = send(service, exchange["request"], credentials(number, exchange["request"]))
    assert status == exchange["response"]["status"]
    expected = exchange["response"]["body"]
    if isinstance(body, dict) and isinstance(expected, dict):
        # The stand-in makes up ids: nothing reads them.
        body, expected = {**body, "id": None}, {**expected, "id": None}
    assert body == expected
