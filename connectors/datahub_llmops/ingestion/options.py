"""Options that several sources share."""

from __future__ import annotations

import re

from datahub.configuration.common import AllowDenyPattern, ConfigModel
from pydantic import BaseModel, Field

from datahub_llmops.aspects.admission import Mode


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
        ValueError: an ``allow`` or ``deny`` of one of the config's own fields is no regular expression.
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
