"""Tries recipes before they are written, by their text and the variables of this environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final

import yaml
from datahub.ingestion.source.source_registry import source_registry

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.errors import RecipeError
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from datahub_llmops.net.attempts import within
from datahub_llmops.setup.connection import (
    Connection,
    check_connections,
    fill_in,
    is_testable,
    unset_variables,
)
from datahub_llmops.setup.variables import Variables

_SECONDS: Final = 5.0
_DEADLINE: Final = 60.0
"""Seconds for one test: more than connectors take for a server that does not answer, whose message says more."""


def try_texts(texts: Sequence[str], environment: Mapping[str, str], variables: Variables) -> list[Connection]:
    """Test the connections of recipes at the same time.

    A recipe whose variables are not in the environment is *not known*: values of ``.env`` files are not read.
    """
    recipes = [yaml.safe_load(text) for text in texts]
    filled = [_filled(recipe, environment, variables) for recipe in recipes]
    reachable = [one for one in filled if not isinstance(one, Connection)]
    for recipe in reachable:
        # The import of a source takes seconds, which are not the system's.
        with suppress(Exception):
            is_testable(recipe["source"]["type"])
    found = iter(check_connections(reachable, deadline=_DEADLINE))
    return [one if isinstance(one, Connection) else next(found) for one in filled]


def _filled(
    recipe: Mapping[str, Any], environment: Mapping[str, str], variables: Variables
) -> dict[str, Any] | Connection:
    # The sink is not tested, so its variables may be missing.
    source = {"source": recipe["source"]}
    unset = unset_variables(source, environment)
    if not unset:
        try:
            return fill_in(source, environment)
        except RecipeError as error:
            return Connection(verdict="not known", message=str(error))
    files = sorted({variables.files[name] for name in unset if name in variables.files})
    load = "".join(f" Load them with `set -a; . ./{file}; set +a`." for file in files)
    return Connection(
        verdict="not known", message=f"Not tested: set {', '.join(unset)} in the environment first.{load}"
    )


def name_of_one(text: str, environment: Mapping[str, str]) -> str | None:
    """Return the name of an index that a recipe reads, without its database, to show in an example."""
    try:
        return within(_SECONDS, lambda: _first_name(fill_in(yaml.safe_load(text), environment)["source"]))
    except Exception:  # noqa: BLE001 - an example is not worth an error
        return None


def _first_name(source: Mapping[str, Any]) -> str | None:
    found = source_registry.get(source["type"])
    if not issubclass(found, VectorStoreSource):
        return None
    with closing(found.open(found.config_type.model_validate(source["config"]))) as reader:
        names = (name for name in reader.names() if not isinstance(name, FailedListing))
        return next((name[-1] for name in names), None)
