"""The rows of BigQuery's functions over models and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from datahub_llmops.lineage.sql.scopes import Walk
from datahub_llmops.lineage.sql.values import NOTHING, Field, Row, Scope, Unlisted, union

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
# The column of its input from which a function of BigQuery computes what it adds.
_INPUT: Final[dict[type[exp.Expr], str]] = {
    exp.GenerateEmbedding: "content",
    exp.GenerateText: "prompt",
    exp.GenerateTable: "prompt",
}
_MODELS: Final = (
    exp.GenerateEmbedding,
    exp.GenerateText,
    exp.GenerateTable,
    exp.MLTranslate,
    exp.MLForecast,
    exp.Predict,
)


def is_model(function: exp.Expr) -> bool:
    """Whether a function in FROM applies a model to the rows of a table or query."""
    return isinstance(function, _MODELS) and isinstance(
        function.args.get("expression"), exp.Table | exp.Subquery
    )


def model_row(walk: Walk, function: exp.Expr, scope: Scope) -> Row:
    """``f(MODEL m, input)``: the columns of the input, and those that the model adds. The model is not a table."""
    walk.seen.update(id(table) for table in function.this.find_all(exp.Table))
    row = walk.evaluate(walk, function.args["expression"], scope)
    wanted = next((column for kind, column in _INPUT.items() if isinstance(function, kind)), None)
    text = row.find(walk.name(wanted)) if wanted is not None else None
    if text is None and wanted is not None and row.unlisted is not None:
        text = row.unlisted.find(walk.name(wanted))
    computed = text if text is not None else row.value().without_parts()
    names: Sequence[str] = ()
    if isinstance(function, exp.GenerateEmbedding):
        parent = function.parent
        prefix = parent.text("db").upper() if isinstance(parent, exp.Table) else ""
        names = _EMBEDDING_OUTPUT.get(prefix, _EMBEDDING_OUTPUT["ML"])
        names = _TEXT_EMBEDDING_OUTPUT if function.args.get("is_text") else names
    added = tuple(
        Field(key=one.key, shown=one.written, value=computed) for one in (walk.name(text) for text in names)
    )
    unlisted = row.unlisted or (None if names else Unlisted(value=computed, claims=True))
    return Row(fields=(*row.fields, *added), unlisted=unlisted)


def vector_search(walk: Walk, function: exp.VectorSearch, scope: Scope) -> Row:
    """BigQuery's VECTOR_SEARCH: a row of the query, a row of the base table, and their distance.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/search_functions#vector_search
    """
    base = walk.evaluate(walk, function.this, scope).value()
    given = function.args.get("query_table")
    query = walk.evaluate(walk, given, scope).value() if isinstance(given, exp.Expr) else NOTHING
    column = function.args.get("column_to_search")
    searched = base.part(walk.name(column.name)) if isinstance(column, exp.Literal) else base
    values = {"query": query, "base": base, "distance": union((searched, query)).without_parts()}
    return Row(
        fields=tuple(Field(key=walk.fold(name), shown=name, value=value) for name, value in values.items())
    )
