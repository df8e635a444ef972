"""Spans out of LangSmith's bulk export: its runs, in Parquet.

https://docs.langchain.com/langsmith/data-export#exportable-fields
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.spans.attributes import DOCUMENTS_OUTPUT, Selection, parsed
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.langfuse import seconds
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimal, whole

COLUMNS: Final = (
    "id", "trace_id", "parent_run_id", "name", "run_type", "start_time", "end_time", "status", "session_id",
    "tenant_id", "prompt_tokens", "completion_tokens", "total_cost", "extra", "outputs",
)  # fmt: skip
"""What is read of a run. The texts are in ``inputs``, ``outputs``, ``error`` and ``events``; of a retriever's
``outputs`` the ids and sources of the documents are kept."""
_NAMES: Final = {
    "run_type": "langsmith.span.kind",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "total_cost": "gen_ai.usage.cost",
}


class LangSmithDecoder:
    """Reads runs of one export."""

    output: Final = ("run_type", "retriever", "outputs")
    """Which column says that a run is one of a retriever, by which word, and which has its documents."""

    def __init__(self, selection: Selection, counts: ReadCounts) -> None:
        self._selection = selection
        self._counts = counts

    def decode(self, record: Mapping[str, Any]) -> list[Row]:
        """Return the span of a run, if it has an id, a trace and a start."""
        started = seconds(record.get("start_time"))
        trace, own = hexadecimal(record.get("trace_id")), hexadecimal(record.get("id"))
        if not (trace and own and started):
            self._counts.spans_unusable += 1
            return []
        extra = _object(parsed(record.get("extra")))
        attributes = self._selection.pick(_object(extra.get("metadata")))
        attributes |= self._selection.pick(
            {_NAMES[key]: _number(record.get(key)) for key in _NAMES if record.get(key) is not None}
        )
        kind, retriever, output = self.output
        if record.get(kind) == retriever:
            attributes |= self._selection.pick({DOCUMENTS_OUTPUT[0]: record.get(output)})
        places = {f"langsmith.{key}": record[key] for key in ("session_id", "tenant_id") if record.get(key)}
        return [
            whole(
                (trace, own, hexadecimal(record.get("parent_run_id"))),
                (started, seconds(record.get("end_time"))),
                str(record.get("name") or "")[:MAX_NAME],
                "error" if record.get("status") == "error" else None,
                attributes,
                self._selection.pick(places),
                "langsmith",
            )
        ]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> Any:
    # Costs are decimals.
    return value if isinstance(value, (str, int, float)) else float(value)
