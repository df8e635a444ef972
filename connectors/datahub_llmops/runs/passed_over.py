"""What a run could not understand: it is reported by id, never by content, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from datahub_llmops.errors import CatalogError, RecordError, StoreError
from datahub_llmops.ingestion.emitter import Emission
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
            title="Record passed over",
            message="A record of the answer store cannot be understood. All others were read.",
            context=f"{kind} {_shown(record)}: {error}",
        )

    def guard(self, what: str, emissions: Iterable[Emission]) -> Iterator[Emission]:
        """Hand on what one asset emits. If that fails, report it and end here, so that others are emitted.

        Raises:
            CatalogError, StoreError: the catalog or the store failed, for all of them.
        """
        try:
            yield from emissions
        except (CatalogError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this asset only
            self._report.failure(
                title="Asset passed over",
                message="It was written in part or not at all. All others were written.",
                context=f"{_shown(what)}: {type(error).__name__} at {_place(error)}",
            )


def _shown(text: object) -> str:
    """Return an id or a name as it may stand in a log: of bounded length, and without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:200])


def _place(error: BaseException) -> str:
    """Return file and line. The text of an error may quote a value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        if trace is not None
        else "unknown line"
    )
