"""The contracts between an LLMOps tool and the rest of the package: its prompts, what it observed, its scores.

A tool's reader implements ``PromptReader``, and of the two others those that the tool can answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, RetrievedSource, Scores, Window
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.ingestion.reader import Reader


class PromptReader(Reader[Prompt], Protocol):
    """Reads the prompts of a registry. The name of one is a tuple with its whole name, folders included."""

    def mark(self, name: Name) -> str | None:
        """Return what changes whenever the registry changes the prompt: its own update time, its labels.

        Known once ``names`` has listed the prompt; ``None`` if the registry states nothing of the kind. A prompt whose
        mark is that of the last run is not read again.
        """
        ...


@runtime_checkable
class UsageReader(Protocol):
    """Reads what a tool observed of applications, in the tool's own aggregates where it has them."""

    def observed(self, window: Window) -> Iterable[Observed | RetrievedSource | FailedListing]:
        """Yield the usage of each day in ``window``; a day without usage may be left out.

        A ``FailedListing`` stands for what could not be read: an application, ``(name,)``, a day in ISO form,
        ``(day,)``, or both. What is known of it stays as it is, and the next run reads it again. Raises only
        ``ConnectorError``: then nothing of the window is written.

        A total is best stated as such. Rows that differ only in what they leave out are not added up: of an
        application's day, the row without version, prompt and model counts, and only without it the sum over its
        versions.
        """
        ...


@runtime_checkable
class ScoreReader(Protocol):
    """Reads the scores that a tool keeps."""

    def scores(self, window: Window) -> Iterable[Scores | FailedListing]:
        """Yield the scores that were given within ``window``. Raises only ``ConnectorError``."""
        ...
