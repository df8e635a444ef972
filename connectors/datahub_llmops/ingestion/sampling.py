"""Infers payload fields from sampled rows, and counts the values of provenance fields.

For stores that declare no schema. Rows never leave this module: it returns paths and types of fields, and for fields
that the recipe names as provenance, how many rows have which value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import FieldType, PayloadField, ProvenanceCount, Vector

MAX_FIELDS: Final = 500
MAX_DEPTH: Final = 5
MAX_KEYS_OF_OBJECT: Final = 60
"""An object with more different keys than this is a map: its keys are data and not shown as fields."""

_FRAMEWORK_FIELDS: Final[Mapping[str, str]] = {
    "_node_content": "Written by LlamaIndex: the whole node as JSON, with its text.",
    "_node_type": "Written by LlamaIndex: the class of the node.",
    "doc_id": "Written by LlamaIndex: id of the source document.",
    "document_id": "Written by LlamaIndex: id of the source document.",
    "ref_doc_id": "Written by LlamaIndex: id of the source document.",
}


def infer(
    rows: Iterable[Mapping[str, Any]],
    *,
    complete: bool = False,
    max_fields: int = MAX_FIELDS,
    max_depth: int = MAX_DEPTH,
) -> tuple[PayloadField, ...]:
    """Infer the fields of sampled rows, sorted by path. Paths of nested objects are dotted, up to ``max_depth`` parts.

    ``complete`` states that ``rows`` are all rows of the collection: only then can a field be known never to be
    missing. If there are more than ``max_fields`` fields, the most frequent ones are kept.

    >>> [(f.path, f.native_type) for f in infer([{"page": 1, "meta": {"lang": "en"}}, {"page": 1.5}])]
    [('meta', 'object'), ('meta.lang', 'string'), ('page', 'float')]
    """
    seen: dict[str, _Seen] = {}
    count = 0
    for row in rows:
        count += 1
        for path in _observe(row, "", max_depth, seen):
            seen[path].rows += 1
    _fold_maps(seen)
    kept = sorted(seen, key=lambda path: (-seen[path].rows, path))[:max_fields]
    whole = count if complete else None
    return described(tuple(seen[path].as_field(path, whole) for path in sorted(kept)))


def merged(types: Iterable[FieldType]) -> tuple[FieldType, str]:
    """Merge the types of a field into one, with its native name. Integers among floats are floats.

    >>> merged(["integer", "float"]), merged(["string", "integer"]), merged([])
    (('float', 'float'), ('unknown', 'integer | string'), ('unknown', 'unknown'))
    """
    kinds = set(types)
    if "float" in kinds:
        kinds.discard("integer")
    if len(kinds) == 1:
        only = kinds.pop()
        return only, only
    return "unknown", " | ".join(sorted(kinds)) or "unknown"


def described(fields: tuple[PayloadField, ...]) -> tuple[PayloadField, ...]:
    """Describe the fields that LlamaIndex writes for its own use, which ``_node_content`` gives away."""
    if not any(item.path.rpartition(".")[2] == "_node_content" for item in fields):
        return fields
    return tuple(
        replace(item, description=item.description or _FRAMEWORK_FIELDS.get(item.path.rpartition(".")[2]))
        for item in fields
    )


def provenance_paths(
    wanted: Iterable[str], paths: Iterable[str], *, nested_in: Sequence[str] = ("metadata",)
) -> tuple[str, ...]:
    """Find the ``wanted`` fields among the ``paths`` of a payload: at the top, or nested as a framework writes them.

    LangChain and LlamaIndex keep the fields of a loader in one object: ``source`` becomes ``metadata.source``.

    >>> provenance_paths(["source", "url"], ["page_content", "metadata", "metadata.source", "url"])
    ('metadata.source', 'url')
    """
    known = set(paths)
    spelled = (path for name in wanted for path in (name, *(f"{outer}.{name}" for outer in nested_in)))
    return tuple(dict.fromkeys(path for path in spelled if path in known))


def text_path(paths: Iterable[str], platform: str = "") -> str | None:
    """Find the payload field with the embedded text by the layouts of LangChain and LlamaIndex.

    ``platform`` adds the layout that LangChain uses for that platform alone.

    >>> text_path(["page_content", "metadata"]), text_path(["_node_content", "file_path"]), text_path(["body"])
    ('page_content', '_node_content', None)
    >>> text_path(["text", "metadata"], "lancedb")
    'text'
    """
    known = frozenset(paths)
    found = platforms.find("langchain").text_field(known)
    if found is not None:
        return found
    nodes = sorted(path for path in known if path.rpartition(".")[2] == "_node_content")
    if not nodes:
        return platforms.find(platform).text_field(known)
    # Where LlamaIndex has a column for it, the node's JSON holds no text.
    return "text" if "text" in known else nodes[0]


def without_collisions(field_names: Iterable[str], vectors: Iterable[Vector]) -> Iterator[Vector]:
    """Put ``#`` in front of the name of every vector that is also a payload field or another vector.

    >>> [vector.name for vector in without_collisions(["title"], [Vector(name="title"), Vector(name="body")])]
    ['#title', 'body']
    """
    used = set(field_names)
    for vector in vectors:
        name = vector.name
        while name in used:
            name = f"#{name}"
        used.add(name)
        yield replace(vector, name=name)


def values_at(row: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the values at a dotted path of a row as text: strings and integers, also those in lists.

    >>> list(values_at({"metadata": {"source": ["a", "b"]}, "page": 3}, "metadata.source"))
    ['a', 'b']
    """
    if path in row:
        yield from _texts(row[path])
        return
    head, dot, rest = path.partition(".")
    inner = row.get(head) if dot else None
    if isinstance(inner, Mapping):
        yield from values_at(inner, rest)


