"""Table names of a statement -> datasets, in the catalog's own spelling."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlglot
from datahub.ingestion.source.bigquery_v2.bigquery_audit import BigqueryTableIdentifier
from datahub.sql_parsing.schema_resolver import SchemaResolverInterface, _TableName
from datahub.sql_parsing.sql_parsing_common import PLATFORMS_WITH_CASE_SENSITIVE_TABLES
from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.errors import SqlglotError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import Rules
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.warning import LineageWarning

WRITTEN: Final = "llmops_written"
"""Key in an identifier's ``meta``: its spelling before ``fold``."""

_UPPER: Final = (NormalizationStrategy.UPPERCASE, NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE)
_FILE_ENDINGS: Final = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".arrow", ".avro", ".orc")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Column:
    """One column of a dataset."""

    dataset: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What stands behind one table name: datasets, or what an earlier statement of the script made of some.

    ``columns`` maps a folded name to the columns that it means, ``None`` where they are not known. ``made`` says
    that the script made the table.
    """

    datasets: tuple[str, ...] = ()
    columns: Mapping[str, tuple[Column, ...]] | None = None
    made: bool = False


def folder(dialect: sqlglot.Dialect) -> Callable[[str], str]:
    """How names are folded so that case does not matter: the way this dialect folds unquoted ones."""
    return str.upper if dialect.normalization_strategy in _UPPER else str.lower


def fold(tree: exp.Expr, how: Callable[[str], str]) -> None:
    """Fold every name of a statement in place, keeping the spelling in ``meta``."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.meta[WRITTEN] = identifier.name
        identifier.set("this", how(identifier.name))


def written(identifier: exp.Expr) -> str:
    """A name as the statement spells it."""
    return str(identifier.meta.get(WRITTEN, identifier.name))


