"""Rewrites table functions in FROM, so that sqlglot's lineage can trace through them.

Without this, sqlglot silently gives wrong answers for most of them. It takes the model of an embedding function for a
table, finds no columns behind a JSON function, finds the wrong ones behind a LATERAL subquery, and ignores files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from sqlglot import exp

# Columns that an embedding function of BigQuery adds to those of its input.
# https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-generate-embedding
_EMBEDDING_OUTPUT: Final = {
    "ML": (
        "ml_generate_embedding_result",
        "ml_generate_embedding_statistics",
        "ml_generate_embedding_status",
    ),
    "AI": ("embedding", "statistics", "status"),
}
_TEXT_EMBEDDING_OUTPUT: Final = ("text_embedding", "statistics", "status")
_EMBEDDING_INPUT: Final = "content"

_FILE_READERS: Final = frozenset(
    {
        "delta_scan",
        "iceberg_scan",
        "parquet_scan",
        "read_blob",
        "read_csv_auto",
        "read_json",
        "read_json_auto",
        "read_json_objects",
        "read_ndjson",
        "read_ndjson_auto",
        "read_ndjson_objects",
        "read_text",
    }
)
# Columns that functions over one value return, if the statement does not name them.
_JSON_EACH: Final = ("key", "value", "type", "atom", "fullkey", "path")
_OUTPUT: Final = {"json_each": _JSON_EACH, "json_tree": _JSON_EACH, "jsonb_each": ("key", "value")}
# Functions that generate rows. They read no dataset, so lineage through them is complete.
_GENERATORS: Final = frozenset(
    {"generate_series", "generate_date_array", "generate_array", "range", "sequence", "generator", "numbers"}
)

WARN: Final = (
    "The statement reads from a table function that is not supported, so the input of the function was left out."
    " Name the tables instead."
)


class Functions:
    """Rewrites the table functions of one statement in place. The names of the statement must be folded.

    ``files`` maps the name that replaces a read of files to their addresses. ``unknown`` counts the functions that are
    not supported.
    """

    def __init__(self, fold: Callable[[str], str]) -> None:
        self._fold = fold
        self.files: dict[str, tuple[str, ...]] = {}
        self.unknown = 0

    def rewrite(self, tree: exp.Expr) -> None:
        """Rewrite every table function and LATERAL subquery below ``tree``."""
        for lateral in list(tree.find_all(exp.Lateral)):
            if isinstance(lateral.this, exp.Subquery):
                _replace_lateral(lateral)
        for unnest in tree.find_all(exp.Unnest):
            _name_column(unnest)
        for table in list(tree.find_all(exp.Table)):
            if isinstance(table.this, exp.Func) and not isinstance(table.this, exp.DynamicIdentifier):
                self._rewrite_function(table, table.this)
        for rows in list(tree.find_all(exp.TableFromRows)):
            if isinstance(rows.this, exp.Func) and not isinstance(rows.this, exp.UDTF):
                self._count_unknown(rows.this)

    def _rewrite_function(self, table: exp.Table, function: exp.Func) -> None:
        addresses = _file_addresses(function)
        if addresses is not None:
            name = self._fold(f"llmops_file_{len(self.files)}")
            self.files[name] = addresses
            table.set("this", exp.to_identifier(name))
            self.unknown += not addresses
        elif isinstance(function, exp.GenerateEmbedding):
            self._rewrite_embedding(table, function)
        elif isinstance(function, exp.MLTranslate | exp.Predict | exp.GenerateText | exp.GenerateTable):
            # The model names its results itself. They stay without a source.
            _replace_by_input(table, function, [])
        elif function.find(exp.Column) and not function.find(exp.Query):
            self._replace_by_lateral(table, function)
        else:
            self._count_unknown(function)

    def _count_unknown(self, function: exp.Func) -> None:
        if isinstance(function, exp.GenerateSeries) or _name(function) in _GENERATORS:
            return
        self.unknown += not function.find(exp.Column) or function.find(exp.Query) is not None

    def _rewrite_embedding(self, table: exp.Table, function: exp.GenerateEmbedding) -> None:
        output = _EMBEDDING_OUTPUT.get(table.text("db").upper(), _EMBEDDING_OUTPUT["ML"])
        if function.args.get("is_text"):
            output = _TEXT_EMBEDDING_OUTPUT
        content = self._fold(_EMBEDDING_INPUT)
        added = [exp.alias_(exp.column(content), self._fold(name)) for name in output]
        _replace_by_input(table, function, added)

    def _replace_by_lateral(self, table: exp.Table, function: exp.Func) -> None:
        """Write ``FROM docs d, json_each(d.tags) j`` as a LATERAL, which sqlglot can trace through."""
        alias = table.args.get("alias")
        name = _name(function)
        label = table.alias or self._fold(name)
        columns = [column.copy() for column in (alias.columns if isinstance(alias, exp.TableAlias) else ())]
        if not columns and isinstance(function, exp.JSONTable):
            columns = [column.this.copy() for column in function.find_all(exp.JSONColumnDef) if column.this]
        if not columns:
            names = (*(_OUTPUT.get(name) or ("value",)), label)
            columns = [exp.to_identifier(self._fold(text)) for text in dict.fromkeys(names)]
        table.replace(
            exp.Lateral(
                this=function.copy(),
                alias=exp.TableAlias(this=exp.to_identifier(label), columns=columns),
            )
        )


def _name(function: exp.Func) -> str:
    return (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()


def _replace_by_input(table: exp.Table, function: exp.Func, added: list[exp.Expr]) -> None:
    """Write ``FROM f(MODEL m, input) AS x`` as ``FROM (SELECT *, ... FROM input) AS x``. The model is not a table."""
    given = function.args.get("expression")
    if not isinstance(given, exp.Table | exp.Subquery):
        return
    query = exp.select("*", *added).from_(given.copy())
    alias = table.args.get("alias")
    subquery = exp.Subquery(this=query, alias=alias.copy() if alias is not None else None)
    for clause in ("joins", "pivots", "sample"):
        if table.args.get(clause):
            subquery.set(clause, table.args[clause])
    table.replace(subquery)


def _file_addresses(function: exp.Func) -> tuple[str, ...] | None:
    """Addresses of the files that a function reads: empty if they are an expression, ``None`` for other functions."""
    if isinstance(function, exp.ReadCSV):
        given = function.this
    elif isinstance(function, exp.ReadParquet) or (
        isinstance(function, exp.Anonymous) and function.name.lower() in _FILE_READERS
    ):
        given = function.expressions[0] if function.expressions else None
    else:
        return None
    values = given.expressions if isinstance(given, exp.Array) else [given]
    if not all(isinstance(value, exp.Literal) and value.is_string for value in values):
        return ()
    return tuple(str(value.this) for value in values)


def _name_column(unnest: exp.Unnest) -> None:
    """Name the column of ``unnest(d.tags) u``, which is ``u``. sqlglot does so for BigQuery only."""
    alias = unnest.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.this and not alias.columns:
        alias.set("columns", [alias.this.copy()])


def _replace_lateral(lateral: exp.Lateral) -> None:
    """Write a LATERAL subquery as a derived table, which sqlglot traces correctly."""
    subquery = lateral.this.copy()
    subquery.set("alias", lateral.args["alias"].copy() if lateral.args.get("alias") else None)
    lateral.replace(subquery)


def bring_outer_tables(query: exp.Expr) -> None:
    """Join to each correlated subquery, in place, the outer tables that its output refers to.

    sqlglot would drop these references. A cross join changes the rows, but not where values come from.
    """
    for subquery in list(query.find_all(exp.Subquery)):
        inner = subquery.this
        if not isinstance(inner, exp.Select):
            continue
        own = {source.alias_or_name for source in _sources(inner)}
        wanted = (
            {column.table for value in inner.selects for column in value.find_all(exp.Column)} - own - {""}
        )
        outer = subquery.find_ancestor(exp.Select)
        while wanted and isinstance(outer, exp.Select):
            for source in _sources(outer):
                if source.alias_or_name in wanted and source is not subquery:
                    bare = source.copy()
                    bare.set("joins", None)
                    inner.join(bare, join_type="cross", copy=False)
                    wanted.discard(source.alias_or_name)
            outer = outer.find_ancestor(exp.Select)


def spread_rows(query: exp.Expr, columns: Callable[[exp.Table], Collection[str] | None]) -> None:
    """Replace whole-row references, as in ``to_jsonb(d)``, by the columns of the row, in place.

    ``columns`` returns the columns of a table, or ``None`` if they are unknown. As in SQL, a column with the name of
    the table comes first.
    """
    for select in query.find_all(exp.Select):
        rows: dict[str, Collection[str]] = {}
        for source in _sources(select):
            known = columns(source) if isinstance(source, exp.Table) else None
            if known is None:  # It may have a column with any name.
                break
            rows[source.alias_or_name] = known
        else:
            every = {name for known in rows.values() for name in known}
            for column in [one for projection in select.selects for one in projection.find_all(exp.Column)]:
                row = column.name
                if (
                    column.table
                    or row in every
                    or row not in rows
                    or column.find_ancestor(exp.Select) is not select
                ):
                    continue
                parts = [exp.column(name, table=row, quoted=True) for name in rows[row]]
                spread = exp.Anonymous(this="ROW", expressions=parts)
                column.replace(exp.alias_(spread, row) if column.parent is select else spread)


def _sources(select: exp.Select) -> list[exp.Expr]:
    origin = select.args.get("from_")
    joins = select.args.get("joins") or ()
    nodes = [*([origin.this] if origin is not None else ()), *(join.this for join in joins)]
    return [node for node in nodes if isinstance(node, exp.Table | exp.Subquery | exp.UDTF)]
