"""Finds the index that chunks were retrieved from, by their ids alone: get-by-id in every index that may have them.

An index is accepted only if it has all of the ids and no other has any. A store that could not be asked might have had
them, so then nothing is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datahub.configuration.config_loader import load_config_file
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.source.source_registry import source_registry

from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import (
    CatalogError,
    ConnectorError,
    PatternError,
    RecipeError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.ingestion.reader import MAX_IDS, IdProbe, Reader
from datahub_llmops.ingestion.report import unexpected
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from datahub_llmops.net.attempts import Deadline

MAX_COLLECTIONS: Final = 5_000
"""Collections of one store that are asked. A store with more is not asked: narrow its recipe's patterns."""
_AT_ONCE: Final = 8
"""Collections of one store that are asked at the same time."""
_NOT_FOR_READING: Final = ("stateful_ingestion", "catalog", "custom_aspects")
"""Options of a recipe that are about what it writes."""
_SMALL_NUMBER: Final = 9
"""Digits up to which a whole number is taken to be counted up, so that any index may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the stores said about the ids of one retriever's chunks.

    ``reason`` says why there is no index. ``asked`` is whether any store was, and ``final`` is false if one that might
    have the ids was not.
    """

    index: str | None = None
    reason: str = ""
    asked: bool = True
    final: bool = True