class Tables:
    """Resolves the table names of one upstream; the warnings that arise are in ``warnings``.

    Methods raise ``CatalogError`` where the catalog cannot answer.
    """

    def __init__(self, config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> None:
        self._config = config
        self._lookup = lookup
        self._rules = rules
        self._fold = folder(config.dialect)
        self._seen: dict[tuple[str, str], Source] = {}
        self.unknown: list[str] = []
        self.warnings: list[LineageWarning] = []

    def key(self, table: exp.Table) -> str:
        """The table's full name, folded: two names of one table have the same key."""
        return ".".join(self._fold(name) for name, _ in self._parts(table))

    def name(self, table: exp.Table) -> str:
        """The table's full name, as written."""
        return ".".join(name for name, _ in self._parts(table))

    def resolve(self, table: exp.Table, label: str) -> Source:
        """The dataset behind a table of the statement ``label``; empty, with a warning, where there is none."""
        parts = self._parts(table)
        if len(parts) == 0:
            self._warn("Table not understood", "It is no table that a catalog knows; it was left out.", label)
            return Source()
        if self._is_file(table):
            return self.files((written(table.this),), label)
        exact, default = self._spellings(parts)
        return self._dataset(exact, default, label)

    def by_name(self, text: str, label: str) -> Source:
        """The dataset that a recipe names, by URN or as a table name.

        Raises:
            StatementError: the name does not parse.
        """
        if text.startswith("urn:"):
            return self._dataset(text, text, label)
        try:
            table = exp.to_table(text, dialect=self._config.dialect)
        except SqlglotError:
            table = exp.Table(this=exp.to_identifier(text, quoted=True))
        parts = [(name, True) for name, _ in self._parts(table)]
        exact, default = self._spellings(parts)
        return self._dataset(exact, default, label)

    def known_columns(self, table: exp.Table) -> tuple[str, ...] | None:
        """Column names of a table in their order, ``None`` where they are not known; warns of nothing."""
        exact, _ = self._spellings(self._parts(table))
        found = self._lookup.schemas(exact)
        columns = next(iter(found.values())) if len(found) == 1 else found.get(exact)
        return tuple(path for path in columns if "." not in path) if columns else None

    def files(self, addresses: tuple[str, ...], label: str) -> Source:
        """The datasets behind files that SQL reads directly."""
        datasets: list[str] = []
        for address in addresses:
            plain = address.split("*", 1)[0].split("?", 1)[0]
            if plain != address:  # a glob: the folder above it
                plain = plain.rpartition("/")[0]
            urn = self._rules.match(plain)
            if urn is None:
                self._warn(
                    "File without a dataset",
                    "It reads a file whose address no provenance rule turns into a dataset; the file was left out.",
                    label,
                )
            elif urn not in datasets:
                datasets.append(urn)
        columns: dict[str, tuple[Column, ...]] | None = None
        spelled: list[str] = []
        for urn in datasets:
            found = self._lookup.schemas(urn)
            name = urn if urn in found or len(found) != 1 else next(iter(found))
            spelled.append(name)
            for path in found.get(name) or ():
                columns = columns or {}
                key = self._fold(path)
                columns[key] = (*columns.get(key, ()), Column(dataset=name, column=path))
        return Source(datasets=tuple(spelled), columns=columns)

    def _is_file(self, table: exp.Table) -> bool:
        name = table.this
        if not isinstance(name, exp.Identifier):
            return False
        text = written(name)
        bare = len(table.parts) == 1 and text.lower().split(".gz")[0].endswith(_FILE_ENDINGS)
        return "://" in text or (bare and bool(name.args.get("quoted")) and "." in text)

    def _parts(self, table: exp.Table) -> list[tuple[str, bool]]:
        """Full name of a table, part by part as written, and whether each was quoted; empty for what is no table."""
        this = table.this
        if isinstance(this, exp.DynamicIdentifier):
            literal = this.this
            if not (isinstance(literal, exp.Literal) and literal.is_string):
                return []
            try:
                table = exp.to_table(literal.this, dialect=self._config.dialect)
            except SqlglotError:
                return []
        if not table.parts or not all(isinstance(part, exp.Identifier) and part.name for part in table.parts):
            return []
        parts = [(written(part), bool(part.args.get("quoted"))) for part in table.parts]
        defaults = (self._config.default_db, self._config.schema_default)
        missing = defaults[: max(0, 3 - len(parts))]
        return [*((name, False) for name in missing if name), *parts]

    def _spellings(self, parts: list[tuple[str, bool]]) -> tuple[str, str]:
        """URN of a table as its dialect spells it, and as DataHub's own sources do where no catalog says more."""
        exact = [name if quoted else self._fold(name) for name, quoted in parts]
        if self._config.convert_urns_to_lowercase:
            default = [name.lower() for name, _ in parts]
        elif self._config.platform in PLATFORMS_WITH_CASE_SENSITIVE_TABLES:
            default = exact = [name for name, _ in parts]
        else:
            default = [name if quoted else name.lower() for name, quoted in parts]
        return self._urn(exact), self._urn(default)

    def _urn(self, parts: list[str]) -> str:
        name, config = ".".join(parts), self._config
        if config.platform == "bigquery":
            # Date shards are one dataset in DataHub's bigquery source.
            with contextlib.suppress(IndexError):
                name = BigqueryTableIdentifier.from_string_name(name).get_table_name()
        return urns.dataset(config.platform, name, env=config.env, instance=config.platform_instance)

    def _dataset(self, exact: str, default: str, label: str) -> Source:
        key = (exact, default)
        if key not in self._seen:
            self._seen[key] = self._look_up(exact, default, label)
        return self._seen[key]

    def _look_up(self, exact: str, default: str, label: str) -> Source:
        if isinstance(self._lookup, NoCatalog):
            return Source(datasets=(default,))
        found = self._lookup.schemas(exact)
        if not found:
            self.unknown.append(default)
            self._warn(
                "Unknown table",
                "The catalog does not know this table, so no edge was drawn to it: run the recipe of its platform"
                " first, or correct default_db, default_schema, env or platform_instance.",
                f"{default}, in {label}",
            )
            return Source()
        if len(found) > 1:
            choice = exact if exact in found else None
            self._warn(
                "Ambiguous table name",
                "Several datasets of the catalog differ from this name in case only;"
                " the one that is spelled as the statement says was taken, and none if there is none.",
                f"{', '.join(sorted(found))}, in {label}",
            )
            if choice is None:
                return Source()
        urn = exact if exact in found else next(iter(found))
        columns = found[urn]
        if columns is None:
            return Source(datasets=(urn,))
        by_name: dict[str, tuple[Column, ...]] = {}
        for path in columns:
            name = self._fold(path)
            by_name[name] = (*by_name.get(name, ()), Column(dataset=urn, column=path))
        return Source(datasets=(urn,), columns=by_name)

    def _warn(self, title: str, message: str, context: str) -> None:
        warning = LineageWarning(title=title, message=message, context=context)
        if warning not in self.warnings:
            self.warnings.append(warning)


class StandIns(SchemaResolverInterface):
    """Answers ``sqlglot_lineage`` for stand-ins: the name is the URN, the schema is the catalog's."""

    def __init__(self, config: UpstreamConfig, sources: Mapping[str, Source]) -> None:
        self._platform = config.platform
        self.platform_instance = config.platform_instance
        self._sources = sources

    @property
    @override
    def platform(self) -> str:
        return self._platform

    @override
    def includes_temp_tables(self) -> bool:
        # Keeps results out of the global cache, which would hold on to a thousand statements for nothing: it is
        # keyed by this object, and this object answers for one statement.
        return True

    @override
    def resolve_table(self, table: _TableName) -> tuple[str, dict[str, str] | None]:
        columns = self._sources[table.table].columns if table.table in self._sources else None
        return table.table, dict.fromkeys(columns, "UNKNOWN") if columns else None

    @override
    def __hash__(self) -> int:
        return id(self)
