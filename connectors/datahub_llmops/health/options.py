"""Options of the checks, for the recipe of ``llm-health`` and for the command's ``--policy``."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from datahub.configuration.common import ConfigModel
from pydantic import Field, field_validator

from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.policy import Forbidden, Policy
from datahub_llmops.governance.policy_names import short
from datahub_llmops.health.lifecycles import LifecycleOptions, load_lifecycles
from datahub_llmops.ingestion.recipe_file import read_config

_SOURCES: Final = ("llm-health", "llm-lifecycle")
"""Sources whose recipes hold options of a policy. Those of another one would forbid nothing."""
_CENTURY_DAYS: Final = 36_525
_CENTURY_HOURS: Final = 24 * _CENTURY_DAYS
"""Longer than anything waits. Python's dates end a few thousand years from now, and an addition beyond them fails."""


class ForbiddenConfig(ConfigModel):
    """One rule of `forbidden_terms`."""

    term: str = Field(
        description="Glossary term that must not reach the index, by URN or by the part of it after "
        "`urn:li:glossaryTerm:`, for example `Privacy.PersonalData`."
    )
    domain: str | None = Field(
        default=None, description="Domain of the indexes that the rule applies to, for example `marketing`."
    )
    region: str | None = Field(
        default=None, description="Region of the indexes that the rule applies to, for example `us-east-1`."
    )
    purpose: str | None = Field(
        default=None,
        description="Purpose of the indexes that the rule applies to, for example `public-chat`.",
    )


class PolicyConfig(LifecycleOptions):
    """Options that say what is ok."""

    grace_hours: float | None = Field(
        default=None,
        ge=0,
        le=_CENTURY_HOURS,
        description="Hours that a changed source may wait for the next embedding run, for example `6`. Default: the "
        "longest wait of the job's schedule, else 24.",
    )
    retires_within_days: int = Field(
        default=90,
        ge=0,
        le=_CENTURY_DAYS,
        description="How many days before its end a model is not ok any more, for example `90`.",
    )
    exclusive_nodes: list[str] = Field(
        default_factory=list,
        description="Glossary nodes whose terms must not meet in one index, for example `[Classification]`.",
    )
    exclusive_terms: list[list[str]] = Field(
        default_factory=list,
        description="Sets of terms that must not meet in one index, for example `[[Privacy.PersonalData, "
        "Publication.Public]]`.",
    )
    forbidden_terms: list[ForbiddenConfig] = Field(
        default_factory=list,
        description="Terms that an index must not carry, for example "
        "`[{term: Privacy.PersonalData, domain: marketing}]`.",
    )
    change_columns: dict[str, str] = Field(
        default_factory=dict,
        description="URN of a source -> its column with the time of each row's last change, for example "
        "`{'urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.reviews,PROD)': updated_at}`.",
    )

    @field_validator("grace_hours", "retires_within_days", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("write a number")
        return value

    @field_validator("exclusive_terms")
    @classmethod
    def _two_can_meet(cls, groups: list[list[str]]) -> list[list[str]]:
        if any(len({short(term) for term in group}) < 2 for group in groups):
            raise ValueError("write two terms or more in each set, such as [[Privacy.Personal, Public.Web]]")
        return groups

    def policy(self) -> Policy:
        """Return what the options say. Lists that cannot be read are named in ``Policy.lifecycles.problems``."""
        return Policy(
            grace=timedelta(hours=self.grace_hours) if self.grace_hours is not None else None,
            exclusive_nodes=frozenset(self.exclusive_nodes),
            exclusive_terms=tuple(frozenset(group) for group in self.exclusive_terms),
            forbidden=tuple(Forbidden(**rule.model_dump()) for rule in self.forbidden_terms),
            retires_within=timedelta(days=self.retires_within_days),
            change_columns=dict(self.change_columns),
            lifecycles=load_lifecycles(self),
        )


def read_policy(path: Path) -> Policy:
    """Read the policy from a recipe of ``llm-health``, or from a file that holds only its options.

    An option that is misspelt is refused: what it was meant to forbid would pass.

    Raises:
        RecipeError: it cannot be read, is of another source, holds nothing, or has an option that there is not.
    """
    config, kind = read_config(path)
    is_recipe = kind is not None
    if kind and kind not in _SOURCES:
        raise RecipeError(
            f"{path}: this is a recipe of {kind}; name one of llm-health, or a file with its options"
        )
    if not config and not is_recipe:
        raise RecipeError(f"{path}: it has no options; write for example grace_hours: 6")
    names = PolicyConfig.model_fields
    for key in config.keys() - names.keys():
        near = get_close_matches(str(key), names, n=1, cutoff=0.8)
        if near or not is_recipe:
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}"
            raise RecipeError(f"{path}: there is no option {key}; {hint}")
    found = {name: config[name] for name in names if name in config}
    return valid_config(PolicyConfig, found, of=str(path)).policy()
