"""Compares column lineage with what DuckDB does: which columns of the tables change an output column?

A column influences an output if the output changes when the values of the column change or are handed from row to row.
Columns that only filter, join or group never change here, so influence through them is not an edge, as in our lineage.
``make oracle`` compares thousands of random queries.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from lineage.estate import Known, read, urn
from lineage.random_sql import LEFT_OUT, TABLES, Writer

ROWS: Final = 12
_DATA: Final = 4
"""Number of data sets. What shows in none of them counts as no influence."""

LEAVES: Final = tuple(
    f"{table}.{leaf}"
    for table, columns in TABLES.items()
    for column, kind in columns.items()
    for leaf in (
        (f"{column}.lang", f"{column}.author.name", f"{column}.author.mail")
        if kind == "struct"
        else (column,)
    )
)
"""Every value in the tables that can change by itself."""

_NULLS: Final = dict(
    zip(
        (
            (table, column)
            for table, columns in TABLES.items()
            for column, kind in columns.items()
            if kind == "text"
        ),
        (k for k in range(1, ROWS + 1) if k != LEFT_OUT),
        strict=False,
    )
)
"""The row in which each text column is null. Filters leave out another one."""

_CATALOG: Final = Known(
    {
        urn("duckdb", f"main.{table}"): [
            *("k", "g"),
            *(
                path
                for column, kind in columns.items()
                for path in (
                    (
                        column,
                        f"{column}.lang",
                        f"{column}.author",
                        f"{column}.author.name",
                        f"{column}.author.mail",
                    )
                    if kind == "struct"
                    else (column,)
                )
            ),
        ]
        for table, columns in TABLES.items()
    }
)


@dataclass(kw_only=True)
class Verdict:
    """What one query showed. ``wrong`` and ``missing`` are pairs of an output and a source."""

    sql: str
    outputs: int = 0
    edges: int = 0
    wrong: set[tuple[str, str]] = field(default_factory=set)
    missing: set[tuple[str, str]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


class Oracle:
    """A database with the tables as they are, and once more for each change of each leaf."""

    def __init__(self) -> None:
        self._database = duckdb.connect(":memory:")
        self._variants = {
            (data, leaf): [f"d{data}_v{number}_{how}" for how in ("marked", "moved")]
            for data in range(_DATA)
            for number, leaf in enumerate(LEAVES)
        }
        for data in range(_DATA):
            self._fill(f"d{data}", data, None, "")
            for (owner, leaf), schemas in self._variants.items():
                if owner == data:
                    for schema in schemas:
                        self._fill(schema, data, leaf, schema.rpartition("_")[2])

    def _fill(self, schema: str, data: int, leaf: str | None, how: str) -> None:
        self._database.execute(f"create schema {schema}")
        for table, columns in TABLES.items():
            types = {
                "text": "varchar",
                "list": "varchar[]",
                "struct": "struct(lang varchar, author struct(name varchar, mail varchar))",
            }
            listed = ", ".join(f"{name} {types[kind]}" for name, kind in columns.items())
            self._database.execute(f"create table {schema}.{table} (k integer, g integer, {listed})")
            rows = _rows(table, data)
            if leaf is not None and leaf.startswith(f"{table}."):
                _change(rows, leaf.partition(".")[2], how)
            marks = ", ".join("?" for _ in range(2 + len(columns)))
            self._database.executemany(
                f"insert into {schema}.{table} values ({marks})", [list(row.values()) for row in rows]
            )

    def influences(self, sql: str, data: int) -> dict[str, set[str]]:
        """The leaves that influence each output column in one data set.

        Raises:
            duckdb.Error: DuckDB refuses the query.
        """
        before = self._columns(f"d{data}", sql)
        found: dict[str, set[str]] = {name: set() for name in before}
        for leaf in LEAVES:
            if leaf.partition(".")[0] in sql:
                for schema in self._variants[data, leaf]:
                    after = self._columns(schema, sql)
                    for name in (one for one in before if after[one] != before[one]):
                        found[name].add(leaf)
        return found

    def _columns(self, schema: str, sql: str) -> dict[str, list[str]]:
        """The values of each output column beside the keys of their rows, each once and in an order of their own.

        UNION joins equal rows, so that how often a value stands there depends on the other columns.
        """
        self._database.execute(f"use {schema}")
        result = self._database.execute(sql)
        names = [one[0] for one in result.description or ()]
        rows = result.fetchall()
        return {
            name: sorted({repr((row[0], row[1], row[i])) for row in rows})
            for i, name in enumerate(names)
            if name not in ("k", "g")
        }

    def judge(self, sql: str) -> Verdict:
        """Compare lineage of the query with its influences."""
        lineage = read("duckdb", sql, _CATALOG, default_schema="main")
        edges = {
            output.name: {
                f"{one.dataset.split(',')[1].removeprefix('main.')}.{one.column}"
                for one in output.sources
                if one.column not in ("k", "g")
            }
            for output in lineage.outputs
        }
        truth = self.influences(sql, 0)
        for data in range(1, _DATA):
            if not _wrong(edges, truth):
                break
            for name, leaves in self.influences(sql, data).items():
                truth[name] |= leaves
        return Verdict(
            sql=sql,
            outputs=len(truth),
            edges=sum(len(edges.get(name, ())) for name in truth),
            wrong=_wrong(edges, truth),
            missing={
                (name, leaf)
                for name, leaves in truth.items()
                for leaf in leaves
                if not any(_covers(one, leaf) for one in edges.get(name, ()))
            },
            warnings=[one.title for one in lineage.warnings],
        )


def _wrong(edges: Mapping[str, set[str]], truth: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    return {
        (name, one)
        for name, leaves in truth.items()
        for one in edges.get(name, ())
        if not any(_covers(one, leaf) for leaf in leaves)
    }


def _covers(source: str, leaf: str) -> bool:
    return leaf == source or leaf.startswith(f"{source}.")


def _rows(table: str, data: int) -> list[dict[str, Any]]:
    """Rows of one table. Texts differ in each row.

    Each branch of an expression is taken: every text column is null in one row, no two of them in the same one, and the
    length of its texts is even in every second row.
    """
    chance = random.Random(f"{table} {data}")
    rows: list[dict[str, Any]] = []
    for k in range(1, ROWS + 1):
        row: dict[str, Any] = {"k": k, "g": k % 3}
        for name, kind in TABLES[table].items():
            text = f"{chance.randrange(10**6):06}{table}.{name}"
            if kind == "text":
                even = "" if len(text) % 2 == 0 else "_"
                row[name] = None if k == _NULLS[table, name] else text + even + "_" * (k // 2 % 2)
            elif kind == "list":
                row[name] = [f"{text}a", f"{text}b"]
            else:
                row[name] = {"lang": f"{text}l", "author": {"name": f"{text}n", "mail": f"{text}m"}}
        rows.append(row)
    return rows


def _change(rows: list[dict[str, Any]], path: str, how: str) -> None:
    """Change the values of one leaf in all rows, or hand each to the next row."""
    *outer, last = path.split(".")
    holders = [one for one in _holders(rows, outer) if one[last] is not None]  # A null filters, in UNPIVOT.
    values = [one[last] for one in holders]
    if how == "moved":
        values = [*values[1:], values[0]]
    else:
        values = [
            [f"{one}~" for one in value] if isinstance(value, list) else value and f"{value}~"
            for value in values
        ]
    for holder, value in zip(holders, values, strict=True):
        holder[last] = value


def _holders(rows: list[dict[str, Any]], outer: list[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        holder: Any = row
        for name in outer:
            holder = holder[name]
        yield holder


def judge_random(oracle: Oracle, number: int, seed: int) -> tuple[list[Verdict], Mapping[str, str]]:
    """Judge ``number`` random queries. Also returns the queries that DuckDB refused, with its words."""
    verdicts: list[Verdict] = []
    refused: dict[str, str] = {}
    writer = Writer(seed)
    while len(verdicts) < number and len(refused) < 10 + number:
        sql = writer.query()
        try:
            verdicts.append(oracle.judge(sql))
        except duckdb.Error as error:
            refused[sql] = str(error).partition("\n")[0]
    return verdicts, refused
