"""`llm-phoenix`: prompts of a Phoenix server, what its applications did, and how they were scored.

https://arize.com/docs/phoenix
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from datahub.configuration.common import TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field
from typing_extensions import override

from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsOptions,
    WithApplications,
    WithEvaluations,
)
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.phoenix.client import PhoenixServer, absent
from datahub_llmops.prompt_registries.phoenix.reader import PhoenixReader


class PhoenixApplications(ApplicationsOptions):
    """Which applications are read, and what Phoenix is taken to call one."""

    name: str = Field(
        default="project",
        pattern=r"^(project|metadata\..+)$",
        description="What an application is, since Phoenix has no entity for one: a `project`, or `metadata.` with the "
        "key that holds its name. For example `metadata.application`.",
    )


class PhoenixConfig(PromptRegistryConfig, WithApplications, WithEvaluations, HttpOptions):
    """Recipe options of `llm-phoenix`."""

    url: str = Field(
        description="Root of Phoenix, for example `http://localhost:6006` or `${PHOENIX_COLLECTOR_ENDPOINT}`."
    )
    api_key: TransparentSecretStr | None = Field(
        default=None,
        description="A key of a user, for example `${PHOENIX_API_KEY}`. The role viewer is enough. Leave it out if the "
        "server asks for no login.",
    )
    applications: PhoenixApplications | Literal[False] = Field(
        default_factory=PhoenixApplications,
        description="What Phoenix saw applications do, by day; `false` leaves it out.",
    )

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        key = self.api_key.get_secret_value().strip() if self.api_key else ""
        return {"Authorization": f"Bearer {key}"} if key else {}


@platform_name("Phoenix", id="phoenix")
@config_class(PhoenixConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each version")
@capability(SourceCapability.USAGE_STATS, "Calls, tokens and cost by day, as Phoenix adds them up")
class PhoenixSource(PromptRegistrySource[PhoenixConfig]):
    """Reads prompts, usage and scores of Phoenix."""

    platform: ClassVar[str] = "phoenix"
    config_type: ClassVar[type[PhoenixConfig]] = PhoenixConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always("chat prompts", "labels", "created", "commit message", "model", "parameters"),
        **always("version link", "prompt link", "description"),
        "author": "if the server asks for a login",
        "tags": "labels and metadata of the prompt",
    }

    @classmethod
    @override
    def open(cls, config: PhoenixConfig) -> PhoenixReader:
        client = HttpClient.of(
            config,
            system="Phoenix",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
            ports="Phoenix serves its API and its pages at port 6006 by default.",
        )
        applications = config.applications or PhoenixApplications()
        return PhoenixReader(
            PhoenixServer(client), named_by=applications.name, is_wanted=applications.pattern.allowed
        )
