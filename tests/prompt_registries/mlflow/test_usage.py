"""What applications did, against a real MLflow server that holds two days of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import PromptRef
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError
from datahub_llmops.prompt_registries.mlflow.tracking import write_link
from datahub_llmops.prompt_registries.mlflow.traffic import NamedBy
from prompt_registries.mlflow.engine import PLANTED, MlflowServer
from prompt_registries.mlflow.recorded import recorded
from prompt_registries.mlflow.test_reader import reader_of
from support.stub import Call, Reply, Stub, answer_json

FIRST, SECOND = date(2026, 11, 20), date(2026, 11, 21)
WINDOW = Window(first=date(2026, 11, 19), last=date(2026, 11, 22))
ANSWER = "support-answer"


def observe(
    server: Stub, named_by: NamedBy = "logged_model", window: Window = WINDOW
) -> list[Observed | FailedListing]:
    with reader_of(server.url, named_by=named_by) as reader:
        list(reader.names())
        return list(reader.observed(window))


@pytest.fixture(scope="module")
def seen(mlflow: MlflowServer) -> list[Observed]:
    """What MLflow saw of its LoggedModels."""
    with reader_of(mlflow.url) as reader:
        return [row for row in reader.observed(WINDOW) if isinstance(row, Observed)]


def whole(seen: list[Observed]) -> dict[tuple[date, str | None], Observed]:
    return {(row.day, row.version): row for row in seen if row.prompt is None and row.model is None}


def test_the_application_is_the_logged_model(seen: list[Observed], mlflow: MlflowServer) -> None:
    """Three answers on the first day: neither the one of an evaluation counts nor the one of a judge."""
    assert {row.application for row in seen} == {"support-bot"}
    days = whole(seen)
    app, newer = mlflow.seeded["app"], mlflow.seeded["newer"]
    assert set(days) == {(FIRST, app), (SECOND, app), (SECOND, newer)}
    first = days[FIRST, app]
    assert (first.calls, first.errors, first.milliseconds) == (3, 0, 6000.0)
    assert first.tokens == Tokens(input=300, cached=30, output=60)
    assert first.cost == pytest.approx(0.00049)
    assert first.definition == f"{mlflow.url}/#/experiments/1/models/{app}"


def test_what_evaluations_rated_is_traffic_and_what_they_ran_is_not(
    seen: list[Observed], mlflow: MlflowServer
) -> None:
    """Two of the three answers of the first day are linked to a run that rated them afterwards."""
    assert whole(seen)[FIRST, mlflow.seeded["app"]].calls == 3


def test_a_failed_answer_has_no_tokens_and_no_cost(seen: list[Observed], mlflow: MlflowServer) -> None:
    row = whole(seen)[SECOND, mlflow.seeded["app"]]
    assert (row.calls, row.errors, row.tokens, row.cost) == (1, 1, Tokens(), None)


def test_a_model_without_a_price_makes_the_cost_unknown(seen: list[Observed], mlflow: MlflowServer) -> None:
    models = {
        (row.day, row.version, row.model): (row.calls, row.errors, row.cost) for row in seen if row.model
    }
    app, newer = mlflow.seeded["app"], mlflow.seeded["newer"]
    assert models == {
        (FIRST, app, "openai/gpt-4o"): (1, 0, pytest.approx(0.0004375)),
        (FIRST, app, "openai/gpt-4o-mini"): (2, 0, pytest.approx(0.0000525)),
        (SECOND, app, "openai/gpt-4o-mini"): (1, 1, None),
        (SECOND, newer, "acme/acme-70b"): (1, 0, None),
        # MLflow does not know its provider.
        (SECOND, newer, "gpt-4o-mini"): (1, 0, pytest.approx(0.0000105)),
    }
    assert whole(seen)[SECOND, newer].cost is None
    assert whole(seen)[SECOND, newer].tokens == Tokens(input=150, cached=10, output=25)


def test_versions_of_prompts_with_their_calls_and_last_use(seen: list[Observed]) -> None:
    """An answer that used two prompts counts for both of them, if it is the newest of one."""
    found = {
        (row.day, row.prompt): (row.calls, row.tokens.input, row.last)
        for row in seen
        if row.prompt is not None
    }
    second, third = PromptRef(name=ANSWER, version="2"), PromptRef(name=ANSWER, version="3")
    assert found == {
        (FIRST, second): (2, 200, None),
        (SECOND, second): (1, None, datetime(2026, 11, 21, 0, tzinfo=UTC)),
        (SECOND, third): (1, 100, datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (FIRST, PromptRef(name="classify-ticket", version="1")): (
            1,
            100,
            datetime(2026, 11, 20, 23, 0, 59, tzinfo=UTC),
        ),
    }


def test_an_experiment_is_an_application_if_the_recipe_says_so(mlflow_server: Stub) -> None:
    rows = [row for row in observe(mlflow_server, "experiment") if isinstance(row, Observed)]
    calls = {(row.application, row.day): row.calls for row in rows if not row.prompt and not row.model}
    assert calls == {("support-bot", FIRST): 3, ("support-bot", SECOND): 4, ("batch", SECOND): 2}
    used = {(row.prompt.name, row.prompt.version) for row in rows if row.prompt}
    assert used == {(ANSWER, "2"), (ANSWER, "3"), ("classify-ticket", "1"), ("classify-ticket", "2")}


def test_a_trace_name_is_an_application_if_the_recipe_says_so(mlflow_server: Stub) -> None:
    rows = observe(mlflow_server, "trace_name")
    calls = {
        (row.application, row.day): row.calls
        for row in rows
        if isinstance(row, Observed) and not row.prompt and not row.model
    }
    assert calls == {
        ("answer", FIRST): 3,
        ("answer", SECOND): 3,
        ("classify", SECOND): 1,
        ("nightly", SECOND): 1,
    }
    # MLflow cannot be asked for a name with both kinds of quotation marks: it is missed by name, and alone.
    (failed,) = (row for row in rows if isinstance(row, FailedListing))
    assert failed.name == ('it\'s a "batch"',)


def test_days_are_asked_for_together(mlflow_server: Stub) -> None:
    with reader_of(mlflow_server.url) as reader:
        list(reader.observed(WINDOW))
        few = len(mlflow_server.calls)
        mlflow_server.calls.clear()
        list(reader.observed(Window(first=date(2026, 10, 25), last=date(2026, 11, 22))))
    assert len(mlflow_server.calls) == few


def test_an_answer_that_is_full_is_asked_for_in_halves(
    mlflow_server: Stub, seen: list[Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_llmops.prompt_registries.mlflow.metrics._MOST_ROWS", 6)
    rows = [row for row in observe(mlflow_server) if isinstance(row, Observed)]
    assert [(row.day, row.calls, row.model) for row in rows] == [
        (row.day, row.calls, row.model) for row in seen
    ]
    # One row a day cannot be halved.
    monkeypatch.setattr("datahub_llmops.prompt_registries.mlflow.metrics._MOST_ROWS", 1)
    (failed, *_) = observe(mlflow_server)
    assert isinstance(failed, FailedListing)


def test_an_application_that_fails_stops_no_other(mlflow_server: Stub, mlflow: MlflowServer) -> None:
    app = mlflow.seeded["app"].encode()
    mlflow_server.fail("500", when=lambda call: call.path.endswith("/metrics") and app in call.body)
    rows = observe(mlflow_server)
    (failed,) = (row for row in rows if isinstance(row, FailedListing))
    assert failed.name == ("support-bot",)
    assert isinstance(failed.error, UnreadableError)
    assert {row.version for row in rows if isinstance(row, Observed)} == {mlflow.seeded["newer"]}


def test_a_user_who_may_not_see_traces_is_told_once() -> None:
    with recorded("without permission") as server, pytest.raises(DeniedError):
        observe(server)


def test_a_server_from_before_traces_metrics_is_told_once(mlflow_server: Stub) -> None:
    """The page is the one that MLflow has for paths that it does not know."""
    real = mlflow_server.answer

    def answer(call: Call) -> Reply:
        unknown = Call(method="GET", path="/api/3.0/mlflow/nosuch")
        return real(unknown if call.path.endswith(("/traces/metrics", "/server-info")) else call)

    mlflow_server.answer = answer
    (failed,) = observe(mlflow_server)
    assert isinstance(failed, FailedListing)
    assert not failed.is_item
    assert "too old" in str(failed.error)


@pytest.mark.parametrize("hidden", ["/traces/metrics", ""])
def test_a_server_that_is_not_known_to_be_old_is_not_called_so(mlflow_server: Stub, hidden: str) -> None:
    """A gateway that does not let one path through, and one that answers everything once MLflow is gone."""
    real, gone = mlflow_server.answer, False

    def answer(call: Call) -> Reply:
        nonlocal gone
        gone = gone or call.path.endswith("/traces/metrics")
        unknown = Call(method="GET", path="/api/3.0/mlflow/nosuch")
        return real(unknown if gone and call.path.endswith(hidden) else call)

    mlflow_server.answer = answer
    with pytest.raises(UnreachableError):
        observe(mlflow_server)


def test_no_text_of_a_trace_is_kept(seen: list[Observed], mlflow: MlflowServer) -> None:
    assert PLANTED not in repr(seen)
    with reader_of(mlflow.url) as reader:
        assert PLANTED not in repr([reader.read(name) for name in reader.names()])


def test_a_link_of_one_version_is_written_as_mlflow_does(mlflow_server: Stub) -> None:
    """Its filters compare texts: what we write has to be what the server keeps."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}
    body = {"locations": [place], "filter": "prompt = 'support-answer/3'", "max_results": 1}
    reply = mlflow_server.answer(
        Call(
            method="POST",
            path="/api/3.0/mlflow/traces/search",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )
    )
    (trace,) = json.loads(reply.body)["traces"]
    assert trace["tags"]["mlflow.linkedPrompts"] == write_link(PromptRef(name=ANSWER, version="3"))


def test_an_empty_server_has_no_applications() -> None:
    def answer(call: Call) -> Reply:
        missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment with id=0 exists"}
        return answer_json(missing, 404) if call.path.endswith("experiments/get") else answer_json({})

    with Stub(answer) as server:
        assert observe(server) == []


def test_filters_are_asked_before_the_traces(mlflow_server: Stub) -> None:
    with reader_of(mlflow_server.url, is_wanted=lambda name: False) as reader:
        assert list(reader.observed(WINDOW)) == []
