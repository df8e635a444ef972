"""How `llm-spans` is put through the fault matrix, over ClickHouse's HTTP interface.

Every fault meets the first statement. The statements about one day fail by the same code, so a few faults are enough.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faults.matrix import SECRET, At, Config, over_http
from spans.doors.clickhouse.engine import PASSWORD, Engine
from spans.doors.clickhouse.exporting import rows_of_otlp
from spans.doors.files_faults import messages
from spans.recordings import raw_lines
from support.stub import Call, Stub, forward

_ANY_AGE = 3_650
_OF_A_DAY = frozenset({"403", "500", "accepts and never answers", "half an answer", "garbage"})


class Server(Stub):
    """The engine with recorded spans, behind an address where requests may fail."""

    def __init__(self, engine: Engine, **options: Any) -> None:
        self.database = engine.database()
        engine.insert(self.database, rows_of_otlp(raw_lines("openinference-langchain/chroma")))
        login = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": PASSWORD}
        super().__init__(forward(engine.url, login), **options)
        self.url = f"{self.url}#{self.database}"


def _options(flat: Config) -> Config:
    server = {key: one for key, one in flat.items() if key not in ("max_workers", "application_platform")}
    own = {"application_platform": flat["application_platform"]} if "application_platform" in flat else {}
    return {"clickhouse": server, "max_days": _ANY_AGE, **own}


def _recipe(url: str) -> Config:
    address, _, database = url.partition("#")
    return {"url": address, "database": database, "user": "reader", "password": SECRET}


def _describes(call: Call) -> bool:
    return call.body.startswith(b"DESCRIBE")


def _reads_a_day(call: Call) -> bool:
    """All but the two statements by which a run finds out which days there are."""
    return not _describes(call) and b"AS hour" not in call.body


_ALL = over_http(
    title="Spans, in ClickHouse",
    system="spans",
    store="ClickHouse at 127.0.0.1",
    fixture="clickhouse_engine",
    stub=Server,
    recipe=_recipe,
    listing=At(requests=_describes),
    reading=At(requests=_reads_a_day),
    # A day is counted again if the recipe is about another platform. This one is the same.
    again={"application_platform": "langchain"},
    options=_options,
    counts=lambda said: (said.answers, 0),
    hit=lambda known, item: known.scanned,
    messages=messages,
)
FAULTS = (
    replace(
        _ALL, cells=tuple(cell for cell in _ALL.cells if cell.place == "listing" or cell.fault in _OF_A_DAY)
    ),
)
