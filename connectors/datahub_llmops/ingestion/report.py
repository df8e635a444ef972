"""The report of a run. Whatever it takes up also goes to DataHub's log, so it is made safe to show here."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from datahub.ingestion.api.source import SourceReport
from typing_extensions import override

from datahub_llmops.errors import CatalogError, StoreError, UnreadableError
from datahub_llmops.net.shown import clean

T = TypeVar("T")
MAX_LISTED: Final = 50
OTHERS: Final = "all others"


class CleanReport(SourceReport):
    """Base of every report. Names come from other systems, and may control a terminal or forge lines of a log."""

    @override
    def failure(self, message: Any, context: str | None = None, *args: Any, **options: Any) -> None:
        super().failure(message, context and clean(context), *args, **options)

    @override
    def warning(self, message: Any, context: str | None = None, *args: Any, **options: Any) -> None:
        super().warning(message, context and clean(context), *args, **options)

    @override
    def info(self, message: Any, context: str | None = None, *args: Any, **options: Any) -> None:
        super().info(message, context and clean(context), *args, **options)


def most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the ``MAX_LISTED`` highest counts, highest first, and the sum of all others under ``OTHERS``.

    DataHub's ``LossyDict`` keeps a sample at random, and what comes back into it counts anew.
    """
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    others = sum(count for _, count in ordered[MAX_LISTED:])
    return {**dict(ordered[:MAX_LISTED]), **({OTHERS: others} if others else {})}


def unexpected(error: Exception) -> UnreadableError:
    """Return the error of an item over which our own code failed.

    It says where and not what, because the text of ``error`` may hold a payload value.
    """
    if isinstance(error, RecursionError):
        return UnreadableError("what the store says of it is nested too deeply. Filter it out.")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "datahub_llmops" in frame.filename] or frames
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return UnreadableError(
        f"the connector could not handle what the store says of it ({type(error).__name__}{place}). Please report this "
        "as a bug; until then, filter it out."
    )


def guard_asset(report: SourceReport, what: str, parts: Iterable[T]) -> Iterator[T]:
    """Hand on what one asset emits. If that fails, report it and end here, so that others are emitted.

    Raises:
        CatalogError, StoreError: the catalog or the store failed, for all of them.
    """
    try:
        yield from parts
    except (CatalogError, StoreError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this asset only
        report.failure(
            title="Asset skipped",
            message="It was written in part or not at all. All others were written.",
            context=f"{shown(what)}: {type(error).__name__} at {_place(error)}",
        )


def shown(text: object) -> str:
    """Return an id or a name as a log may show it: of bounded length, and without control characters."""
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
