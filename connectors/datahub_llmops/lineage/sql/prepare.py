"""Prepares a query for sqlglot's lineage: passes over one syntax tree, in the order of ``PASSES``.

DataHub's ``sqlglot_lineage`` answers some queries wrongly and does not say so. The passes rewrite those queries into
equivalent ones that it traces correctly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import sqlglot
from datahub.utilities.cooperative_timeout import CooperativeTimeoutError, cooperative_timeout
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.qualify_tables import qualify_tables

from datahub_llmops.errors import StatementError
from datahub_llmops.lineage.sql.outputs import Spelling, physical_tables, shorten
from datahub_llmops.lineage.sql.rewrites import WARN, Functions, bring_outer_tables, spread_rows
from datahub_llmops.lineage.sql.statements import PARSE_ERRORS, quiet
from datahub_llmops.lineage.sql.tables import Source, fold
from datahub_llmops.lineage.warning import Kind

QUALIFY_SECONDS: Final = 30.0
"""Wall time in which the columns of one statement must be qualified. DataHub limits the tracing itself (10 s)."""

_STAND_IN: Final = "llmops_t"

Files: TypeAlias = Mapping[str, tuple[str, ...]]
"""Maps the name that stands for a file read to the addresses of its files."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A query and what the passes have learned about it.

    ``resolve`` finds the source of a table. ``refuse`` takes the kind, the title and the message of a warning about a
    part that has to be left out. ``sources`` maps each stand-in to the source of its table.
    """

    query: exp.Query
    dialect: sqlglot.Dialect
    fold: Callable[[str], str]
    resolve: Callable[[exp.Table, Files], Source]
    refuse: Callable[[Kind, str, str], None]
    spelling: Spelling = field(init=False)
    files: Files = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)

    def prepare(self) -> None:
        """Run all passes on a copy of the query, which becomes ``query``.

        Raises:
            StatementError: sqlglot cannot analyse the query, or takes too long for it.
        """
        self.query = self.query.copy()
        for run in PASSES:
            run(self)


def _fold_names(draft: Draft) -> None:
    fold(draft.query, draft.fold)


def _record_spelling(draft: Draft) -> None:
    draft.spelling = Spelling(draft.query)


def _shorten_lists(draft: Draft) -> None:
    shorten(draft.query)


def _rewrite_functions(draft: Draft) -> None:
    functions = Functions(draft.fold)
    functions.rewrite(draft.query)
    draft.files = functions.files
    if functions.unknown:
        draft.refuse("unknown_table", "Table function not understood", WARN)


def _alias_tables(draft: Draft) -> None:
    with limited():
        draft.query = qualify_tables(draft.query, dialect=draft.dialect)


def _replace_tables(draft: Draft) -> None:
    with limited():
        tables = physical_tables(draft.query)
    for table in tables:
        name = draft.fold(f"{_STAND_IN}{len(draft.sources)}")
        draft.sources[name] = draft.resolve(table, draft.files)
        table.set("this", exp.to_identifier(name, quoted=True))
        table.set("db", None)
        table.set("catalog", None)


def _spread_rows(draft: Draft) -> None:
    sources = draft.sources
    spread_rows(draft.query, lambda table: sources[table.name].columns if table.name in sources else None)


def _qualify_columns(draft: Draft) -> None:
    with limited():
        schema = sqlglot.MappingSchema(dialect=draft.dialect, normalize=False)
        for name, source in draft.sources.items():
            if source.columns is not None:
                table = exp.Table(this=exp.to_identifier(name, quoted=True))
                schema.add_table(table, dict.fromkeys(source.columns, "UNKNOWN"))
        query = qualify(
            draft.query,
            dialect=draft.dialect,
            schema=schema,
            validate_qualify_columns=False,
            allow_partial_qualification=True,
            # In valid SQL only one table can have a column that is written without a table.
            infer_schema=True,
            identify=True,
        )
        if not isinstance(query, exp.Query):
            raise TypeError(f"expected a query, got {type(query).__name__}")
    draft.query = query


def _join_outer_tables(draft: Draft) -> None:
    with limited():
        bring_outer_tables(draft.query)


# Above each pass: what it needs, and what holds after it.
PASSES: Final[tuple[Callable[[Draft], None], ...]] = (
    # Needs the tree as parsed. Afterwards names that differ in case only are equal; ``meta`` keeps their spelling.
    _fold_names,
    # Needs folded names and no others: later passes add names. Afterwards ``spelling`` is set.
    _record_spelling,
    # Needs nothing. Afterwards a list of literals holds one literal, which keeps the later passes fast.
    _shorten_lists,
    # Needs folded names. Afterwards FROM has no function that hides its input; ``files`` knows the files read.
    _rewrite_functions,
    # Needs FROM as rewritten. Afterwards each table in FROM has an alias, which its columns can keep.
    _alias_tables,
    # Needs aliases. Afterwards each table that is no CTE has a stand-in for a name, and its source in ``sources``.
    _replace_tables,
    # Needs ``sources``. Afterwards a whole row is written as its columns wherever all columns are known.
    _spread_rows,
    # Needs ``sources`` and no whole rows. Afterwards columns name their table, and * is expanded where it can be.
    _qualify_columns,
    # Needs qualified columns. Afterwards a correlated subquery joins the outer tables that its output refers to.
    _join_outer_tables,
)


@contextmanager
def limited() -> Iterator[None]:
    """Limit the time of calls to sqlglot, and turn its failures into ``StatementError``.

    A query that sqlglot cannot analyse has no lineage; the run goes on.
    """
    try:
        with quiet(), cooperative_timeout(QUALIFY_SECONDS):
            yield
    except CooperativeTimeoutError as error:
        raise StatementError(
            "The analysis of the statement took too long. Name its tables instead."
        ) from error
    except PARSE_ERRORS as error:
        raise StatementError("sqlglot cannot analyse the statement. Name its tables instead.") from error
