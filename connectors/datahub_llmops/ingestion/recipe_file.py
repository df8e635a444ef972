"""Options out of a recipe's file, for commands that need what a recipe knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from datahub_llmops.errors import RecipeError


def options(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Those of the named options that the source of a recipe has, or a file that holds nothing but options.

    Raises:
        RecipeError: it cannot be read.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: this is no YAML") from error
    source = found.get("source") if isinstance(found, Mapping) else None
    config = source.get("config") if isinstance(source, Mapping) else found
    return {name: config[name] for name in names if name in config} if isinstance(config, Mapping) else {}
