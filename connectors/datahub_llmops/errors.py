"""Every exception of the package.

The tree is grouped by what the caller does about an error:

    LlmopsError
      + ConnectorError
      |   + AccessError            the whole system cannot be used: report it and stop
      |   |   - UnreachableError
      |   |   - DeniedError
      |   + UnreadableError        this item failed: report it, go on, delete nothing
      |   |   - TooLargeError      too much at once: ask for less
      |   - VanishedError          this item is gone: count it and go on
      + CatalogError
      |   - NoCatalogError
      |   + UnknownAssetError
      |   |   - AmbiguousNameError   several assets have it: choose one of its ``candidates``
      - SinkError
      + StoreError
      |   - StoreLockedError       somebody else writes it: try again
      |   - UnknownAnswerError     no answer has this id, or several begin with it
      |   - RecordError            this record failed: report it and go on
      - RecipeError
      - AspectValueError
      - ModelsError
      - OutputError
      - ReportError
      - StatementError
      - PatternError
      - QuestionError            the arguments do not go together: the caller's mistake

A message names the system, the thing, and what to do next. It never contains a secret or a payload value.
"""

from __future__ import annotations

from collections.abc import Sequence


class LlmopsError(Exception):
    """The base class of every error. It is never raised itself."""


class ConnectorError(LlmopsError):
    """A reader could not do what it was asked to do."""


class AccessError(ConnectorError):
    """The address, the credentials or the permissions are wrong for the whole system. Report it and stop."""


class UnreachableError(AccessError):
    """Nothing answers at the address, or something else does: refused, unknown host, TLS error, login page."""


class DeniedError(AccessError):
    """The system refuses access (401, 403, wrong password). Raised for one item, it concerns that item only."""


class UnreadableError(ConnectorError):
    """The item could not be read this time (time-out, 5xx, garbage). Report it, go on, and delete nothing."""


class TooLargeError(UnreadableError):
    """The answer, or the work for it, is too much at once. Ask for less, or treat it as unreadable."""


class VanishedError(ConnectorError):
    """The item was listed and no longer exists. Count it and go on; stale removal may remove it."""


class CatalogError(LlmopsError):
    """A catalog could not be opened, read or written: locked, truncated, unreachable, or of a newer version."""


class NoCatalogError(CatalogError):
    """There is no local catalog at the path yet: no file, or a file in which no run has finished."""


class TooManyRecordsError(CatalogError):
    """A server has more records of a time series than it gives at once."""


class UnknownAssetError(CatalogError):
    """The given URN or short name matches no asset, or more than one."""


class AmbiguousNameError(UnknownAssetError):
    """The given short name matches several assets: ``candidates`` are the first of their URNs."""

    def __init__(self, typed: str, candidates: Sequence[str], *, more: bool = False) -> None:
        """``more`` is true if there are further ones."""
        listed = "".join(f"\n  {urn}" for urn in candidates)
        rest = f"\n  and more: these are the first {len(candidates)}" if more else ""
        super().__init__(f"{typed!r} is ambiguous; use one of these URNs:{listed}{rest}")
        self.candidates = tuple(candidates)


class SinkError(LlmopsError):
    """The local catalog could not store a run. Nothing of the run was stored."""


class StoreError(LlmopsError):
    """The answer store is missing, damaged, not writable, or of a newer version."""


class StoreLockedError(StoreError):
    """Somebody else keeps the answer store locked. Try again later."""


class UnknownAnswerError(StoreError):
    """The answer store has no answer with this id or text, or several."""


class RecordError(StoreError):
    """One record of the answer store cannot be understood. Report its id, never its content, and go on."""


class RecipeError(LlmopsError):
    """A recipe, or a file with some of its options, cannot be read or is incomplete. The message names it."""


class AspectValueError(LlmopsError):
    """One of our aspects contains what its schema does not allow. The message names each field, but no value."""


class ModelsError(LlmopsError):
    """The model plugin could not be installed. Nothing was changed."""


class OutputError(LlmopsError):
    """A file could not be written: it exists, its folder does not, or the system refuses. Nothing was changed."""


class ReportError(LlmopsError):
    """A report could not be written in the form that was asked for. The message says what to ask for instead."""


class StatementError(LlmopsError):
    """No lineage can be read from a SQL statement. The message says why, in constant words."""


class PatternError(LlmopsError):
    """A regular expression of a recipe takes too long on one text. The message names it, but not the text."""


class QuestionError(LlmopsError):
    """Arguments of a question to a catalog do not go together, or one is missing. The message says what to give."""
