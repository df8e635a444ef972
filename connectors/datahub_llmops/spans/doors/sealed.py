"""Finds one answer by its id in sealed segments, which have more of it than spans do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from datahub_llmops.answer_store.recorded import RecordedAnswer, RecordedWrites
from datahub_llmops.answer_store.segments import SUFFIX
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.ahead import ahead
from datahub_llmops.spans.doors.door import ReadCounts
from datahub_llmops.spans.doors.objects import Place
from datahub_llmops.spans.doors.reading import ObjectReader
from datahub_llmops.spans.doors.search import ANSWER, near, time_of
from datahub_llmops.spans.doors.storage_errors import StorageError


def find_sealed(
    places: Sequence[Place], answer_id: str, at: datetime | None, selection: Selection, now: float
) -> tuple[RecordedAnswer | None, list[str]]:
    """Return the newest state of an answer in the segments around its time, and the segments that are not readable.

    Only objects with the ending of segments are opened.

    Raises:
        AccessError: a place cannot be listed.
    """
    states: dict[str, RecordedAnswer] = {}
    failed: list[str] = []
    if not ANSWER.fullmatch(answer_id):
        return None, failed
    segment = ""

    def take(record: RecordedAnswer | RecordedWrites) -> None:
        if isinstance(record, RecordedAnswer) and record.id == answer_id:
            states[segment] = record

    around = at.timestamp() if at is not None else time_of(answer_id, now)
    segments = (pair for pair in near(places, around) if pair[1].name.endswith(SUFFIX))
    reader = ObjectReader(selection, ReadCounts(), lambda rows: None, take)
    for (_, one), opened in ahead(segments, lambda found: found[0].open(found[1])):
        segment = one.name.rpartition("/")[2]
        try:
            with opened() as file:
                broken = reader.read(file).broken
        except StorageError as error:
            broken = None if error.is_missing else str(error)
        if broken is not None:
            failed.append(f"{one.name} ({broken})")
    return (states[max(states)] if states else None), failed
