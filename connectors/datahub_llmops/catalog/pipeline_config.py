"""Validates the options of a part of a DataHub pipeline: its source, its sink or its state provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datahub.ingestion.run.pipeline import PipelineInitError

from datahub_llmops.catalog.valid_config import ConfigT, valid_config
from datahub_llmops.errors import RecipeError


def pipeline_config(config_type: type[ConfigT], given: Mapping[str, Any], *, of: str = "") -> ConfigT:
    """Return the options as a config. ``of`` names the part of the recipe in the message.

    Raises:
        PipelineInitError: options are misspelt, missing or wrong. DataHub prints the message without a traceback.
    """
    try:
        return valid_config(config_type, given, of=of)
    except RecipeError as error:
        # DataHub leaves the traceback out where the cause is pydantic's error.
        raise PipelineInitError(f"The recipe is not valid: {error}") from error.__cause__
