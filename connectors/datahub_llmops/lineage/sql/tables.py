"""Resolves the table names of a statement to datasets, as the catalog spells them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlglot
from datahub.ingestion.source.bigquery_v2.bigquery_audit import BigqueryTableIdentifier
from datahub.sql_parsing.sql_parsing_common import PLATFORMS_WITH_CASE_SENSITIVE_TABLES
from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import SqlglotError

from datahub_llmops import urns
from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.provenance import Rules
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.sql.names import Part, full_names
from datahub_llmops.lineage.sql.namespace import Namespace
from datahub_llmops.lineage.sql.uses import NO_USES, Uses
from datahub_llmops.lineage.sql.values import WRITTEN, Column, Row, Unlisted, written
from datahub_llmops.lineage.warning import WarningLog

_UPPER: Final = (NormalizationStrategy.UPPERCASE, NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE)
_FILE_ENDINGS: Final = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".arrow", ".avro", ".orc")

_TEMPORARY_HIDES: Final = frozenset({"mysql", "mariadb", "snowflake"})
"""Platforms on which a temporary table takes the place of the table of its full name.

https://docs.snowflake.com/en/user-guide/tables-temp-transient and
https://dev.mysql.com/doc/refman/8.4/en/create-temporary-table.html
"""
_TEMPORARY_SCHEMAS: Final = frozenset({"pg_temp", "temp", "_session", "session", "tempdb"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The datasets behind one table name.

    ``columns`` maps a folded column name to the dataset columns that it means, and is ``None`` if they are unknown.
    ``row`` has the columns of a table that an earlier statement of the script made. ``unknown`` is true if the catalog
    has no such table. ``uses`` are those of the statements that made the table.
    """

    datasets: tuple[str, ...] = ()
    columns: Mapping[str, tuple[Column, ...]] | None = None
    row: Row | None = None
    unknown: bool = False
    uses: Uses = NO_USES


def folder(dialect: sqlglot.Dialect) -> Callable[[str], str]:
    """Return how this dialect folds unquoted names. Folding all names the same way makes case irrelevant."""
    return str.upper if dialect.normalization_strategy in _UPPER else str.lower


def fold(tree: exp.Expr, how: Callable[[str], str]) -> None:
    """Fold every name of a statement in place, and keep its spelling in ``meta``."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.meta[WRITTEN] = identifier.name
        identifier.set("this", how(identifier.name))


def _is_temporary(table: exp.Table) -> bool:
    """Whether a table is one of SQL Server's ``#docs`` and ``##docs``."""
    args = table.this.args if isinstance(table.this, exp.Identifier) else {}
    return bool(args.get("temporary") or args.get("global_"))


