"""SQL text -> statements, and each statement -> the queries that it reads data with.

A statement that writes (INSERT, MERGE, UPDATE, CREATE ... AS, SELECT INTO, COPY) is turned into queries whose output
columns bear the names of the target's columns: sqlglot's lineage looks at a query's own names only.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlglot
from datahub.sql_parsing.sqlglot_utils import parse_statement
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError
from typing_extensions import override

from datahub_llmops.errors import StatementError

MAX_TOKENS: Final = 200_000
"""Of one statement. Beyond it sqlglot takes minutes, and its own time-out covers the last of its steps only."""

_LABEL_WORDS: Final = 4
_CURSOR: Final = re.compile(
    r"DECLARE\s+\S+\s+(?:(?:BINARY|INSENSITIVE|ASENSITIVE|NO\s+SCROLL|SCROLL)\s+)*CURSOR\s+"
    r"(?:WITH(?:OUT)?\s+HOLD\s+)?(?:FOR|IS)\s+",
    re.IGNORECASE,
)
_REPLACE: Final = re.compile(r"REPLACE(\s+INTO\s)", re.IGNORECASE)
_LITERALS: Final = frozenset(
    kind for kind in TokenType if kind.name.endswith("STRING") or kind in (TokenType.NUMBER, TokenType.DOLLAR)
)

PARSE_ERRORS: Final = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What sqlglot raises on SQL that it does not understand: it has no single base for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a script. ``label`` names it in warnings, without a literal out of it."""

    position: int
    text: str
    label: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A query that a statement reads data with.

    ``names`` are the target's columns in the order of the query's output, ``None`` where the query names them;
    ``positional`` says that they go by the target's own order, which the statement does not tell. ``target`` is the
    table that the statement writes; ``creates`` says that it makes it.
    """

    query: exp.Query
    names: tuple[str, ...] | None = None
    positional: bool = False
    target: exp.Table | None = None
    creates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A table that a statement makes empty, with the columns that it names."""

    target: exp.Table
    names: tuple[str, ...]


def split(sql: str, dialect: sqlglot.Dialect) -> tuple[Statement, ...]:
    """The statements of a script, at its semicolons.

    Raises:
        StatementError: the text cannot be cut into words.
    """
    try:
        tokens = dialect.tokenize(sql)
    except PARSE_ERRORS as error:
        raise StatementError("It cannot be read: a string, comment or quoted name does not end.") from error
    statements: list[Statement] = []
    run: list[Token] = []
    for token in (*tokens, None):
        if token is not None and token.token_type is not TokenType.SEMICOLON:
            run.append(token)
        elif run:
            statements.append(_statement(len(statements) + 1, sql, run))
            run = []
    return tuple(statements)


def parse(statement: Statement, dialect: sqlglot.Dialect) -> exp.Expression:
    """The syntax tree of one statement.

    Raises:
        StatementError: it is a template, or does not parse.
    """
    tokens = statement.tokens
    if _is_template(tokens):
        raise StatementError(
            "It is a template (Jinja or braces): give the SQL as it runs, or name the tables."
        )
    if len(tokens) > MAX_TOKENS:
        raise StatementError("It is too large to be analysed: name its tables instead.")
    text = _CURSOR.sub("", statement.text, count=1) if _CURSOR.match(statement.text) else statement.text
    text = _REPLACE.sub(r"INSERT\1", text, count=1) if _REPLACE.match(text) else text
    try:
        with quiet():
            return parse_statement(text, dialect)
    except PARSE_ERRORS as error:
        raise StatementError(f"It does not parse{_place(error)}: check it and override_dialect.") from error


def readings(tree: exp.Expression) -> tuple[Reading | Definition, ...]:
    """The queries of a statement, or the table it defines; none where it does neither (DELETE, COMMIT, VALUES).

    Raises:
        StatementError: what it does is not understood.
    """
    if isinstance(tree, exp.Query):
        return _query(tree)
    if isinstance(tree, exp.Insert):
        return _insert(tree)
    if isinstance(tree, exp.Create):
        return _create(tree)
    if isinstance(tree, exp.Merge):
        return _merge(tree)
    if isinstance(tree, exp.Update):
        return _update(tree)
    if isinstance(tree, exp.Copy):
        return _copy(tree)
    if isinstance(tree, exp.Use) or (isinstance(tree, exp.Set) and _sets_schema(tree)):
        raise StatementError("It changes how names are resolved: set default_db and default_schema instead.")
    if isinstance(tree, _NO_DATA):
        return ()
    raise StatementError("It is not a statement that reads data, or its syntax is not known in this dialect.")


