"""Loads the lists of model lifecycles that options name: the user's own first, then a newer one, else the packaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
import yaml
from datahub.configuration.common import ConfigModel
from pydantic import Field

from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import (
    MAX_BYTES,
    LifecycleList,
    packaged,
    read_litellm,
    read_own,
)

_TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and between two parts of the answer."""


class LifecycleOptions(ConfigModel):
    """Options that say when models retire."""

    lifecycles: str | None = Field(
        default=None,
        description="A newer list in the form of LiteLLM's `model_prices_and_context_window.json`, by path or https "
        "address. Default: the list of this release.",
    )
    own_lifecycles: Path | None = Field(
        default=None,
        description="A YAML file whose dates take precedence over the list, for example `./models.yaml` with `models: "
        "{openai/text-embedding-3-small: {retires: 2027-01-14, replacement: text-embedding-4}}`.",
    )


def load_lifecycles(options: LifecycleOptions) -> Lifecycles:
    """Load the lists. One that cannot be read is left out and named in ``problems``; the packaged one replaces it.

    Raises:
        RecipeError: the user's own list cannot be read: its dates were meant to win.
    """
    lists: list[LifecycleList] = []
    problems: list[str] = []
    if options.own_lifecycles is not None:
        lists.append(read_own(_read_yaml(options.own_lifecycles), source=options.own_lifecycles.name))
    newer = None
    if options.lifecycles is not None:
        try:
            newer = read_litellm(_read_json(options.lifecycles), source=options.lifecycles)
        except RecipeError as error:
            problems.append(f"{error}; the list of this release was used instead")
    lists.append(newer or packaged())
    return Lifecycles(lists, problems=problems)


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(_text_of(path))
    except (yaml.YAMLError, ValueError, RecursionError):
        # A date that is none, such as 2027-13-01, is a ValueError.
        raise RecipeError(f"{path}: this is not YAML, or it has a date that does not exist") from None


def _read_json(place: str) -> Any:
    content = _download(place) if place.startswith("https://") else _text_of(Path(place))
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise RecipeError(f"{place}: this is not JSON") from None


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from error
    return _checked(str(path), content)


def _download(place: str) -> str:
    try:
        with requests.get(place, timeout=_TIMEOUT, stream=True) as answer:
            answer.raise_for_status()
            content = b""
            for part in answer.iter_content(65_536):
                content += part
                if len(content) > MAX_BYTES:
                    break
    except requests.RequestException as error:
        raise RecipeError(f"{place} cannot be read: {type(error).__name__}") from error
    return _checked(place, content)


def _checked(place: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{place}: a list of more than {MAX_BYTES // 1_000_000} MB is not read")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise RecipeError(f"{place}: this is not UTF-8") from None
