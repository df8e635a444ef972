"""Lists tracing projects and experiments. LangSmith calls both sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from datahub_llmops.assets.observations import Window
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import path_part
from datahub_llmops.net.json_values import mapping, moment, text
from datahub_llmops.prompt_registries.langsmith.client import V2, LangSmithServer

_PATH: Final = f"{V2}/sessions"
_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A tracing project, or an experiment."""

    id: str
    name: str
    is_experiment: bool
    start: datetime
    last: datetime
    """When its last run began."""
    data_set: str | None
    """Id of the dataset of an experiment."""
    feedback: Mapping[str, Any]
    """Statistics of all its feedback, by the metric."""
    page: str

    def days(self, window: Window) -> list[date]:
        """The days of ``window`` on which it may have had runs."""
        first = max(window.first, self.start.date())
        last = min(window.last, self.last.date())
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]


class Sessions:
    """The sessions of one workspace, which are listed once."""

    def __init__(self, server: LangSmithServer) -> None:
        self._server = server
        self.all = Once(self._read)
        """All sessions that ever had a run."""

    def _read(self) -> list[Session]:
        asked: dict[str, str | int] = {"include_stats": "true", "page_size": _A_PAGE}
        found = [self._parse(entry) for entry in self._server.cursors(_PATH, asked)]
        return [session for session in found if session is not None]

    def _parse(self, entry: Mapping[str, Any]) -> Session | None:
        id, name, kind = text(entry.get("id")), text(entry.get("name")), text(entry.get("type"))
        last = moment(entry.get("last_run_start_time_live")) or moment(entry.get("last_run_start_time"))
        if id is None or name is None or kind is None:
            raise self._server.unexpected(_PATH)
        if last is None:
            return None
        workspace = path_part(self._server.workspace().id)
        return Session(
            id=id,
            name=name,
            is_experiment=kind == "EXPERIMENT",
            # A run may be older than its project, if it was written later.
            start=min(moment(entry.get("start_time")) or last, last),
            last=last,
            data_set=text(entry.get("reference_dataset_id")),
            feedback=mapping(entry.get("feedback_stats")),
            page=f"{self._server.pages_at}/o/{workspace}/projects/p/{path_part(id)}",
        )


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def written_time(when: datetime) -> str:
    """A time as LangSmith's API takes it."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
