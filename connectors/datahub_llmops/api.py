"""The public Python API: what the command answers, for programs and notebooks.

    import datahub_llmops

    with datahub_llmops.open_catalog("demo/catalog.db") as catalog:
        print(catalog.check("chroma:default_database.docs").verdict)

Importing this imports neither DataHub nor a vendor's client; a catalog on a server and the recipes of options do.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, get_args

from datahub_llmops.catalog import open as opening
from datahub_llmops.catalog.protocol import ColumnPair, Direction, Edge, FullCatalog, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.errors import QuestionError
from datahub_llmops.governance.finding import CheckReport, Finding
from datahub_llmops.governance.impact import Impact, impact_of
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.term_holders import Holder
from datahub_llmops.governance.verdict import check_asset, default_policy
from datahub_llmops.net.shown import clean
from datahub_llmops.queries.asset import AssetResult, read_asset, read_asset_names
from datahub_llmops.queries.found import SearchResult, TermResult, read_carrying, read_search
from datahub_llmops.queries.names import resolve_affecting
from datahub_llmops.queries.walk import LineageResult, read_lineage, read_names

if TYPE_CHECKING:
    from datahub_llmops.answers.explain import Explanation

__all__ = [
    "AssetResult",
    "CatalogClient",
    "CheckReport",
    "ColumnPair",
    "Edge",
    "Finding",
    "Holder",
    "Impact",
    "LineageResult",
    "Node",
    "Result",
    "SearchResult",
    "TermResult",
    "open_catalog",
]

File: TypeAlias = str | os.PathLike[str]


def open_catalog(where: File | None = None) -> CatalogClient:
    """Open a catalog: the file that the sink ``llm-local`` writes, or a DataHub server.

    Args:
        where: the path of the file, or the server's URL. By default the one in ``DATAHUB_LLMOPS_CATALOG``, else the
            file that the sink writes by default. A server's token comes from ``DATAHUB_GMS_TOKEN`` or
            ``~/.datahubenv``.

    Raises:
        NoCatalogError: there is no file yet: run a recipe with the sink ``llm-local`` first.
        CatalogError: the catalog cannot be read, or does not answer.
    """
    return CatalogClient(opening.open_catalog(None if where is None else os.fspath(where)))


@dataclass(frozen=True, slots=True)
class CatalogClient:
    """Asks one catalog, and only reads. Use it in a ``with`` block, or call ``close``.

    An asset is named as on the command line: by its URN or a short name such as ``chroma:default_database.docs``, with
    ``#column`` for one of its columns. Every answer is a frozen dataclass, whose ``to_obj()`` is plain JSON and whose
    ``to_json()`` is what the command prints with ``--json``.
    """

    catalog: FullCatalog
    """The catalog behind it, as the plugin's own parts read it. Its methods may change with any release."""

    def __enter__(self) -> CatalogClient:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the catalog."""
        self.close()

    def close(self) -> None:
        """Release the connections to the catalog. It may be called twice."""
        self.catalog.close()

    def search(self, words: str, *, limit: int = 20) -> SearchResult:
        """Find the assets whose name, URN or description contains every word, best match first.

        Args:
            words: the words, separated by spaces.
            limit: the maximum number of assets.

        Raises:
            QuestionError: ``limit`` is less than 1.
            CatalogError: the catalog cannot answer.
        """
        return read_search(self.catalog, words, _at_least_one("limit", limit))

    def search_term(self, term: str, words: str = "", *, limit: int = 20) -> TermResult:
        """Find what carries a glossary term, its own or propagated, with the path that the term took.

        Args:
            term: the URN of the term, its name, or the part of the URN after ``urn:li:glossaryTerm:``.
            words: only assets and columns whose name or URN contains every word.
            limit: the maximum number of assets and columns; the result says how many it left out.

        Raises:
            QuestionError: ``limit`` is less than 1.
            UnknownAssetError: there is no such term.
            CatalogError: the catalog cannot answer.
        """
        return read_carrying(self.catalog, term, words, _at_least_one("limit", limit))

    def show(self, asset: str) -> AssetResult:
        """Read everything that the catalog holds about an asset, or everything that carries a glossary term.

        Args:
            asset: the URN or short name of the asset, column or term.

        Raises:
            UnknownAssetError: no asset has this name, or several do; the message lists them.
            CatalogError: the catalog cannot answer.
        """
        found = read_asset(self.catalog, asset)
        return replace(found, names=read_asset_names(self.catalog, found))

    def lineage(self, asset: str, direction: Direction = "up", *, hops: int = 5) -> LineageResult:
        """Read what feeds an asset, back to tables and columns, or what it feeds. A notebook draws the result.

        Args:
            asset: the URN or short name of the asset, or of one column.
            direction: ``up`` for what feeds it, ``down`` for what it feeds.
            hops: the maximum number of steps.

        Raises:
            QuestionError: ``direction`` is neither ``up`` nor ``down``, or ``hops`` is less than 1.
            UnknownAssetError: no asset has this name, or several do; the message lists them.
            CatalogError: the catalog cannot answer.
        """
        if direction not in get_args(Direction):
            raise QuestionError(f"direction is {direction!r}; give 'up' or 'down'")
        found = read_lineage(self.catalog, asset, direction, _at_least_one("hops", hops))
        return replace(found, names=read_names(self.catalog, found))

    def check(self, asset: str, policy: Policy | File | None = None) -> CheckReport:
        """Say whether an index can be trusted: ok, not ok or not known, over all checks and for each.

        Args:
            asset: the URN or short name of the index.
            policy: a recipe of ``llm-health``, or a YAML file with its options. By default the packaged list of when
                models retire, which also replaces a list that cannot be read, with a warning.

        Raises:
            UnknownAssetError: no asset has this name, or several do; the message lists them.
            RecipeError: the file of the policy cannot be read, or has an option that does not exist.
            CatalogError: the catalog cannot answer.
        """
        return check_asset(self.catalog, opening.resolve(self.catalog, asset), _policy(policy))

    def affected(self, asset: str, policy: Policy | File | None = None) -> Impact:
        """Read what depends on an asset: indexes, jobs, prompts, applications and owners.

        Args:
            asset: the URN or short name of a column, a table, another asset or a model. ``provider/model`` is a model.
            policy: as for ``check``; it may name lists of when models retire.

        Raises:
            UnknownAssetError: no asset has this name, or several do; the message lists them.
            RecipeError: the file of the policy cannot be read, or has an option that does not exist.
            CatalogError: the catalog cannot answer.
        """
        lifecycles = (_policy(policy) or default_policy()).lifecycles
        urn = resolve_affecting(self.catalog, asset)
        return impact_of(self.catalog, urn, lifecycles, now=datetime.now(UTC))

    def explain(
        self,
        answer: str | None = None,
        *,
        text: str | None = None,
        store: File | None = None,
        recipe: File | None = None,
        env: str | None = None,
        at: datetime | None = None,
    ) -> Explanation:
        """Trace an answer of an application back to its prompt, documents, their tables and owners, jobs and models.

        Args:
            answer: the id of the answer, or its first characters. With a recipe of ``llm-spans``, the id of a trace
                or the whole id of an answer.
            text: the whole text of the answer, instead of its id.
            store: the answer store. By default the one in ``DATAHUB_LLMOPS_STORE``, else the file that applications
                of this user write by default.
            recipe: the recipe of ``llm-runs``, which decides which index is meant, or that of ``llm-spans``: then the
                answer is read from its spans.
            env: the environment of assets whose URN has none. By default that of the recipe, else PROD.
            at: with a recipe of ``llm-spans``, a time at which the trace ran, in UTC unless it has a time zone.

        Raises:
            QuestionError: neither ``answer`` nor ``text`` is given, or the arguments do not go together.
            StoreError: the store cannot be read, or has no such answer.
            ConnectorError: spans cannot be read, or have no such answer.
            RecipeError: the recipe cannot be read, or is not valid.
            CatalogError: the catalog cannot answer.
        """
        from datahub_llmops.queries.way_back import prepare_explanation

        ask = prepare_explanation(answer, text=text, store=_path(store), recipe=_path(recipe), env=env, at=at)
        return ask(self.catalog)


def _at_least_one(name: str, number: int) -> int:
    if number < 1:
        raise QuestionError(f"{name} is {number}; give at least 1")
    return number


def _path(file: File | None) -> Path | None:
    return None if file is None else Path(file)


def _policy(given: Policy | File | None) -> Policy | None:
    if given is None or isinstance(given, Policy):
        return given
    # Recipes need pydantic and DataHub, whose import takes long.
    from datahub_llmops.health.options import read_policy

    policy = read_policy(Path(given))
    for problem in policy.lifecycles.problems:
        warnings.warn(clean(problem), stacklevel=3)
    return policy
