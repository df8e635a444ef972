"""Options that several sources share."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from datahub.configuration.common import AllowDenyPattern, ConfigModel, TransparentSecretStr
from pydantic import AfterValidator, BaseModel, Field

from datahub_llmops.aspects.admission import Mode


def _check_given(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: set the variable that it names, or the key itself")
    return text


def _check_secret_given(secret: TransparentSecretStr) -> TransparentSecretStr:
    _check_given(secret.get_secret_value())
    return secret


GivenText: TypeAlias = Annotated[str, AfterValidator(_check_given)]
"""Text that is not blank, as a variable is that nobody set."""

GivenSecret: TypeAlias = Annotated[TransparentSecretStr, AfterValidator(_check_secret_given)]
"""A secret that is not blank."""


class CatalogOptions(ConfigModel):
    """Which catalog a recipe reads, and which of our aspects it writes."""

    catalog: str | None = Field(
        default=None,
        description="Catalog to look up schemas, indexes and models in: a local file such as `./catalog.db`, or a "
        "server's URL. Default: the server of the recipe's sink, else the file of its `llm-local` sink.",
    )
    custom_aspects: Mode = Field(
        default="auto",
        description="Whether typed aspects are written, which a server accepts only with the model plugin. `auto`: "
        "into a local catalog, and to a server as far as it has loaded the plugin; not into a file.",
    )


def check_patterns(config: BaseModel) -> None:
    """Compile the patterns of a config, which DataHub does at their first use, in the middle of a run.

    Raises:
        ValueError: an ``allow`` or ``deny`` of one of the config's own fields is not a regular expression.
    """
    for option in type(config).model_fields:
        value = getattr(config, option)
        for pattern in value.values() if isinstance(value, dict) else [value]:
            if isinstance(pattern, AllowDenyPattern):
                for text in (*pattern.allow, *pattern.deny):
                    try:
                        re.compile(text)
                    except re.error as error:
                        raise ValueError(
                            f"{option}: {text!r} is not a regular expression: {error}"
                        ) from error