_NO_DATA: Final = (
    exp.Alter,
    exp.Analyze,
    exp.Comment,
    exp.Commit,
    exp.Delete,
    exp.Drop,
    exp.Grant,
    exp.Pragma,
    exp.Rollback,
    exp.Set,
    exp.Transaction,
    exp.TruncateTable,
    exp.Values,
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep sqlglot from logging the SQL that it does not understand: the caller says so without quoting it."""
    loggers = [logging.getLogger("sqlglot"), logging.getLogger("datahub.sql_parsing.sqlglot_lineage")]
    silence = _Silence()
    for logger in loggers:
        logger.addFilter(silence)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)


class _Silence(logging.Filter):
    """Drops the records of the thread that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread


def _statement(position: int, sql: str, tokens: list[Token]) -> Statement:
    words: list[str] = []
    for token in tokens[:_LABEL_WORDS]:
        if token.token_type in _LITERALS:
            break
        words.append(token.text)
    text = sql[tokens[0].start : tokens[-1].end + 1]
    return Statement(
        position=position,
        text=text,
        label=f"statement {position} ({' '.join(words)} ...)",
        tokens=tuple(tokens),
    )


def _is_template(tokens: Sequence[Token]) -> bool:
    if any(token.token_type in (TokenType.BLOCK_START, TokenType.BLOCK_END) for token in tokens):
        return True
    kinds = [token.token_type for token in tokens]
    for i, kind in enumerate(kinds):
        if kind is not TokenType.L_BRACE:
            continue
        if kinds[i + 1 : i + 2] == [TokenType.L_BRACE] and tokens[i + 1].start == tokens[i].start + 1:
            return True
        if kinds[i + 2 : i + 3] == [TokenType.R_BRACE] and tokens[i + 1].text.isidentifier():
            return True
    return False


def _place(error: BaseException) -> str:
    details = getattr(error, "errors", None)
    if details and details[0].get("line"):
        return f" at line {details[0]['line']}, column {details[0].get('col')}"
    return ""


def _sets_schema(tree: exp.Set) -> bool:
    names = {column.name.lower() for column in tree.find_all(exp.Column)}
    return bool(names & {"search_path", "schema", "current_schema"})


def _query(tree: exp.Query) -> tuple[Reading, ...]:
    into = tree.args.get("into")
    if into is None:
        return (Reading(query=tree),)
    tree.set("into", None)
    return (Reading(query=tree, target=_table(into.this), creates=True),)


def _insert(tree: exp.Insert) -> tuple[Reading, ...]:
    query = tree.expression
    if isinstance(query, exp.Table):  # INSERT INTO x TABLE y
        query = exp.select("*").from_(query)
    if not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return ()
    outer = tree.args.get("with_")
    if outer is not None:
        inner = query.args.get("with_")
        query.set("with_", exp.With(expressions=[*outer.expressions, *(inner.expressions if inner else ())]))
    names = _column_list(tree.this)
    positional = names is None and not tree.args.get("by_name")
    return (Reading(query=query, names=names, positional=positional, target=_table(tree.this)),)


def _create(tree: exp.Create) -> tuple[Reading | Definition, ...]:
    query, target, names = tree.expression, _table(tree.this), _column_list(tree.this)
    if tree.kind not in ("TABLE", "VIEW"):
        return ()
    if not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return (Definition(target=target, names=names),) if target is not None and names else ()
    return (Reading(query=query, names=names, target=target, creates=True),)


def _copy(tree: exp.Copy) -> tuple[Reading, ...]:
    loads = tree.args.get("kind")
    for source in (tree.this, *tree.args.get("files", ())):
        query = source.unnest() if isinstance(source, exp.Subquery) else None
        if isinstance(query, exp.Query):
            return (Reading(query=query, target=_table(tree.this) if loads else None),)
    if loads:
        raise StatementError(
            "It loads a file or stage, which no catalog knows as a table: name the source in tables."
        )
    names = _column_list(tree.this)
    table = _table(tree.this)
    if table is None:
        raise StatementError("What it copies is not understood.")
    return (Reading(query=exp.select(*(names or ("*",))).from_(table.copy())),)


def _merge(tree: exp.Merge) -> tuple[Reading, ...]:
    target, source = _table(tree.this), tree.args["using"]
    found: list[Reading] = []
    for when in tree.args["whens"].expressions:
        action = when.args.get("then")
        positional = False
        if isinstance(action, exp.Update):
            query = _assignments(action.expressions, source, tree.this)
        elif isinstance(action, exp.Insert):
            query = _merge_insert(action, source)
            positional = isinstance(action.expression, exp.Tuple) and not isinstance(action.this, exp.Tuple)
        else:
            continue
        if query is not None:
            found.append(Reading(query=query, positional=positional, target=target))
    if outer := tree.args.get("with_"):
        for reading in found:
            reading.query.set("with_", outer.copy())
    return tuple(found)


def _merge_insert(action: exp.Insert, source: exp.Expression) -> exp.Select | None:
    if not isinstance(action.expression, exp.Tuple):  # INSERT *, INSERT ROW
        return exp.select("*").from_(source.copy())
    values = action.expression.expressions
    columns = action.this.expressions if isinstance(action.this, exp.Tuple) else ()
    if columns and len(columns) != len(values):
        raise StatementError("Its INSERT names more or fewer columns than it gives values for.")
    if not columns:
        return exp.select(*(value.copy() for value in values)).from_(source.copy())
    named = [exp.alias_(value.copy(), column.name) for column, value in zip(columns, values, strict=True)]
    return exp.select(*named).from_(source.copy())


def _update(tree: exp.Update) -> tuple[Reading, ...]:
    target = _table(tree.this)
    joined = [join.this for join in (tree.this.args.get("joins") or ())]
    origin = tree.args.get("from_")
    sources = [*joined, *([origin.this, *_own_joins(origin.this)] if origin is not None else ())]
    query = _assignments(tree.expressions, sources[0] if sources else None, tree.this)
    if query is None:
        return ()
    for source in sources[1:]:
        query = query.join(source.copy(), join_type="cross")
    if outer := tree.args.get("with_"):
        query.set("with_", outer.copy())
    return (Reading(query=query, target=target),)


def _own_joins(source: exp.Expression) -> list[exp.Expression]:
    joins = [join.this for join in (source.args.get("joins") or ())]
    source.set("joins", None)
    return joins


def _assignments(
    pairs: list[exp.Expression], source: exp.Expression | None, target: exp.Expression
) -> exp.Select | None:
    """``SET a = x, b = y`` as ``SELECT x AS a, y AS b``; the target is read too where a value refers to it."""
    if any(isinstance(pair, exp.Star) for pair in pairs):  # UPDATE SET *
        return exp.select("*").from_(source.copy()) if source is not None else None
    named: list[exp.Expr] = []
    for pair in pairs:
        if not isinstance(pair, exp.EQ):
            continue
        value = pair.expression
        if isinstance(pair.this, exp.Tuple):
            inner = value.unnest() if isinstance(value, exp.Subquery) else value
            values = inner.selects if isinstance(inner, exp.Query) else inner.expressions
            if len(values) != len(pair.this.expressions):
                raise StatementError("It sets more or fewer columns than it gives values for.")
            for i, column in enumerate(pair.this.expressions):
                named.append(exp.alias_(_only(value, i), column.name))
        else:
            named.append(exp.alias_(value.copy(), pair.this.name))
    if not named:
        return None
    table = _table(target)
    reads_target = table is not None and any(
        column.table.lower() == table.alias_or_name.lower()
        for value in named
        for column in value.find_all(exp.Column)
    )
    query = exp.select(*named)
    if source is not None:
        query = query.from_(source.copy())
    if table is not None and (reads_target or source is None):
        bare = exp.Table(**{key: table.args.get(key) for key in ("this", "db", "catalog", "alias")}).copy()
        query = query.join(bare, join_type="cross") if source is not None else query.from_(bare)
    return query


def _only(value: exp.Expr, index: int) -> exp.Expr:
    """The part of a row value that goes to the column at ``index``."""
    part = value.copy()
    inner = part.unnest() if isinstance(part, exp.Subquery) else part
    if not isinstance(inner, exp.Select):
        found: exp.Expr = inner.expressions[index]
        return found
    inner.set("expressions", [inner.selects[index]])
    return part


def _table(node: exp.Expression | None) -> exp.Table | None:
    if isinstance(node, exp.Schema):
        node = node.this
    return node if isinstance(node, exp.Table) else None


def _column_list(node: exp.Expression) -> tuple[str, ...] | None:
    if not isinstance(node, exp.Schema) or not node.expressions:
        return None
    return tuple(
        column.name for column in node.expressions if isinstance(column, exp.Identifier | exp.ColumnDef)
    )
