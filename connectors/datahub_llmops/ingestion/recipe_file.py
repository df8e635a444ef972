"""Reads options from a recipe's file, for commands that need what the recipe knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import yaml
from pydantic import AfterValidator

from datahub_llmops.errors import RecipeError


def _check_regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Regex: TypeAlias = Annotated[str, AfterValidator(_check_regex)]
"""A recipe option that is a regular expression; the recipe is refused if it does not compile."""


def read_options(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Read the named options of a recipe's source, or of a file that holds only options.

    Raises:
        RecipeError: it cannot be read.
    """
    config, _ = read_config(path)
    return {name: config[name] for name in names if name in config}


def read_config(path: Path) -> tuple[Mapping[str, Any], str | None]:
    """Read all options of a recipe's source, or of a file that holds only options, and the type of the source.

    The type is empty for a recipe that states none, and ``None`` for a file that is not a recipe.

    Raises:
        RecipeError: it cannot be read.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise RecipeError(
            f"{path} cannot be read: {error.strerror}. Check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} cannot be read: this is not text in UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date that is none, such as 2027-13-01, is a ValueError.
        raise RecipeError(f"{path}: this is not YAML, or it has a date that does not exist") from error
    source = found.get("source") if isinstance(found, Mapping) else None
    config = source.get("config") if isinstance(source, Mapping) else found
    kind = str(source.get("type") or "") if isinstance(source, Mapping) else None
    return config if isinstance(config, Mapping) else {}, kind
