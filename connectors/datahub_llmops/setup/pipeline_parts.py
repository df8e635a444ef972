"""Examines what a recipe has beside its source: its sink, and where stale removal keeps its state.

The test of a connection does not look at them, and a run does not begin if one of them is wrong.
https://docs.datahub.com/docs/metadata-ingestion/docs/dev_guides/stateful
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from datahub.configuration.common import ConfigurationError
from datahub.ingestion.sink.sink_registry import sink_registry

from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError
from datahub_llmops.net.shown import clean

SERVER_SINK: Final = "datahub-rest"
_SERVER_STATE: Final = "datahub"


def find_faults(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a recipe whose variables are filled in, each with what to do."""
    sink = recipe.get("sink")
    if isinstance(sink, Mapping):
        yield from _sink_faults(str(sink.get("type") or ""), sink.get("config") or {})
    config = recipe["source"].get("config")
    state = config.get("stateful_ingestion") if isinstance(config, Mapping) else None
    if isinstance(state, Mapping) and state.get("enabled"):
        yield from _state_faults(recipe, state.get("state_provider") or {})


def _sink_faults(kind: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        valid_config(sink_registry.get(kind).get_config_class(), config)
    except KeyError:
        yield f"There is no sink '{clean(kind)}'.", "`datahub check plugins` lists those that are installed."
    except RecipeError as error:
        yield f"The sink {clean(kind)} is not valid: {clean(str(error))}", "Correct the recipe."
    except ConfigurationError as error:
        yield f"The sink cannot be loaded: {clean(str(error))}", "Install what it needs, or use another sink."


def _state_faults(recipe: Mapping[str, Any], provider: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not recipe.get("pipeline_name"):
        yield "Stale removal is on, and needs a `pipeline_name`.", "Give the recipe a name of its own."
    sink = recipe.get("sink")
    to_server = not sink or sink.get("type") == SERVER_SINK or recipe.get("datahub_api")
    if provider.get("type", _SERVER_STATE) == _SERVER_STATE and not provider.get("config") and not to_server:
        yield (
            "Stale removal is on, and would keep its state on a server, which the recipe does not name.",
            "Add to `stateful_ingestion`: state_provider: {type: llm-local}",
        )
