"""Finds what a name in a query means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlglot
from sqlglot import exp

from datahub_llmops.lineage.sql.tables import Source
from datahub_llmops.lineage.sql.uses import UseLog
from datahub_llmops.lineage.sql.values import NOTHING, Name, Named, Row, Scope, Value, gap, union

# Columns that engines add to every table or query, and functions that are written without parentheses. Their values
# come from no column of a table.
_PSEUDO_COLUMNS: Final = frozenset(
    {
        "_file",
        "_metadata",
        "_part",
        "_partition_id",
        "_partitiondate",
        "_partitiontime",
        "_rowid_",
        "_table_suffix",
        "block__offset__inside__file",
        "cmax",
        "cmin",
        "connect_by_iscycle",
        "connect_by_isleaf",
        "ctid",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "date",
        "default",
        "file_row_number",
        "filename",
        "input__file__name",
        "level",
        "localtime",
        "localtimestamp",
        "metadata$action",
        "metadata$file_last_modified",
        "metadata$file_row_number",
        "metadata$filename",
        "metadata$isupdate",
        "metadata$row_id",
        "oid",
        "ora_rowscn",
        "rowid",
        "rownum",
        "session_user",
        "sysdate",
        "systimestamp",
        "tableoid",
        "time",
        "uid",
        "user",
        "xmax",
        "xmin",
        "$partition",
        "$path",
    }
)
# Dialects in which the alias of a table is a value: its whole row.
_WHOLE_ROWS: Final = frozenset({"postgres", "bigquery", "duckdb", "materialize", "risingwave"})
# Dialects in which a.b may be the part b of a column a.
_STRUCT_PATHS: Final = frozenset(
    {"bigquery", "duckdb", "databricks", "spark", "spark2", "hive", "trino", "presto", "athena", "clickhouse"}
    | {"redshift", "snowflake", "starrocks", "doris"}
)
# Dialects in which a function may stand behind a value, as in SQL Server's d.meta.nodes('/a').
_METHODS: Final = frozenset({"bigquery", "duckdb", "fabric", "oracle", "teradata", "tsql"})
# https://learn.microsoft.com/en-us/sql/t-sql/xml/xml-data-type-methods
_XML_METHODS: Final = frozenset({"exist", "modify", "nodes", "query", "value"})
# Dialects in which a column hides a variable of its name. Others do not allow both, or mark variables.
_COLUMNS_FIRST: Final = frozenset({"bigquery", "databricks", "spark"})
# Dialects in which an output column may refer to another one by its name.
_ALIASES: Final = frozenset(
    {"snowflake", "redshift", "databricks", "spark", "duckdb", "clickhouse", "teradata", "sqlite"}
)


@dataclass(slots=True, kw_only=True)
class Walk:
    """What stays the same while one statement is read.

    ``resolve`` finds the source of a table, and ``files`` that of files by their addresses. ``evaluate`` gives the row
    of a query in a scope, and ``value`` the value of an expression. ``variables`` are those of the script, by their
    folded names. ``inputs`` collects the datasets that the statement reads, ``seen`` the tables by their ``id``,
    ``unread`` the functions whose input is not known, and ``uses`` what it does with columns besides selecting them.
    """

    dialect: sqlglot.Dialect
    fold: Callable[[str], str]
    resolve: Callable[[exp.Table], Source]
    files: Callable[[tuple[str, ...]], Source]
    evaluate: Callable[[Walk, exp.Expr, Scope], Row]
    value: Callable[[Walk, exp.Expr, Scope], Value]
    inputs: set[str] = field(default_factory=set)
    variables: Mapping[str, Value] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    uses: UseLog = field(default_factory=UseLog)

    @property
    def language(self) -> str:
        """Name of the dialect."""
        return type(self.dialect).__name__.lower()

    def name(self, text: str) -> Name:
        """A name that the statement does not write as an identifier."""
        return Name(key=self.fold(text), written=text, quoted=True)

    def variable(self, name: str) -> Value | None:
        """The value of a variable of the script, or ``None`` if the script gives it none."""
        return self.variables.get(self.fold(name))


def resolve(walk: Walk, names: Sequence[Name], scope: Scope) -> Value:
    """The value of a column that is written as ``names``: its qualifiers, its own name, and parts of a struct."""
    value = _resolve(walk, names, scope)
    walk.uses.named |= value.sources
    return value


def _resolve(walk: Walk, names: Sequence[Name], scope: Scope) -> Value:
    for level in scope:
        if names[0].key in level.parameters:
            return _parts(level.parameters[names[0].key], names[1:])
    if len(names) > 1:
        for level in scope:
            for row, rest in _qualified(level, names):
                return _column(walk, row, rest, level)
    for level in scope:
        found = _unqualified(walk, names, level)
        if found is not None:
            return found
    if names[0].key in walk.variables:
        return _parts(walk.variables[names[0].key], names[1:])
    if names[-1].key.lower() in _PSEUDO_COLUMNS:
        return NOTHING
    if walk.language == "sqlite" and len(names) == 1 and names[0].quoted:  # It takes "x" for text then.
        return NOTHING
    rows = (one.row for level in scope for one in level.rows)
    return gap("unknown_column", ".".join(name.written for name in names), rows)


def method_receiver(walk: Walk, names: Sequence[Name], method: str, scope: Scope) -> Value | None:
    """The value that stands before ``method``, or ``None`` if ``names`` are the schema of a function.

    Only a column that is surely there counts. A table without a schema would have a column for each schema.
    """
    if walk.language not in _METHODS:
        return None
    if walk.language == "duckdb" or (walk.language in ("tsql", "fabric") and method in _XML_METHODS):
        value = resolve(walk, names, scope)
        return value if value.sources or value.row is not None else None
    for level in scope:
        if names[0].key in level.parameters:
            return _parts(level.parameters[names[0].key], names[1:])
        if len(names) > 1:
            for row, rest in _qualified(level, names):
                return _column(walk, row, rest, level)
        listed = _listed(names[0], level)
        if listed:
            return _parts(union(listed), names[1:])
    return None


def find_row(names: Sequence[Name], scope: Scope) -> Named | None:
    """The row in FROM that ``names`` mean, as in ``d.*`` or ``public.docs.*``."""
    keys = tuple(name.key for name in names)
    for level in scope:
        for one in level.rows:
            if keys == (one.alias,) or (len(keys) > 1 and one.path[-len(keys) :] == keys):
                return one
    return None


def _qualified(level: Scope, names: Sequence[Name]) -> list[tuple[Named, Sequence[Name]]]:
    """The rows that the first names mean, with the names that are left."""
    found = [(one, names[1:]) for one in level.rows if one.alias == names[0].key]
    for length in range(2, len(names)):
        keys = tuple(name.key for name in names[:length])
        found += [(one, names[length:]) for one in level.rows if one.path and _same_table(one.path, keys)]
    return found


def _same_table(path: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether two names of tables are the same, as far as both are qualified."""
    length = min(len(path), len(keys))
    return tuple(path[-length:]) == tuple(keys[-length:])


