"""Random SQL in DuckDB's dialect, in which each column that an output names truly has an influence on it.

Every relation has the columns ``k``, which numbers its rows, and ``g``, which groups them. They join, filter and group,
and are not values. All other columns are text, lists of text, or structs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "list", "struct"]

TABLES: Final[Mapping[str, Mapping[str, Kind]]] = {
    "docs": {"title": "text", "body": "text", "tags": "list", "meta": "struct"},
    "authors": {"name": "text", "email": "text", "team": "text"},
    "comments": {"body": "text", "note": "text", "marks": "list"},
}
LEFT_OUT: Final = 3
"""The ``k`` that filters leave out."""
FIELDS: Final = ("lang", "author")
"""Fields of each struct in the tables: one is text, and one a struct of ``name`` and ``mail``."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a relation.

    ``plain`` is true for text that is null in some rows, and may stand in COALESCE, and for lists whose elements have
    one origin.
    """

    name: str
    kind: Kind = "text"
    plain: bool = False
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Something that can stand in FROM, without its alias.

    ``many`` is true if its groups have several rows, and ``full`` if it has a row for each ``k`` of the tables.
    """

    sql: str
    columns: tuple[Column, ...]
    many: bool = True
    full: bool = True

    def of(self, kind: Kind) -> list[Column]:
        return [column for column in self.columns if column.kind == kind]

    def beside(self, other: Relation) -> Relation:
        """The relation joined to another one. Without a row for each ``k``, no text need be null any more."""
        if other.full:
            return self
        columns = tuple(
            replace(column, plain=False) if column.kind == "text" else column for column in self.columns
        )
        return replace(self, columns=columns, full=False)


