"""The report of a run. Whatever it takes up also goes to DataHub's log, so it is made safe to show here."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from datahub.ingestion.api.source import SourceReport
from typing_extensions import override

from datahub_llmops.errors import UnreadableError
from datahub_llmops.net.shown import clean


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
