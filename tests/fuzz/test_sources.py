"""Every place of every recorded answer becomes each of some odd values, and the whole source runs over it.

``test_readers`` changes answers at random. Here each place has its turn, in the order of the seed, and what the run
writes goes through the sink's checks. Answers come without a socket, which takes most of the time of a run otherwise.
``FUZZ_SECONDS=1200`` is time for all rounds of any store.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback
from datahub.ingestion.source.source_registry import source_registry

from datahub_llmops.assets.collections import Collection
from datahub_llmops.catalog.local.sink import LocalSink
from datahub_llmops.errors import ConnectorError, VanishedError
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from datahub_llmops.net.connections import Connections
from fuzz.test_readers import SYSTEMS, answers_of, key_of
from support.stub import Call, Reply, answer_json

pytestmark = pytest.mark.fuzz

logger = logging.getLogger(__name__)

Path = tuple[str | int, ...]

_ODD: Final[tuple[object, ...]] = (
    *(None, True, 5, 10**30, 10**400, float("nan")),
    *("", "\ud800", "9" * 5_000 + ".1", "0001-01-01T00:00:00+14:00"),
    *([], [[]], [{}], {}, {"\ud800": 1}),
)
_OF_EACH_LIST: Final = 2
_LONGEST: Final = 10.0
"""Seconds of one run, far more than any needs."""


def _paths(value: Any, before: Path = ()) -> Iterator[Path]:
    """Yield the path of a JSON value and of all within it; of a list, the first items only."""
    yield before
    keys: Iterable[Any] = ()
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(min(len(value), _OF_EACH_LIST))
    for key in keys:
        yield from _paths(value[key], (*before, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: Path, new: object) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = _put(value[path[0]], path[1:], new)
    return changed


def _config(system: str, url: str) -> dict[str, Any]:
    config: dict[str, Any] = {"url": url, "timeout_sec": 20, "retry_max_times": 0, "max_workers": 1}
    if system == "pinecone":
        from vector_stores.pinecone.service import KEY

        config |= {"api_key": KEY, "sample_rows": 10, "describe_namespaces": True}
    return config


def _read(source: type[VectorStoreSource[Any]], config: dict[str, Any]) -> list[object]:
    """Return what a reader makes of each collection: a description, or the type of its error."""
    made: list[object] = []
    try:
        with closing(source.open(source.config_type.model_validate(config))) as reader:
            for name in reader.names():
                try:
                    made.append(reader.read(name) if isinstance(name, tuple) else type(name.error))
                except ConnectorError as error:
                    made.append(type(error))
    except ConnectorError as error:
        made.append(type(error))
    return made


def _read_less(made: list[object], before: list[object]) -> bool:
    """Whether there are fewer collections than before, and no failure says so."""
    failed = any(isinstance(one, type) and one is not VanishedError for one in made)
    return not failed and sum(isinstance(one, Collection) for one in made) < len(before)


def _write(source: type[VectorStoreSource[Any]], config: dict[str, Any]) -> None:
    """Run a source into a sink that is not flushed."""
    context = PipelineContext(run_id="fuzz")
    sink = LocalSink.create({"path": "never-written.db"}, context)
    for unit in source.create(config, context).get_workunits_internal():
        sink.write_record_async(RecordEnvelope(unit.metadata, {}), NoopWriteCallback())
    sink.close()


class _Recorded:
    """What urllib3's pool manager is to ``HttpClient``, with recorded answers."""

    def __init__(self, known: Mapping[str, Reply]) -> None:
        self._known = known

    def request(self, method: str, url: str, body: bytes | None = None, **more: Any) -> urllib3.HTTPResponse:
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        call = Call(method=method, path=parts.path, query=query, body=body or b"")
        # What was never asked for is not proof that anything is gone.
        reply = self._known.get(key_of(call), answer_json({"error": "not recorded"}, 500))
        return urllib3.HTTPResponse(
            BytesIO(reply.body), headers=reply.headers, status=reply.status, preload_content=False
        )


def _turns(bodies: Mapping[str, Any]) -> list[tuple[str, Path, object]]:
    """Return every place with every odd value, places of the same kind once, in the order of the seed."""
    kinds: dict[object, tuple[str, Path]] = {}
    for key, body in bodies.items():
        method, path, *_ = key.split(" ")
        for place in _paths(body):
            general = tuple("*" if isinstance(step, int) else step for step in place)
            kinds.setdefault((method, path.count("/"), path.rpartition("/")[2], general), (key, place))
    turns = [(key, place, new) for key, place in kinds.values() for new in _ODD]
    random.Random(int(os.environ.get("FUZZ_SEED", "1"))).shuffle(turns)
    return turns


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_place(system: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Reply] = {}
    with answers_of(system, request) as (stub, answer):

        def record(call: Call) -> Reply:
            return known.setdefault(key_of(call), answer(call))

        stub.answer = record
        source: Any = source_registry.get(f"llm-{system}")
        config = _config(system, stub.url)
        whole = _read(source, config)
    assert all(isinstance(one, Collection) for one in whole)
    bodies = {key: json.loads(reply.body) for key, reply in known.items()}
    turns, seen = _turns(bodies), set[str]()
    begun, done, findings = time.monotonic(), 0, list[str]()
    for key, path, new in turns:
        turn = f"{system}: {key[:200]} at {path} = {new!r:.40}"
        reply = Reply(status=known[key].status, body=json.dumps(_put(bodies[key], path, new)).encode())
        recorded = _Recorded({**known, key: reply})
        monkeypatch.setattr(Connections, "manager", lambda *_, recorded=recorded: recorded)
        started = time.monotonic()
        try:
            made = _read(source, config)
            # The sources write the same of the same.
            if str(made) not in seen:
                seen.add(str(made))
                _write(source, config)
        except Exception as error:  # noqa: BLE001 - whatever is raised here ends the run of a user
            findings.append(f"{turn}: {type(error).__name__}")
            continue
        if time.monotonic() - started > _LONGEST:
            findings.append(f"{turn}: slow")
        # A value of the same type may truly say that there is less.
        if type(new) is not type(_at(bodies[key], path)) and _read_less(made, whole):
            findings.append(f"{turn}: less, and no failure")
        done += 1
        if time.monotonic() - begun > float(os.environ.get("FUZZ_SECONDS", "20")):
            break
    logger.warning("%s: %d of %d rounds in %.0f s", system, done, len(turns), time.monotonic() - begun)
    assert not findings, "\n".join(findings[:20])
