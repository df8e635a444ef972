"""What a run could not understand: it is reported by id, never by content, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datahub_llmops.errors import RecordError
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.report import guard_asset, shown
from datahub_llmops.runs.config import RunsReport


class PassedOver:
    """Reports records and assets that were passed over."""

    def __init__(self, report: RunsReport) -> None:
        self._report = report
        self._new: set[str] = set()

    def expect(self, new: Iterable[str]) -> None:
        """Take the ids of the answers that no earlier run has read."""
        self._new = set(new)

    def record(self, kind: str, record: object, error: RecordError) -> None:
        """Report a record. The run that sees an answer first fails; a later one, which counts its day again, warns."""
        self._report.records_passed_over += 1
        report = self._report.failure if kind != "answer" or record in self._new else self._report.warning
        report(
            title="Record skipped",
            message="A record of the answer store cannot be understood. All others were read.",
            context=f"{kind} {shown(record)}: {error}",
        )

    def guard(self, what: str, emissions: Iterable[Emission]) -> Iterator[Emission]:
        """Hand on what one asset emits. If that fails, report it and end here, so that others are emitted.

        Raises:
            CatalogError, StoreError: the catalog or the store failed, for all of them.
        """
        return guard_asset(self._report, what, emissions)