@dataclass(slots=True)
class ValueCounter:
    """Counts the values of provenance fields, up to ``max_values`` different ones per field."""

    fields: Sequence[str]
    max_values: int
    rows: int = 0
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _dropped: Counter[str] = field(default_factory=Counter)

    def add_rows(self, rows: Iterable[Mapping[str, Any] | None]) -> None:
        """Count payload rows. A row without payload counts as scanned."""
        for row in rows:
            self.rows += 1
            for name in self.fields:
                for value in values_at(row or {}, name):
                    self.add(name, value)

    def add(self, name: str, value: str, times: int = 1) -> None:
        """Count a value that ``times`` rows have."""
        counts = self._counts.setdefault(name, Counter())
        if value in counts or len(counts) < self.max_values:
            counts[value] += times
        else:
            self._dropped[name] += times

    def result(self, rows_total: int | None) -> tuple[ProvenanceCount, ...]:
        """Build one entry for each field that any row has, in the order of ``fields``."""
        return tuple(
            ProvenanceCount(
                field=name,
                values=dict(self._counts[name]),
                rows_scanned=self.rows,
                rows_total=rows_total,
                values_dropped=self._dropped[name],
            )
            for name in self.fields
            if name in self._counts
        )


@dataclass(slots=True)
class _Seen:
    rows: int = 0
    nulls: bool = False
    types: set[FieldType] = field(default_factory=set)
    elements: set[FieldType] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    """Keys of an object, up to one more than the limit."""

    @property
    def is_map(self) -> bool:
        return len(self.keys) > MAX_KEYS_OF_OBJECT

    def as_field(self, path: str, all_rows: int | None) -> PayloadField:
        kind, native = merged(self.types)
        if kind == "array" and self.elements:
            native = f"array<{merged(self.elements)[1]}>"
        if kind == "object" and self.is_map:
            native = "map"
        # In an optional object a field may be missing although every such object has it: rows are counted, not
        # objects.
        nullable = self.nulls or all_rows is None or self.rows < all_rows
        return PayloadField(path=path, type=kind, native_type=native, nullable=nullable)


def _observe(row: Mapping[str, Any], prefix: str, depth: int, seen: dict[str, _Seen]) -> set[str]:
    """Record the types of one row. Returns the paths of the row."""
    paths: set[str] = set()
    for key, value in row.items():
        if key == "" or depth == 0:
            continue
        path = f"{prefix}{key}"
        entry = seen.setdefault(path, _Seen())
        paths.add(path)
        if value is None:
            entry.nulls = True
            continue
        kind = _kind(value)
        entry.types.add(kind)
        if isinstance(value, Mapping):
            entry.keys.update(islice((str(inner) for inner in value), MAX_KEYS_OF_OBJECT + 1))
            paths |= _observe(value, f"{path}.", depth - 1, seen)
        elif kind == "array":
            entry.elements.update(_kind(element) for element in value if element is not None)
    return paths


def _kind(value: object) -> FieldType:
    # bool is an int, and datetime a date: the narrower one first.
    kinds: tuple[tuple[type | tuple[type, ...], FieldType], ...] = (
        (str, "string"),
        (bool, "boolean"),
        (int, "integer"),
        (float, "float"),
        (datetime, "datetime"),
        (date, "date"),
        ((bytes, bytearray, memoryview), "bytes"),
        (Mapping, "object"),
        ((list, tuple, set, frozenset), "array"),
    )
    for types, name in kinds:
        if isinstance(value, types):
            return name
    return "unknown"


def _fold_maps(seen: dict[str, _Seen]) -> None:
    for path in [path for path, entry in seen.items() if entry.is_map]:
        for inner in [other for other in seen if other.startswith(f"{path}.")]:
            del seen[inner]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, (list, tuple)):
        for element in value:
            if not isinstance(element, (list, tuple)):
                yield from _texts(element)