def _column(walk: Walk, named: Named, names: Sequence[Name], level: Scope) -> Value:
    row = named.row
    value = row.find(names[0])
    if value is not None:
        return _parts(value, names[1:])
    if row.unlisted is not None:
        return _parts(row.unlisted.find(names[0]), names[1:])
    # A column may have the same name as the table, and be a struct.
    if named.alias is not None:
        struct = _listed(Name(key=named.alias, written=named.alias), level)
        if struct:
            return _parts(union(struct) if len(struct) > 1 else struct[0], names)
    if names[0].key.lower() in _PSEUDO_COLUMNS:
        return NOTHING
    return gap("unknown_column", ".".join(name.written for name in names), [row])


def _parts(value: Value, names: Sequence[Name]) -> Value:
    for name in names:
        value = value.part(name)
    return value


def _listed(name: Name, level: Scope) -> list[Value]:
    return [value for one in level.rows if (value := one.row.find(name)) is not None]


def _unqualified(walk: Walk, names: Sequence[Name], level: Scope) -> Value | None:
    """The value of a name without a table in one scope, or ``None`` if the scope has no such name."""
    name, rest = names[0], names[1:]
    alias = level.aliases.get(name.key)
    if alias is not None and walk.language == "clickhouse":
        return _parts(alias, rest)
    listed = _listed(name, level)
    if len(listed) == 1:
        return _parts(listed[0], rest)
    if listed and (name.key in level.joined or all(value == listed[0] for value in listed)):
        return _parts(union(listed), rest)
    if listed:
        return gap("ambiguous_column", name.written)
    claims = [one for one in level.rows if one.row.unlisted is not None and one.row.unlisted.claims]
    if alias is not None and (not claims or walk.language in _ALIASES):
        return _parts(alias, rest)
    whole = next((one for one in level.rows if one.alias == name.key), None)
    if whole is not None and not rest and (not claims or walk.language in _WHOLE_ROWS):
        return whole.row.value()
    if claims and name.key in walk.variables and walk.language not in _COLUMNS_FIRST:
        return None
    if claims and (not rest or walk.language in _STRUCT_PATHS):
        if name.key in walk.variables:
            return gap("unsettled_column", name.written)
        return _claimed(name, rest, claims, level)
    if walk.language == "bigquery":
        weak = [one.row.unlisted for one in level.rows if one.row.unlisted is not None]
        if len(weak) == 1:  # Fields of an array's elements need no qualifier.
            return _parts(weak[0].find(name), rest)
    return None


def _claimed(name: Name, rest: Sequence[Name], claims: Sequence[Named], level: Scope) -> Value:
    """The value of a column that only tables without a schema can have. One such table has it in valid SQL."""
    outer = any(_listed(name, scope) for scope in level.outer or ())
    if len(claims) > 1 or outer:
        gaps = {one for claim in claims if claim.row.unlisted for one in claim.row.unlisted.star}
        why = next((one.why for one in gaps if one.why in ("unknown_table", "unknown_function")), None)
        if why is not None:
            return gap(why, name.written)
        return gap("unsettled_column", name.written)
    unlisted = claims[0].row.unlisted
    return _parts(unlisted.find(name), rest) if unlisted is not None else NOTHING


def path(node: exp.Expr) -> list[Name] | None:
    """The names of a column with its qualifiers and fields, or ``None`` if it is something else."""
    if isinstance(node, exp.Column):
        parts = node.parts
        return (
            [Name.of(part) for part in parts]
            if all(isinstance(one, exp.Identifier) for one in parts)
            else None
        )
    if isinstance(node, exp.Identifier):
        return [Name.of(node)]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = path(node.this)
        return [*before, Name.of(node.expression)] if before is not None else None
    return None
