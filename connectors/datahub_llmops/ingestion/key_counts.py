"""How many rows of the sources the chunks of a collection come from: the keys of rows in a payload field, counted."""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import replace
from typing import Final

from datahub_llmops.assets.collections import Collection, KeyCount

SOURCE_KEY: Final = "dh_source_key"
"""The payload field that the hooks stamp with the key of a chunk's row."""


def separate_keys(item: Collection, keys: Names[str], sources: Names[str]) -> Collection:
    """Turn the counted values of fields with keys into numbers, so that the values go no further.

    A field that is among ``sources`` too stays in ``provenance``. Only what was counted exactly, over all chunks,
    becomes a ``KeyCount``: an estimate would make rows look missing.
    """
    counted = [one for one in item.provenance if _name(one.field, keys) in keys]
    exact = item.count is not None and not item.count_is_estimate and item.hidden is None
    return replace(
        item,
        provenance=tuple(
            one for one in item.provenance if one not in counted or _name(one.field, sources) in sources
        ),
        keys=tuple(
            KeyCount(field=one.field, distinct=len(one.values), chunks=sum(one.values.values()))
            for one in counted
            if exact
            and one.values
            and one.rows_total is not None
            and one.rows_scanned >= one.rows_total
            and not one.values_dropped
        ),
    )


def _name(path: str, known: Names[str]) -> str:
    """The field as options name it: frameworks nest the fields of a loader in one object."""
    return path if path in known else path.rpartition(".")[2]
