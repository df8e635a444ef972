"""Every exception of the package, grouped by what the caller does about it.

A message names the system, the thing and what to do next. It never holds a secret or a payload value.
"""

from __future__ import annotations


class LlmopsError(Exception):
    """Base of all; never raised itself."""


class ConnectorError(LlmopsError):
    """A reader could not do what it was asked for."""


class AccessError(ConnectorError):
    """Address, credentials or permission are wrong for the whole system: report and stop."""


class UnreachableError(AccessError):
    """Nobody answers at the address, or what answers is not the system (refused, no host, TLS, login page)."""


class DeniedError(AccessError):
    """The system answers and says no (401, 403, wrong password). For a single item: that item only."""


class UnreadableError(ConnectorError):
    """This item could not be read this time (time-out, 5xx, garbage): report, go on, delete nothing."""


class VanishedError(ConnectorError):
    """The item was listed and is gone now: count, go on; stale removal may retire it."""


class CatalogError(LlmopsError):
    """A catalog could not be opened, read or written: locked, truncated, of a newer version, unreachable."""


class NoCatalogError(CatalogError):
    """There is no local catalog at the path yet: no file, or one that no run has ended in."""


class UnknownAssetError(CatalogError):
    """No asset, or more than one, answers to the URN or short name that was asked for."""


class SinkError(LlmopsError):
    """The local catalog could not take a run; nothing of it was stored."""


class StoreError(LlmopsError):
    """The local store of answers is missing, damaged, not writable, or of a newer version."""


class RecipeError(LlmopsError):
    """A recipe, or a file with some of its options, cannot be read or lacks what is asked for; the message names it."""


class AspectValueError(LlmopsError):
    """An aspect of ours holds what its schema does not allow; the message names each field and no value."""


class ModelsError(LlmopsError):
    """The model plugin could not be installed; nothing was changed."""


class StatementError(LlmopsError):
    """A SQL statement out of which no lineage can be read; the message says why, in constant words."""
