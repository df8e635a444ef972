"""An answer of an application traced back, wherever it was recorded: the answer of ``explain``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from datahub_llmops.answer_store.database import reading
from datahub_llmops.answer_store.location import default_store
from datahub_llmops.answers.explain import Explanation, explain, find, find_by_text
from datahub_llmops.answers.resolver import MapConfig
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.errors import QuestionError


def prepare_explanation(
    answer: str | None,
    *,
    text: str | None = None,
    store: Path | None = None,
    recipe: Path | None = None,
    env: str | None = None,
    at: datetime | None = None,
) -> Callable[[FullCatalog | None], Explanation]:
    """Read what to explain, and return a function that explains it from a catalog.

    Without a catalog, the answer store alone explains half. The function raises ``StoreError`` and ``ConnectorError``
    if the answer cannot be read or there is none, and ``CatalogError`` if the catalog cannot answer.

    Args:
        answer: the id or the first characters of one; with a recipe of ``llm-spans``, the id of a trace or the whole
            id of an answer.
        text: the whole text of the answer, instead of its id.
        store: the answer store; by default that of this user.
        recipe: that of ``llm-runs``, which decides which index is meant, or of ``llm-spans``, which is read instead
            of the store.
        env: the environment of assets whose URN has none; by default that of the recipe, else PROD.
        at: with a recipe of ``llm-spans``, a time at which the trace ran. Without a time zone it is UTC.

    Raises:
        QuestionError: neither ``answer`` nor ``text`` is given, or the arguments do not go together.
        RecipeError: the recipe cannot be read, or is not valid.
    """
    if (answer is None) == (text is None):
        raise QuestionError("give either the id of an answer or its text (--text)")
    if recipe is not None and _is_of_spans(recipe):
        if store is not None:
            raise QuestionError(
                "a recipe of llm-spans (--recipe) is read instead of an answer store (--store): give one"
            )
        if answer is None:
            raise QuestionError("with a recipe of llm-spans, give the id of a trace or of an answer")
        return _of_spans(answer, recipe, env, at)
    if at is not None:
        raise QuestionError("a time (--at) goes with a recipe of llm-spans (--recipe)")
    config = MapConfig.read(recipe, env)

    def explain_recorded(catalog: FullCatalog | None) -> Explanation:
        with reading(store or default_store()) as opened:
            found, gaps = (find(opened, answer or ""), ()) if text is None else find_by_text(opened, text)
            return explain(opened, found, catalog, config, known_gaps=gaps)

    return explain_recorded


def _is_of_spans(recipe: Path) -> bool:
    """Whether a recipe is one of llm-spans. What cannot be read is not: whoever reads it then says why."""
    try:
        if "llm-spans" not in recipe.read_text("utf-8"):
            return False
    except (OSError, UnicodeDecodeError):
        return False
    # Only a recipe of spans needs DataHub, whose import takes seconds.
    from datahub_llmops.spans.one_answer import is_recipe_of_spans

    return is_recipe_of_spans(recipe)


def _of_spans(
    identity: str, recipe: Path, env: str | None, at: datetime | None
) -> Callable[[FullCatalog | None], Explanation]:
    from datahub_llmops.spans.one_answer import read_answer, read_config

    config = read_config(recipe)
    if env is not None:
        config = config.model_copy(update={"env": env})
    instant = at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at

    def explain_traced(catalog: FullCatalog | None) -> Explanation:
        seen = read_answer(config, identity, instant, catalog)
        return explain(None, seen.answer, catalog, config, known_gaps=seen.gaps)

    return explain_traced
