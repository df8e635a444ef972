"""The stand-in answers every request of ``tests/wire/weave`` alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from prompt_registries.weave.recordings import WIRE, recorded
from prompt_registries.weave.service import API_KEY, WeaveService

RECORDED = [
    pytest.param(path.stem, number, id=f"{path.stem}-{number}")
    for path in sorted(WIRE.glob("*.json"))
    for number in range(len(recorded(path.stem)))
]


@pytest.fixture(scope="module")
def service() -> Iterator[WeaveService]:
    with WeaveService() as server:
        server.trace()
        yield server


@pytest.mark.parametrize(("file", "number"), RECORDED)
def test_a_recorded_request_is_answered_alike(service: WeaveService, file: str, number: int) -> None:
    exchange = recorded(file)[number]
    request = exchange["request"]
    response = urllib3.request(
        request["method"],
        f"{service.url}{request['path']}",
        body=json.dumps(request["body"]),
        headers=urllib3.util.make_headers(basic_auth=f"api:{API_KEY}"),
        retries=False,
    )
    assert response.status == exchange["response"]["status"]
    answered: Any = (
        [json.loads(line) for line in response.data.splitlines()]
        if request["path"] == "/calls/stream_query"
        else response.json()
    )
    assert answered == exchange["response"]["body"]