class Tables:
    """Resolves the table names of one upstream, and collects warnings and names of unknown datasets.

    Methods raise ``CatalogError`` if the catalog cannot answer.
    """

    def __init__(self, config: UpstreamConfig, lookup: SchemaLookup, rules: Rules) -> None:
        self._config = config
        self._lookup = lookup
        self._rules = rules
        self._namespace = Namespace(db=config.default_db, schema=config.schema_default)
        self._fold = folder(config.dialect)
        self._sources: dict[tuple[str, str], Source] = {}
        self._schemas: dict[str, Mapping[str, Mapping[str, str] | None]] = {}
        self.unknown: list[str] = []
        self.warnings = WarningLog()

    def choose(self, chosen: Namespace) -> None:
        """Resolve the names of later statements in ``chosen``."""
        self._namespace = Namespace(
            db=chosen.db or self._namespace.db, schema=chosen.schema or self._namespace.schema
        )

    def key(self, table: exp.Table) -> str:
        """Return the table's full name, folded. Two spellings of one name have the same key."""
        if isinstance(table.this, exp.Parameter):  # a variable that is a table
            return f"@{self._fold(table.this.name)}"
        if _is_temporary(table):
            return f"#{self._fold(table.name)}"
        names = self._names(table)
        return ".".join(self._fold(name) for name, _ in names[0]) if names else ""

    def temporary_key(self, table: exp.Table) -> str:
        """Return the key of a temporary table of this name.

        It has a schema of its own on most platforms, and hides the table of its full name on others.
        """
        marked = isinstance(self._config.dialect, TSQL)  # Its temporary tables have names of their own.
        if marked or self._config.platform in _TEMPORARY_HIDES or isinstance(table.this, exp.Parameter):
            return self.key(table)
        qualifiers = [part.name.lower() for part in table.parts[:-1]]
        if qualifiers and qualifiers[-1] not in _TEMPORARY_SCHEMAS:
            return self.key(table)
        return f"#{self._fold(table.name)}"

    def resolve(self, table: exp.Table, label: str | None) -> Source:
        """Find the dataset of a table in the statement ``label``. Without one, warn and return an empty source.

        Without a label there is no warning: what only chooses rows to delete feeds nothing.
        """
        if label is None:
            return self._resolve_silently(table)
        names = self._names(table)
        if not names:
            self.warnings.add(
                "unknown_table",
                "Table not understood",
                "The statement reads something that is not a table in a catalog, such as a stage. It was left out.",
                label,
            )
            return Source(unknown=True)
        if self._is_file(table):
            return self.files((written(table.this),), label)
        exact, default = self._spelling(names)
        return self._dataset(exact, default, label)

    def _resolve_silently(self, table: exp.Table) -> Source:
        names = self._names(table)
        if not names or self._is_file(table):
            return Source(unknown=True)
        exact, default = self._spelling(names)
        is_one = isinstance(self._lookup, NoCatalog) or len(self._ask(exact)) == 1
        return self._dataset(exact, default, "") if is_one else Source(unknown=True)

    def own(self, table: exp.Table, *, sole: bool) -> Source:
        """Find the dataset of a statement's own target, without warnings.

        ``sole`` is true if the statement reads no other table. Otherwise columns that no schema settles are not the
        target's.
        """
        names = self._names(table)
        exact, default = self._spelling(names) if names else ("", "")
        schemas = self._ask(exact) if names else {}
        urn = exact if exact in schemas or len(schemas) != 1 else next(iter(schemas))
        if schemas.get(urn):
            return self._dataset(exact, default, "")
        named = default if isinstance(self._lookup, NoCatalog) and names else urn if urn in schemas else None
        value = Unlisted(datasets=(named,) if named else (), claims=sole)
        return Source(datasets=(named,) if named else (), row=Row(unlisted=value))

    def by_name(self, text: str, label: str) -> Source:
        """Find the dataset that a recipe names by URN or by table name.

        Raises:
            StatementError: the name does not parse.
        """
        if text.startswith("urn:"):
            return self._dataset(text, text, label)
        try:
            table = exp.to_table(text, dialect=self._config.dialect)
        except SqlglotError:
            table = exp.Table(this=exp.to_identifier(text, quoted=True))
        names = self._names(table) or (((text, True),),)
        exact, default = self._spelling(tuple(tuple((name, True) for name, _ in parts) for parts in names))
        return self._dataset(exact, default, label)

    def known_columns(self, table: exp.Table) -> tuple[str, ...] | None:
        """List the column names of a table in their order, without warnings. ``None`` means that they are unknown."""
        names = self._names(table)
        if not names:
            return None
        exact, _ = self._spelling(names)
        schemas = self._lookup.schemas(exact)
        columns = next(iter(schemas.values())) if len(schemas) == 1 else schemas.get(exact)
        return tuple(path for path in columns if "." not in path) if columns else None

    def fetch(self, table: exp.Table) -> None:
        """Ask the catalog for a table, so that ``resolve`` takes no time."""
        if names := self._names(table):
            self._ask(self._spelling(names)[0])

    def files(self, addresses: tuple[str, ...], label: str) -> Source:
        """Find the datasets of files that SQL reads directly."""
        datasets: list[str] = []
        for address in addresses:
            plain = address.split("*", 1)[0].split("?", 1)[0]
            if plain != address:  # A glob stands for the folder above it.
                plain = plain.rpartition("/")[0]
            urn = self._rules.match(plain)
            if urn is None:
                self.warnings.add(
                    "unknown_table",
                    "File without a dataset",
                    "No provenance rule turns a file that the statement reads into a dataset. The file was left out.",
                    label,
                )
            elif urn not in datasets:
                datasets.append(urn)
        columns: dict[str, tuple[Column, ...]] | None = None
        cataloged: list[str] = []
        for urn in datasets:
            schemas = self._lookup.schemas(urn)
            name = urn if urn in schemas or len(schemas) != 1 else next(iter(schemas))
            cataloged.append(name)
            for path in schemas.get(name) or ():
                columns = columns or {}
                key = self._fold(path)
                columns[key] = (*columns.get(key, ()), Column(dataset=name, column=path))
        return Source(datasets=tuple(cataloged), columns=columns, unknown=not cataloged)

    def _ask(self, urn: str) -> Mapping[str, Mapping[str, str] | None]:
        if urn not in self._schemas:
            self._schemas[urn] = self._lookup.schemas(urn)
        return self._schemas[urn]

    def _is_file(self, table: exp.Table) -> bool:
        name = table.this
        if not isinstance(name, exp.Identifier):
            return False
        text = written(name)
        bare = len(table.parts) == 1 and text.lower().split(".gz")[0].endswith(_FILE_ENDINGS)
        return "://" in text or (bare and bool(name.args.get("quoted")) and "." in text)

    def _names(self, table: exp.Table) -> tuple[tuple[Part, ...], ...]:
        """The full names that a table may have, as written, the most likely one first. Empty if it is not a table."""
        this = table.this
        if _is_temporary(table):
            return ()
        if isinstance(this, exp.DynamicIdentifier):
            literal = this.this
            if not (isinstance(literal, exp.Literal) and literal.is_string):
                return ()
            try:
                table = exp.to_table(literal.this, dialect=self._config.dialect)
            except SqlglotError:
                return ()
        if not all(isinstance(part, exp.Identifier) for part in table.parts) or not table.name:
            return ()
        parts = tuple((written(part), bool(part.args.get("quoted"))) for part in table.parts)
        if table.args.get("catalog") and not table.args.get("db"):  # shop..docs
            parts = (parts[0], ("", False), *parts[1:])
        return full_names(parts, self._config.platform, self._namespace)

    def _spelling(self, names: tuple[tuple[Part, ...], ...]) -> tuple[str, str]:
        """The spellings of the first name that the catalog knows, or else of the first name."""
        spellings = [self._spellings(parts) for parts in names]
        known = (spelling for spelling in spellings if len(names) > 1 and self._ask(spelling[0]))
        return next(known, spellings[0])

    def _spellings(self, parts: tuple[Part, ...]) -> tuple[str, str]:
        """The URN of a table as its dialect spells it, and as DataHub's own sources spell it without a catalog."""
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
            # DataHub's bigquery source describes all date shards of a table as one dataset.
            with contextlib.suppress(IndexError):
                name = BigqueryTableIdentifier.from_string_name(name).get_table_name()
        return urns.dataset(config.platform, name, env=config.env, instance=config.platform_instance)

    def _dataset(self, exact: str, default: str, label: str) -> Source:
        key = (exact, default)
        if key not in self._sources:
            self._sources[key] = self._look_up(exact, default, label)
        return self._sources[key]

    def _look_up(self, exact: str, default: str, label: str) -> Source:
        if isinstance(self._lookup, NoCatalog):
            return Source(datasets=(default,))
        schemas = self._ask(exact)
        if not schemas and not self._lookup.describes(self._config.platform):
            self.warnings.add(
                "note",
                "Platform not in the catalog",
                "The catalog has no table of this platform, so its names could not be checked and were taken as"
                " written. Run the recipe of the platform first.",
                self._config.platform,
            )
            return Source(datasets=(default,))
        if not schemas:
            self.unknown.append(default)
            self.warnings.add(
                "unknown_table",
                "Unknown table",
                "The catalog does not have this table, so no edge was drawn from it. Run the recipe of its platform"
                " first, or correct `default_db`, `default_schema`, `env` or `platform_instance`.",
                f"{default}, in {label}",
            )
            return Source(unknown=True)
        if len(schemas) > 1:
            self.warnings.add(
                "note" if exact in schemas else "ambiguous_table",
                "Ambiguous table name",
                "Several datasets in the catalog differ from this name in case only. The one with the same spelling"
                " as in the statement was chosen, or none if no spelling is the same.",
                f"{', '.join(sorted(schemas))}, in {label}",
            )
            if exact not in schemas:
                return Source(unknown=True)
        urn = exact if exact in schemas else next(iter(schemas))
        columns = schemas[urn]
        if columns is None:
            return Source(datasets=(urn,))
        by_name: dict[str, tuple[Column, ...]] = {}
        for path in columns:
            name = self._fold(path)
            by_name[name] = (*by_name.get(name, ()), Column(dataset=urn, column=path))
        return Source(datasets=(urn,), columns=by_name)