class ProbedStore:
    """A store that may be asked. Its collections are listed once, and filtered by the patterns of its own recipe."""

    def __init__(self, recipe: str, made: type[VectorStoreSource[Any]], options: Mapping[str, Any]) -> None:
        """Open the store with the recipe's own config class. If that fails, it has a ``problem``."""
        self.recipe = recipe
        self.platform = platforms.find(made.platform).cataloged_as or made.platform
        """The platform of its URNs."""
        self.problem: str | None = None
        """Why it cannot be asked; the text of an error, which holds no secret."""
        self._listed: dict[str, Name] | None = None
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="probe")
        self._opened = ExitStack()
        try:
            config = valid_config(made.config_type, options, of=recipe)
            self._source = self._made(made, config)
            self._reader: Reader[Any] = self._opened.enter_context(closing(made.open(config)))
        except (ConnectorError, CatalogError, RecipeError) as error:
            self._break(str(error))

    def _made(self, made: type[VectorStoreSource[Any]], config: Any) -> VectorStoreSource[Any]:
        try:
            return self._opened.enter_context(closing(made(config, PipelineContext(run_id="id-probe"))))
        except Exception as error:  # Whatever a source raises when it is made, it cannot be asked.
            raise RecipeError(f"{self.recipe}: its source cannot be made ({type(error).__name__})") from error

    def indexes(self) -> Mapping[str, Name]:
        """Return the collections by URN; empty, with a ``problem``, if not all of them are known."""
        if self._listed is None:
            try:
                self._listed = self._list()
            except ConnectorError as error:
                self._break(str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, this store cannot be asked
                self._break(str(unexpected(error)))
        return self._listed or {}

    def _list(self) -> dict[str, Name]:
        found: dict[str, Name] = {}
        for entry in self._reader.names():
            name = entry.name if isinstance(entry, FailedListing) else entry
            try:
                wanted = self._source.allowed(name)
            except PatternError as error:
                raise UnreadableError(str(error)) from error
            if not wanted:
                continue
            if isinstance(entry, FailedListing):
                if entry.is_item:
                    raise entry.error
                continue
            urn = self._source.asset_urn(name)
            if found.setdefault(urn, name) != name:
                raise UnreadableError(f"two of its collections are {urn}")
            if len(found) > MAX_COLLECTIONS:
                raise UnreadableError(
                    f"it has more than {MAX_COLLECTIONS:,} collections; narrow the patterns of its recipe"
                )
        return found

    def holders(
        self, ids: Sequence[str], deadline: Deadline, among: Collection[str] | None = None
    ) -> dict[str, int]:
        """Count the ids in each index that has any. Of all indexes, or of those in ``among``.

        Look at ``problem`` afterwards: with one, the counts are not the whole truth.
        """
        asked = {urn: name for urn, name in self.indexes().items() if among is None or urn in among}
        if self.problem is not None:
            return {}

        def ask(urn: str) -> tuple[str, int]:
            if self.problem is not None:
                return urn, 0
            if deadline.left() <= 0:
                self._break("the time for asking stores is over; raise `probe_seconds`")
                return urn, 0
            try:
                return urn, len(self._has(asked[urn], ids))
            except VanishedError:
                return urn, 0
            except ConnectorError as error:
                self._break(str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, this store cannot be asked
                self._break(str(unexpected(error)))
            return urn, 0

        return {urn: count for urn, count in self._pool.map(ask, asked) if count}

    def _has(self, name: Name, ids: Sequence[str]) -> frozenset[str]:
        if not isinstance(self._reader, IdProbe):
            raise UnreadableError(f"{type(self._source).__name__} cannot look up ids")
        return self._reader.has(name, ids)

    def _break(self, problem: str) -> None:
        self.problem = self.problem or problem
        self._listed = {}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._opened.close()


class StoreProbe:
    """Asks all stores of a run."""

    def __init__(
        self,
        recipes: Sequence[str],
        *,
        seconds: float,
        load: Callable[[str], ProbedStore] | None = None,
    ) -> None:
        """``recipes`` are files; they are read, and their stores opened, at the first question.

        ``seconds`` is how long all questions together may take.
        """
        self._recipes = recipes
        self._load = load or open_store
        self._seconds = seconds
        self._deadline: Deadline | None = None
        self._stores: list[ProbedStore] | None = None
        self._broken: dict[str, str] = {}
        self.questions = 0

    @property
    def problems(self) -> dict[str, str]:
        """The recipes of stores that could not be asked, with the reason."""
        asked = {store.recipe: store.problem for store in self._stores or () if store.problem is not None}
        return {**self._broken, **asked}

    def find(self, ids: Iterable[str], platform: str | None, likely: Iterable[str] = ()) -> Verdict:
        """Find the index that has all of ``ids``.

        Args:
            ids: ids of chunks that one retriever returned.
            platform: platform of the index, if it is known: then only its stores may have them.
            likely: indexes that were found for the same retriever before. If one of them has all ids, and no other of
                them has any, the others are not asked again.
        """
        asked = sorted(set(ids))[:MAX_IDS]
        if not self._recipes:
            return Verdict(reason="no store may be asked: name recipes under `stores`", asked=False)
        if not asked:
            return Verdict(reason="the retrieved chunks have no ids", asked=False)
        if all(one.isascii() and one.isdigit() and len(one) <= _SMALL_NUMBER for one in asked):
            return Verdict(reason="the ids are small numbers, which any index may have", asked=False)
        stores = [one for one in self._open() if platform in (None, one.platform)]
        deadline = self._deadline = self._deadline or Deadline.after(self._seconds)
        self.questions += 1
        expected = frozenset(likely)
        if expected:
            known: dict[str, int] = {}
            for store in stores:
                known.update(store.holders(asked, deadline, among=expected))
            if list(known.values()) == [len(asked)]:
                return Verdict(index=next(iter(known)))
        held: dict[str, int] = {}
        for store in stores:
            held.update(store.holders(asked, deadline))
        unasked = [*self._broken, *(store.recipe for store in stores if store.problem is not None)]
        if unasked:
            return Verdict(
                reason=f"the store of {', '.join(sorted(unasked))} was not asked, and might have the ids",
                final=False,
            )
        return decide(held, len(asked), platform if not stores else None)

    def _open(self) -> list[ProbedStore]:
        if self._stores is None:
            self._stores = []
            for recipe in self._recipes:
                try:
                    self._stores.append(self._load(recipe))
                except RecipeError as error:
                    self._broken[recipe] = str(error)
        return self._stores

    def close(self) -> None:
        for store in self._stores or ():
            # What cannot be closed does not end a run that has its answers.
            with suppress(ConnectorError):
                store.close()


def decide(held: Mapping[str, int], asked: int, missing: str | None = None) -> Verdict:
    """Judge what all stores said: how many of the ids that were ``asked`` for each index holds that has any.

    ``missing`` is the platform of the index if no store of it may be asked.
    """
    whole = [urn for urn, count in held.items() if count == asked]
    if len(held) == 1 and whole:
        return Verdict(index=whole[0])
    if len(held) > 1:
        return Verdict(reason="several indexes have some of the ids")
    if held:
        return Verdict(reason="an index has some of the ids, but not all")
    if missing is not None:
        return Verdict(reason=f"no recipe under `stores` is of the platform {missing}")
    return Verdict(reason="no index of the stores has any of the ids")


def platform_of(store_class: str | None) -> str | None:
    """Return the platform of the URNs of a store's class, or ``None`` if it is not known.

    >>> platform_of("langchain_qdrant.qdrant.QdrantVectorStore"), platform_of("OpenSearchVectorSearch")
    ('qdrant', 'elasticsearch')
    """
    name = (store_class or "").rpartition(".")[2]
    found = {
        entry.cataloged_as or entry.name
        for entry in platforms.PLATFORMS.values()
        if any(one.name == name for one in entry.store_classes)
    }
    return found.pop() if len(found) == 1 else None


def open_store(recipe: str) -> ProbedStore:
    """Open the store of a recipe for reading.

    Raises:
        RecipeError: the recipe cannot be read, or is of no vector store.
    """
    try:
        read = load_config_file(Path(recipe), resolve_env_vars=True, allow_remote=False)
    except Exception as error:
        # The text of DataHub's error may quote the recipe.
        raise RecipeError(
            f"{recipe} cannot be read as a recipe ({type(error).__name__}): check the path, and set its variables"
        ) from error
    part = read.get("source") if isinstance(read, dict) else None
    kind = part.get("type") if isinstance(part, dict) else None
    given = part.get("config") if isinstance(part, dict) else None
    if not isinstance(kind, str) or not isinstance(given, dict):
        raise RecipeError(f"{recipe} has no `source` with `type` and `config`")
    try:
        made = source_registry.get(kind)
    except Exception as error:
        raise RecipeError(f"{recipe}: DataHub cannot load {kind!r}; is its extra installed?") from error
    if not (isinstance(made, type) and issubclass(made, VectorStoreSource)):
        raise RecipeError(f"{recipe} reads {kind}, which is not a vector store of this package")
    return ProbedStore(
        recipe, made, {key: value for key, value in given.items() if key not in _NOT_FOR_READING}
    )
