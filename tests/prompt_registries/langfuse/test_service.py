"""The stand-in answers every recorded request as the real server did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from prompt_registries.langfuse.recordings import recorded
from prompt_registries.langfuse.service import LangfuseService, authorization

RECORDED = [
    pytest.param(file, number, id=f"{file}-{number}")
    for file in ("prompts_list", "prompt_get", "errors", "projects", "models", "metrics_errors")
    for number in range(len(recorded(file)))
    if (file, number) not in (("metrics_errors", 5), ("metrics_errors", 8))
]
"""Not without any metric, or without a query: the connector asks for neither."""
NOT_MEASURED = frozenset({"latency", "countScores", "timeToFirstToken"})
"""Of which the rows of the recordings tell too little to add them up."""
MEASURED = [
    pytest.param(file, number, id=f"{file}-{number}")
    for file in ("metrics", "metrics_v1")
    for number, exchange in enumerate(recorded(file))
    if "userId" not in exchange["request"]["query"]["query"]
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


@pytest.mark.parametrize(("file", "number"), MEASURED)
def test_recorded_aggregates_follow_from_the_recorded_rows(
    service: LangfuseService, file: str, number: int
) -> None:
    exchange = recorded(file)[number]
    query = json.loads(exchange["request"]["query"]["query"])
    left = {f"{item['aggregation']}_{item['measure']}" for item in query["metrics"]}
    left = {name for name in left if name.partition("_")[2] in NOT_MEASURED}
    if left and len(left) == len(query["metrics"]):
        return
    status, body = send(service, exchange["request"], authorization())
    assert status == 200

    def comparable(rows: list[dict[str, Any]]) -> Any:
        # A server sums costs in an order of its own, and does the same with rows of one time.
        kept = [{name: value for name, value in row.items() if name not in left} for row in rows]
        rounded = [
            {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}
            for row in kept
        ]
        return sorted(rounded, key=lambda row: json.dumps(row, sort_keys=True))

    assert comparable(body["data"]) == comparable(exchange["response"]["body"]["data"])
