"""The stand-in answers every request of ``tests/wire/langsmith`` alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import urllib3

from prompt_registries.langsmith.recordings import WIRE, recorded
from prompt_registries.langsmith.service import API_KEY, LangSmithService

RECORDED = [
    pytest.param(path.stem, number, id=f"{path.stem}-{number}")
    for path in sorted(WIRE.glob("*.json"))
    for number in range(len(recorded(path.stem)))
]


@pytest.fixture(scope="module")
def service() -> Iterator[LangSmithService]:
    with LangSmithService() as server:
        yield server


@pytest.mark.parametrize(("file", "number"), RECORDED)
def test_a_recorded_request_is_answered_alike(service: LangSmithService, file: str, number: int) -> None:
    exchange = recorded(file)[number]
    request = exchange["request"]
    query = f"?{urlencode([tuple(pair) for pair in request['query']])}" if request["query"] else ""
    response = urllib3.request(
        request["method"],
        f"{service.url}{request['path']}{query}",
        body=None if request["body"] is None else json.dumps(request["body"]),
        headers={"x-api-key": API_KEY},
        retries=False,
    )
    assert response.status == exchange["response"]["status"]
    assert response.json() == exchange["response"]["body"]
