"""What a query computes with, as lineage sees it: values with their source columns, and rows of named values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal, TypeAlias

from sqlglot import exp

from datahub_llmops.errors import StatementError

WRITTEN: Final = "llmops_written"
"""Key in the ``meta`` of an identifier for its spelling before names were folded."""

MAX_FIELDS: Final = 20_000
"""Maximum number of columns of one row. Joins of joins of ``*`` double it with every step."""

MAX_PARTS: Final = 2_000
"""Maximum number of parts of one value. Beyond it, structs in a struct have no parts of their own."""

Missing: TypeAlias = Literal[
    "unknown_column",
    "ambiguous_column",
    "unsettled_column",
    "star",
    "pattern",
    "function",
    "syntax",
    "unknown_table",
    "unknown_function",
]
"""Why a part of a value is not known.

- ``unknown_column``: no table has a column of this name.
- ``ambiguous_column``: several tables have a column of this name.
- ``unsettled_column``: several tables without a schema may have a column of this name.
- ``star``: a ``*`` or a whole row stands for the columns of a table without a schema.
- ``pattern``: a pattern or lambda chooses the columns.
- ``function``: a function over tables hides which of their columns it gives.
- ``syntax``: columns cannot be followed through a part of the statement.
- ``unknown_table``: the table is not in the catalog; a warning has said so.
- ``unknown_function``: what the function reads is not known; a warning has said so.
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Column:
    """One column of a dataset."""

    dataset: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Gap:
    """A part of a value that is not known. ``name`` is the column, table or function that it concerns.

    ``rows`` are those in which a column was looked for.
    """

    why: Missing
    name: str
    rows: tuple[Row, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name in a statement: folded for comparison, and as it is written."""

    key: str
    written: str
    quoted: bool = False

    @staticmethod
    def of(identifier: exp.Expr) -> Name:
        """Return the name of an identifier whose tree has been folded."""
        return Name(
            key=identifier.name,
            written=written(identifier),
            quoted=bool(identifier.args.get("quoted")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Where a value comes from. ``row`` has its parts, if it is a row, a struct, or an array of them."""

    sources: frozenset[Column] = frozenset()
    gaps: frozenset[Gap] = frozenset()
    row: Row | None = None

    def part(self, name: Name) -> Value:
        """One part of a row or struct. A struct whose parts are unknown is all in each of them."""
        if self.row is None:
            return self
        found = self.row.find(name)
        if found is not None:
            return found
        if self.row.unlisted is not None:
            return self.row.unlisted.find(name)
        if any(one.key is None for one in self.row.fields):  # Engines number them: f1, col1, _1.
            number = name.key.lower().lstrip("abcdefghijklmnopqrstuvwxyz_")
            return self.at(int(number) - 1) if number.isdecimal() else self.without_parts()
        return gap("unknown_column", name.written, [self.row])

    def at(self, position: int) -> Value:
        """The part of a struct at a position that counts from 0."""
        if self.row is None or self.row.unlisted is not None or not 0 <= position < len(self.row.fields):
            return replace(self, row=None)
        return self.row.fields[position].value

    def without_parts(self) -> Value:
        """The same value as one that has no parts."""
        return replace(self, row=None) if self.row is not None else self

    def joined(self, other: Value) -> Value:
        """The value with the sources of ``other`` in each of its parts."""
        if not other.sources and not other.gaps:
            return self
        sources, gaps = self.sources | other.sources, self.gaps | other.gaps
        row = self.row
        if row is not None:
            fields = tuple(replace(one, value=one.value.joined(other)) for one in row.fields)
            row = replace(row, fields=fields)
        return Value(sources=sources, gaps=gaps, row=row)


NOTHING: Final = Value()
"""The value of a literal."""


def gap(why: Missing, name: str, rows: Iterable[Row] = ()) -> Value:
    """A value of which nothing is known."""
    return Value(gaps=frozenset({Gap(why=why, name=name, rows=tuple(rows))}))


def union(values: Iterable[Value]) -> Value:
    """The value of an expression over several others, without parts."""
    sources: set[Column] = set()
    gaps: set[Gap] = set()
    for value in values:
        sources |= value.sources
        gaps |= value.gaps
    return Value(sources=frozenset(sources), gaps=frozenset(gaps)) if sources or gaps else NOTHING


def either(values: Sequence[Value]) -> Value:
    """A value that is one of several. It keeps its parts if all of them have parts."""
    meant = [value for value in values if value != NOTHING]
    if len(meant) == 1:
        return meant[0]
    total = union(meant)
    rows = [value.row for value in meant if value.row is not None]
    if not meant or len(rows) < len(meant) or any(row.unlisted is not None for row in rows):
        return total
    return replace(total, row=by_position(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisted:
    """The columns of a row that it does not list.

    ``value`` is what each of them gives, if not a column of that name in each of ``datasets``. ``claims`` says whether
    a column that is written without a table may be one of them. ``star`` is what misses if all columns are wanted.
    """

    datasets: tuple[str, ...] = ()
    value: Value = NOTHING
    claims: bool = True
    star: frozenset[Gap] = frozenset()

    def find(self, name: Name) -> Value:
        """The value of the column ``name``."""
        if not self.datasets:
            return self.value
        column = name.written if name.quoted else name.written.lower()
        return Value(sources=frozenset(Column(dataset=urn, column=column) for urn in self.datasets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a row: its folded name, its name to show, and its value. Some columns have no name."""

    key: str | None
    shown: str | None
    value: Value

    def renamed(self, name: Name) -> Field:
        """The same column under another name."""
        return Field(key=name.key, shown=name.written, value=self.value)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Columns in their order. ``unlisted`` is set if there are more of them."""

    fields: tuple[Field, ...] = ()
    unlisted: Unlisted | None = None

    def __post_init__(self) -> None:
        if len(self.fields) > MAX_FIELDS:
            raise StatementError(
                f"A query in the statement has more than {MAX_FIELDS} columns. Name its tables instead."
            )

    @cached_property
    def _by_key(self) -> Mapping[str, list[Field]]:
        found: dict[str, list[Field]] = {}
        for one in self.fields:
            if one.key is not None:
                found.setdefault(one.key, []).append(one)
        return found

    @cached_property
    def size(self) -> int:
        """The number of columns, with those of rows in them. Structs of structs double it with every step."""
        return sum(1 + (one.value.row.size if one.value.row is not None else 0) for one in self.fields)

    @property
    def keys(self) -> Iterator[str]:
        """The names of the listed columns, each once."""
        return iter(self._by_key)

    @property
    def whole(self) -> bool:
        """Whether all columns are listed."""
        return self.unlisted is None or not self.unlisted.star

    def find(self, name: Name) -> Value | None:
        """The value of a listed column, or ``None``. Of columns that differ in case, the one as written counts."""
        same = self._by_key.get(name.key)
        if same is None:
            return None
        exact = [one for one in same if one.shown == name.written] or same
        return exact[0].value if len(exact) == 1 else either([one.value for one in exact])

    def find_key(self, key: str) -> Value | None:
        """The value of a listed column by its folded name, or ``None``."""
        same = self._by_key.get(key)
        return None if same is None else either([one.value for one in same])

    def value(self) -> Value:
        """The row as one value."""
        total = union(one.value for one in self.fields)
        gaps = total.gaps | (self.unlisted.star if self.unlisted is not None else frozenset())
        row = self
        if self.size > MAX_PARTS:
            row = replace(
                self,
                fields=tuple(replace(one, value=one.value.without_parts()) for one in self.fields),
            )
        return Value(sources=total.sources, gaps=gaps, row=row)

    def named(self, names: Sequence[Name]) -> Row:
        """The row with new names for its first columns."""
        if not names:
            return self
        unlisted = self.unlisted
        if not self.whole and unlisted is not None:
            # The names may belong to columns that are not listed.
            lost = Unlisted(value=Value(gaps=unlisted.star), star=unlisted.star)
            fields = tuple(Field(key=one.key, shown=one.written, value=lost.value) for one in names)
            return Row(fields=fields, unlisted=lost)
        fields = tuple(one.renamed(names[i]) if i < len(names) else one for i, one in enumerate(self.fields))
        if unlisted is not None:
            more = names[len(fields) :]
            fields += tuple(Field(key=one.key, shown=one.written, value=unlisted.find(one)) for one in more)
        return Row(fields=fields, unlisted=unlisted)


def row_of(names: Iterable[Name], value: Value, unlisted: Unlisted | None = None) -> Row:
    """A row whose columns all have the same value."""
    return Row(
        fields=tuple(Field(key=one.key, shown=one.written, value=value) for one in names), unlisted=unlisted
    )


def by_position(rows: Sequence[Row]) -> Row:
    """One row of several, column by column in their order, with the names of the first."""
    first = rows[0]
    star = frozenset[Gap]().union(*(row.unlisted.star for row in rows if row.unlisted is not None))
    if star:
        # Behind a * without a schema, positions are not known.
        lost = Value(gaps=star)
        fields = tuple(replace(one, value=union((one.value, lost))) for one in first.fields)
        return Row(fields=fields, unlisted=Unlisted(value=lost, star=star))
    fields = tuple(
        replace(one, value=either([row.fields[i].value for row in rows if i < len(row.fields)]))
        for i, one in enumerate(first.fields)
    )
    return Row(fields=fields, unlisted=first.unlisted)


def by_name(rows: Sequence[Row], keys: Sequence[str]) -> Row:
    """One row of several, by the names of their columns. ``keys`` are the names that it gets."""
    shown = {one.key: one.shown for row in reversed(rows) for one in row.fields}
    open_rows = [row.unlisted for row in rows if row.unlisted is not None]
    star = frozenset[Gap]().union(*(one.star for one in open_rows))
    fields: list[Field] = []
    for key in keys:
        name = Name(key=key, written=shown.get(key) or key)
        given = [row.find_key(key) or (row.unlisted.find(name) if row.unlisted else None) for row in rows]
        fields.append(
            Field(key=key, shown=name.written, value=either([one for one in given if one is not None]))
        )
    return Row(fields=tuple(fields), unlisted=merged(open_rows) if star else None)


def merged(parts: Sequence[Unlisted]) -> Unlisted | None:
    """The unlisted columns of rows that stand side by side."""
    if len(parts) < 2:
        return parts[0] if parts else None
    star = frozenset[Gap]().union(*(one.star for one in parts))
    return Unlisted(value=Value(gaps=star), claims=any(one.claims for one in parts), star=star)


def written(identifier: exp.Expr) -> str:
    """Return a name as the statement spells it."""
    return str(identifier.meta.get(WRITTEN, identifier.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A row in FROM: its alias, and the parts of a table's full name, folded."""

    alias: str | None
    row: Row
    path: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Scope:
    """What names mean in one query. ``outer`` is the scope of the query around it.

    ``joined`` are columns that USING or NATURAL merges. ``aliases`` are output columns that later ones may refer to,
    and ``parameters`` are those of lambdas. ``queries`` are the rows of WITH by name. ``windows`` are named windows.
    """

    outer: Scope | None = None
    rows: list[Named] = field(default_factory=list)
    joined: set[str] = field(default_factory=set)
    aliases: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    queries: dict[str, Row] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Scope]:
        """All scopes from this one outwards."""
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.outer