class Writer:
    """Writes queries. The same ``seed`` gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = 0
        self._ctes: list[tuple[str, Relation]] = []

    def query(self) -> str:
        """Write one query. Its first columns are ``k`` and ``g``."""
        self._names, self._ctes = 0, []
        for _ in range(self._random.randrange(3)):
            made = self._recursive() if self._random.random() < 0.2 else self._select(2)
            self._ctes.append((self._name("w"), made))
        body = self._select(3).sql
        if not self._ctes:
            return body
        listed = ", ".join(f"{name} as ({made.sql})" for name, made in self._ctes)
        return f"with recursive {listed} {body}"

    def _name(self, prefix: str = "c") -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _pick(self, options: Sequence[Callable[[], Relation]]) -> Relation:
        return self._random.choice(options)()

    # Relations

    def _relation(self, depth: int) -> Relation:
        """Something for FROM."""
        options: list[Callable[[], Relation]] = [self._table, self._table]
        if self._ctes:
            options.append(lambda: self._made(*self._random.choice(self._ctes)))
        if depth > 0:
            options += [lambda: self._nested(self._select(depth - 1))] * 3
            options += [lambda: self._nested(self._union(depth - 1)), lambda: self._turned(depth - 1)]
        return self._pick(options)

    @staticmethod
    def _made(name: str, made: Relation) -> Relation:
        return replace(made, sql=name)

    @staticmethod
    def _nested(made: Relation) -> Relation:
        return replace(made, sql=f"({made.sql})")

    def _table(self) -> Relation:
        name = self._random.choice(sorted(TABLES))
        columns = tuple(
            Column(name=column, kind=kind, plain=kind != "struct", fields=FIELDS if kind == "struct" else ())
            for column, kind in TABLES[name].items()
        )
        return Relation(sql=name, columns=columns)

    def _select(self, depth: int) -> Relation:
        """A SELECT over one or several relations."""
        return self._pick(
            [lambda: self._simple(depth)] * 4
            + [lambda: self._joined(depth), lambda: self._starred(depth), lambda: self._grouped(depth)]
            + [lambda: self._lateral(depth), lambda: self._unnested(depth), lambda: self._row(depth)]
            + [lambda: self._union(depth), lambda: self._renamed(depth), lambda: self._pivoted(depth)]
            + [lambda: self._without(depth)]
        )

    def _output(
        self, items: Sequence[tuple[str, Column]], origin: str, alias: str, source: Relation
    ) -> Relation:
        listed = [f"{alias}.k as k", f"{alias}.g as g", *(f"{sql} as {column.name}" for sql, column in items)]
        if self._random.random() < 0.2:
            sql = f"from {origin} select {', '.join(listed)}"
        else:
            sql = f"select {', '.join(listed)} from {origin}"
        columns = tuple(column for _, column in items)
        return Relation(sql=sql, columns=columns, many=source.many, full=source.full)

    def _simple(self, depth: int) -> Relation:
        source, alias = self._relation(depth), self._name("t")
        items = [self._value(source, alias, windows=source.many) for _ in range(self._random.randint(1, 3))]
        made = self._output(items, f"{source.sql} as {alias}", alias, source)
        if self._random.random() < 0.3:
            made = replace(made, sql=f"{made.sql} where {alias}.k <> {LEFT_OUT}")
        return made

    def _joined(self, depth: int) -> Relation:
        left, right = self._relation(depth), self._relation(depth - 1)
        a, b = self._name("t"), self._name("t")
        join = self._random.choice(["join", "left join", ","])
        left, right = left.beside(right), right.beside(left)
        on = f" where {a}.k = {b}.k" if join == "," else f" on {a}.k = {b}.k"
        items = [self._value(left, a), self._value(right, b)]
        both = [self._text(left, a), self._text(right, b)]
        items.append((" || ".join(f"coalesce({one}, '-')" for one in both), Column(name=self._name())))
        listed = [f"{a}.k as k", f"{a}.g as g", *(f"{sql} as {column.name}" for sql, column in items)]
        sql = f"select {', '.join(listed)} from {left.sql} as {a} {join} {right.sql} as {b}{on}"
        columns = tuple(replace(one, plain=False) for _, one in items)
        return Relation(sql=sql, columns=columns, many=left.many, full=left.full)

    def _starred(self, depth: int) -> Relation:
        """``*`` with EXCLUDE, REPLACE and RENAME."""
        source, alias = self._relation(depth), self._name("t")
        columns, edits = list(source.columns), ""
        if len(columns) > 1 and self._random.random() < 0.6:
            gone = columns.pop(self._random.randrange(len(columns)))
            edits += f" exclude ({gone.name})"
        if columns[0].kind == "text" and len(columns) > 1 and self._random.random() < 0.5:
            edits += f" replace (upper({alias}.{columns[0].name}) as {columns[0].name})"
        if self._random.random() < 0.4:
            old, columns[-1] = columns[-1], replace(columns[-1], name=self._name())
            edits += f" rename ({old.name} as {columns[-1].name})"
        star = self._random.choice(["*", f"{alias}.*"])
        sql = f"select {star}{edits} from {source.sql} as {alias}"
        return replace(source, sql=sql, columns=tuple(columns))

    def _grouped(self, depth: int) -> Relation:
        source, alias = self._relation(depth), self._name("t")
        text = self._text(source, alias)
        options = [
            f"string_agg({text}, ',' order by {text})",
            f"array_to_string(array_agg({text} order by {text}), ',')",
            f"to_json(array_agg({{'p': {text}, 'q': {alias}.g}} order by {text}))::varchar",
        ]
        if plain := self._plain(source, alias):
            # One value of several hides the others, so that all of them must have one origin.
            options += [
                f"max({plain})",
                f"list({plain} order by {plain})[1]",
                f"(array_agg({{'p': {plain}, 'q': {alias}.g}} order by {plain}))[1].p",
                f"first({plain} order by {alias}.k, {plain})",
            ]
        items = [(self._random.choice(options), Column(name=self._name()))]
        listed = [f"{alias}.g as k", f"{alias}.g as g", *(f"{sql} as {column.name}" for sql, column in items)]
        sql = f"select {', '.join(listed)} from {source.sql} as {alias} group by {alias}.g"
        return Relation(sql=sql, columns=tuple(column for _, column in items), many=False, full=False)

    def _lateral(self, depth: int) -> Relation:
        source, a, b = self._relation(depth), self._name("t"), self._name("t")
        name = self._name()
        one, other = self._text(source, a), self._text(source, a)
        inner = self._random.choice(
            [
                f"(select {one} as {name})",
                f"(values ({one}), ({other}))",
                f"(select {one} as {name} union all select {other})",
            ]
        )
        word = self._random.choice(["cross join lateral ", "cross join ", ", lateral ", ", "])
        shown = f"{b}({name})" if inner.startswith("(values") else b
        origin = f"{source.sql} as {a}{word if word.startswith(',') else f' {word}'}{inner} as {shown}"
        items = [(f"{b}.{name}", Column(name=self._name())), self._value(source, a)]
        made = self._output(items, origin, a, source)
        return replace(made, columns=tuple(replace(column, plain=False) for column in made.columns))

    def _unnested(self, depth: int) -> Relation:
        source, alias = self._relation(depth), self._name("t")
        lists = source.of("list")
        if not lists:
            return self._simple(depth)
        column, u, x = self._random.choice(lists), self._name("u"), self._name("x")
        origin = f"{source.sql} as {alias}, unnest({alias}.{column.name}) as {u}({x})"
        shown = self._random.choice([x, f"{u}.{x}", f"upper({x})"])
        items = [(shown, Column(name=self._name())), self._value(source, alias)]
        return self._output(items, origin, alias, source)

    def _row(self, depth: int) -> Relation:
        """Rows as values."""
        source = self._relation(depth)
        texts = [column.name for column in source.of("text")]
        if not texts:
            return self._simple(depth)
        inner, part = self._name("t"), self._random.choice(texts)
        listed = ", ".join(["k", "g", *(column.name for column in source.columns)])
        packed = f"(select {listed} from {source.sql}) as {inner}"
        sql = self._random.choice(
            [
                f"cast({inner} as varchar)",
                f"to_json({inner})::varchar",
                f"to_json({inner}) ->> '{part}'",
                f"{inner}.{part}",
                f"concat_ws(' ', *columns({inner}.* exclude (k, g)))",
                f"({{'a': {inner}, 'b': 1}}).a.{part}",
            ]
        )
        items = [(sql, Column(name=self._name()))]
        return self._output(items, packed, inner, source)

    def _union(self, depth: int) -> Relation:
        left, right = self._relation(depth), self._relation(depth - 1)
        a, b = self._name("t"), self._name("t")
        first, second = self._name(), self._name()
        one = [(self._text(left, a), first), (self._text(left, a), second)]
        two = [(self._text(right, b), first), (self._text(right, b), second)]
        by_name = self._random.random() < 0.5
        if by_name:
            two.reverse()
        word = self._random.choice(["union all", "union"])
        sql = (
            f"select {a}.k as k, {a}.g as g, {', '.join(f'{sql} as {name}' for sql, name in one)}"
            f" from {left.sql} as {a} {word}{' by name' if by_name else ''}"
            f" select {b}.k as k, {b}.g as g, {', '.join(f'{sql} as {name}' for sql, name in two)}"
            f" from {right.sql} as {b}"
        )
        columns = (Column(name=first), Column(name=second))
        return Relation(sql=sql, columns=columns, full=left.full or right.full)

    def _turned(self, depth: int) -> Relation:
        """UNPIVOT of the text columns of a relation."""
        source = self._relation(depth)
        texts = [column.name for column in source.of("text")]
        if len(texts) < 2:
            return self._nested(self._simple(depth))
        value, part = self._name(), self._name("p")
        inner = f"(select k, g, {', '.join(texts)} from {source.sql})"
        if self._random.random() < 0.5:
            sql = f"(select k, g, {value} from (unpivot {inner} on {', '.join(texts)} into name {part} value {value}))"
        else:
            sql = f"(select k, g, {value} from {inner} unpivot ({value} for {part} in ({', '.join(texts)})))"
        return Relation(sql=sql, columns=(Column(name=value),), full=source.full)

    def _pivoted(self, depth: int) -> Relation:
        """PIVOT: a column for each group."""
        source, alias = self._relation(depth), self._name("t")
        value, first, second = self._name(), self._name(), self._name()
        text = self._text(source, alias)
        inner = f"(select {alias}.k as k, {alias}.g as g, {text} as {value} from {source.sql} as {alias})"
        aggregate = f"string_agg({value}, ',' order by {value})"
        if self._random.random() < 0.5:
            pivot = f"{inner} pivot ({aggregate} for g in (0, 1, 2))"
        else:
            pivot = f"(pivot {inner} on g in (0, 1, 2) using {aggregate} group by k)"
        # Each group has a column, and a row has a value in one of them only.
        joined = 'concat_ws(\' \', "0", "1", "2")'
        sql = f"select k, k % 3 as g, {joined} as {first}, upper({joined}) as {second} from {pivot}"
        return Relation(sql=sql, columns=(Column(name=first), Column(name=second)), full=source.full)

    def _without(self, depth: int) -> Relation:
        """EXCEPT, which here takes no row away."""
        left, right = self._relation(depth), self._relation(depth - 1)
        a, b, name = self._name("t"), self._name("t"), self._name()
        sql = (
            f"select {a}.k as k, {a}.g as g, {self._text(left, a)} as {name} from {left.sql} as {a} except all"
            f" select {b}.k + 100, {b}.g, {self._text(right, b)} from {right.sql} as {b}"
        )
        return Relation(sql=sql, columns=(Column(name=name),), full=left.full)

    def _renamed(self, depth: int) -> Relation:
        """A table alias with columns."""
        source, alias = self._nested(self._simple(depth)), self._name("t")
        columns = tuple(replace(column, name=self._name()) for column in source.columns)
        names = ", ".join(["k", "g", *(column.name for column in columns)])
        listed = ", ".join([f"{alias}.k", f"{alias}.g", *(f"{alias}.{column.name}" for column in columns)])
        return replace(source, sql=f"select {listed} from {source.sql} as {alias}({names})", columns=columns)

    def _recursive(self) -> Relation:
        """A query of WITH RECURSIVE that carries two values and swaps them."""
        source, alias = self._table(), self._name("t")
        itself, a, b = self._name("r"), self._name(), self._name()
        one, other = self._text(source, alias), self._text(source, alias)
        sql = (
            f"with recursive {itself}(k, g, {a}, {b}, n) as ("
            f"select {alias}.k, {alias}.g, {one}, {other}, 1 from {source.sql} as {alias}"
            f" union all select k, g, {b}, {a}, n + 1 from {itself} where n < 3)"
            f" select k, g, {a}, {b} from {itself}"
        )
        return Relation(sql=sql, columns=(Column(name=a), Column(name=b)))

    # Expressions

    def _text(self, source: Relation, alias: str) -> str:
        """An expression of text over one column."""
        column = self._random.choice(source.columns)
        name = f"{alias}.{column.name}"
        if column.kind == "list":
            return self._random.choice(
                [f"array_to_string({name}, ' ')", *([f"{name}[1]"] if column.plain else [])]
            )
        if column.kind == "struct":
            return self._random.choice(self._parts(name, column))
        return self._random.choice([name, name, f"upper({name})", f"{name} || '!'"])

    def _plain(self, source: Relation, alias: str) -> str | None:
        plain = [f"{alias}.{column.name}" for column in source.of("text") if column.plain]
        return self._random.choice(plain) if plain else None

    @staticmethod
    def _parts(name: str, column: Column) -> list[str]:
        if column.fields == FIELDS:
            paths = [f"{name}.lang", f"{name}.author.name", f"{name}['lang']", f"{name}.author['mail']"]
            return [*paths, f"struct_extract({name}, 'lang')", f"to_json({name}.author)::varchar"]
        return [f"{name}.{part}" for part in column.fields]

    def _value(self, source: Relation, alias: str, windows: bool = False) -> tuple[str, Column]:
        """An expression over the columns of one relation, and the column that it gives."""
        column = Column(name=self._name())
        one, other = self._text(source, alias), self._text(source, alias)
        options: list[tuple[str, Column]] = [
            (one, column),
            (f"concat_ws(' ', {one}, {other})", column),
            (f"{{'p': {one}, 'q': {other}}}", replace(column, kind="struct", fields=("p", "q"))),
            (f"{{'p': {one}, 'q': {other}}}.q", column),
            (f"[{one}, {other}]", replace(column, kind="list")),
            (f"to_json({{'p': {one}, 'q': {other}}}) ->> 'p'", column),
            (f"(select upper({one}))", column),
            (self._correlated(alias), column),
        ]
        plain = self._plain(source, alias)
        if plain:
            options += [(plain, replace(column, plain=True)), (f"coalesce({plain}, {one})", column)] * 2
            options += [(f"case when length({plain}) % 2 = 0 then {one} else '-' end", column)]
        for each in source.of("list"):
            name, x = f"{alias}.{each.name}", self._name("x")
            options += [
                (name, replace(column, kind="list")),
                (f"list_transform({name}, lambda {x}: {x} || {one})", replace(column, kind="list")),
                (f"(select string_agg({x}, ' ' order by {x}) from unnest({name}) as u({x}))", column),
                (f"[{x} || '.' for {x} in {name}]", replace(column, kind="list")),
                (f"array(select upper({x}) from unnest({name}) as u({x}))", replace(column, kind="list")),
            ]
        if windows:
            if plain:
                options.append((f"max({plain}) over (partition by {alias}.g)", column))
                options.append(
                    (f"first_value({plain}) over (partition by {alias}.g order by {plain})", column)
                )
            options += [
                (f"string_agg({one}, ',') over (partition by {alias}.g order by {alias}.k, {one})", column),
                (f"lag({one}) over (order by {alias}.k, {one})", column),
            ]
        return self._random.choice(options)

    def _correlated(self, alias: str) -> str:
        source, inner = self._table(), self._name("t")
        text = self._text(source, inner)
        return self._random.choice(
            [
                f"(select max({text}) from {source.sql} as {inner} where {inner}.k = {alias}.k)",
                f"array_to_string(array(select {text} from {source.sql} as {inner} where {inner}.k = {alias}.k), ' ')",
            ]
        )
