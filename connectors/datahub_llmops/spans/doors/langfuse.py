"""Spans from Langfuse's export to a bucket: its observations, in JSON lines or Parquet.

https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from datahub_llmops.spans.attributes import DOCUMENTS_OUTPUT, MAX_JSON, Selection, parsed
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.rows import MAX_NAME, Row, hexadecimal, whole

COLUMNS: Final = (
    "id", "trace_id", "parent_observation_id", "type", "name", "start_time", "end_time", "level", "version",
    "provided_model_name", "usage_details", "cost_details", "prompt_name", "prompt_version", "environment",
    "trace_name", "release", "metadata", "output",
)  # fmt: skip
"""What is read of an observation. The texts are in ``input``, ``output``, ``status_message`` and ``tool_calls``; of a
retriever's ``output`` the ids and sources of the documents are kept."""
_NAMES: Final = {
    "type": "langfuse.observation.type",
    "provided_model_name": "langfuse.observation.model.name",
    "usage_details": "langfuse.observation.usage_details",
    "cost_details": "langfuse.observation.cost_details",
    "prompt_name": "langfuse.observation.prompt.name",
    "prompt_version": "langfuse.observation.prompt.version",
    "trace_name": "langfuse.trace.name",
    "environment": "langfuse.environment",
}


def is_observation(record: Mapping[str, Any]) -> bool:
    """Return whether a record is an observation, and not a score, a trace or a manifest."""
    return {"id", "trace_id", "start_time", "type"} <= record.keys() and "timestamp" not in record


def is_export(record: Mapping[str, Any]) -> bool:
    """Return whether a record belongs to another file of the export: a score, a trace or a manifest."""
    return "project_id" in record or "observation_id" in record or "files" in record


class LangfuseDecoder:
    """Reads observations of one run."""

    output: Final = ("type", "RETRIEVER", "output")
    """Which column says that an observation is a retriever's, by which word, and which has its documents."""

    def __init__(self, selection: Selection, counts: ReadCounts) -> None:
        self._selection = selection
        self._counts = counts

    def decode(self, record: Mapping[str, Any]) -> list[Row]:
        """Return the span of an observation, if it has an id, a trace and a start."""
        started = seconds(record.get("start_time"))
        trace, own = hexadecimal(record.get("trace_id")), hexadecimal(record.get("id"))
        if not (trace and own and started):
            self._counts.spans_unusable += 1
            return []
        # Spans that came by OpenTelemetry keep their attributes as metadata.
        metadata = _members(record.get("metadata"))
        attributes = self._selection.pick(_members(metadata.get("attributes")))
        attributes |= self._selection.pick(metadata)
        own_facts = {_NAMES[key]: record[key] for key in _NAMES if record.get(key)}
        for key in ("usage_details", "cost_details"):
            if record.get(key):
                own_facts[_NAMES[key]] = _members(record[key])
        kind, retriever, output = self.output
        if record.get(kind) == retriever:
            own_facts[DOCUMENTS_OUTPUT[0]] = record.get(output)
        attributes |= self._selection.pick(own_facts)
        resource = self._selection.pick(_members(metadata.get("resourceAttributes")))
        version = record.get("release") or record.get("version")
        if version and "service.version" not in resource:
            resource |= self._selection.pick({"service.version": version})
        scope = _members(metadata.get("scope")).get("name")
        return [
            whole(
                (trace, own, hexadecimal(record.get("parent_observation_id"))),
                (started, seconds(record.get("end_time"))),
                str(record.get("name") or "")[:MAX_NAME],
                "error" if record.get("level") == "ERROR" else None,
                attributes,
                resource,
                scope[:MAX_NAME] if isinstance(scope, str) else "langfuse",
            )
        ]


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = parsed(value) if len(value) <= MAX_JSON else None
    if isinstance(value, list):  # Parquet has no objects: a map is a list of pairs.
        value = dict(one for one in value if isinstance(one, tuple) and len(one) == 2)
    return value if isinstance(value, dict) else {}


def seconds(value: Any) -> float:
    """Return a time in UTC as seconds since the epoch, or ``0.0`` if the value is not a time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0.0
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return 0.0
