"""Values of prompt files, which people write by hand, as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datahub_llmops.net.json_values import array, mapping, plain, strings, text

__all__ = ["array", "first_text", "mapping", "mappings_of", "names", "parameters", "plain", "strings", "text"]


def first_text(*values: object) -> str | None:
    """Return the first non-empty string.

    >>> first_text(None, 3, "", "gpt-4o")
    'gpt-4o'
    """
    return next((value for value in values if isinstance(value, str) and value), None)


def parameters(values: Mapping[str, Any], without: Sequence[str] = ()) -> dict[str, str]:
    """Return the plain values as text, sorted by name. Nested ones are left out.

    >>> parameters({"temperature": 0.5, "stop": ["a"], "stream": True})
    {'stream': 'true', 'temperature': '0.5'}
    """
    found = {str(name): plain(value) for name, value in values.items() if name not in without}
    return {name: value for name, value in sorted(found.items()) if value is not None}


def names(value: object) -> tuple[str, ...]:
    """Return names written as a list, as comma-separated text, or as the keys of a mapping.

    >>> names(["a", "b"]), names("a, b"), names({"a": {"type": "string"}})
    (('a', 'b'), ('a', 'b'), ('a',))
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Mapping):
        return tuple(str(key) for key in value)
    return tuple(strings(value))


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings of a list."""
    return [item for item in array(value) if isinstance(item, Mapping)]
