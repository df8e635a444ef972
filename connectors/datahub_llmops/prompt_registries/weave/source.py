"""`llm-weave`: prompts of a Weave project, what its applications did, and how they were scored.

https://docs.wandb.ai/weave
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field, field_validator
from typing_extensions import override

from datahub_llmops.ingestion.options import GivenSecret
from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsOptions,
    WithApplications,
    WithEvaluations,
)
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.weave.client import WeaveServer, absent
from datahub_llmops.prompt_registries.weave.reader import WeaveReader
from datahub_llmops.prompt_registries.weave.usage import Naming


class WeaveApplications(ApplicationsOptions):
    """Which applications are read, and what Weave is taken to call one."""

    name: Naming = Field(
        default="project",
        description="What an application is, since Weave has no entity for one: the `project`, or the `op` that began "
        "the trace.",
    )


class WeaveConfig(PromptRegistryConfig, WithApplications, WithEvaluations, HttpOptions):
    """Recipe options of `llm-weave`."""

    url: str = Field(
        default="https://trace.wandb.ai",
        description="Root of Weave's trace server, for example `https://acme.wandb.io/traces` or "
        "`${WF_TRACE_SERVER_URL}`.",
    )
    project: str = Field(
        description="The project that the prompts are published in, for example `acme/rag-bot`: its entity (a team or "
        "a person) and its name."
    )
    api_key: GivenSecret = Field(
        description="Key of a user or a service account that may see the project, for example `${WANDB_API_KEY}`."
    )

    applications: WeaveApplications | Literal[False] = Field(
        default_factory=WeaveApplications,
        description="What Weave saw applications do, by day; `false` leaves it out.",
    )

    @field_validator("project")
    @classmethod
    def _whole(cls, value: str) -> str:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", value.strip()):
            raise ValueError("is to be entity/project, for example acme/rag-bot")
        return value.strip()

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        login = f"api:{self.api_key.get_secret_value().strip()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


@platform_name("Weave", id="weave")
@config_class(WeaveConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each version")
@capability(SourceCapability.USAGE_STATS, "Calls, errors, tokens and latency by day, added up from calls")
class WeaveSource(PromptRegistrySource[WeaveConfig]):
    """Reads prompts, usage and scores of Weave."""

    platform: ClassVar[str] = "weave"
    config_type: ClassVar[type[WeaveConfig]] = WeaveConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always("text prompts", "chat prompts", "created", "version link"),
        "labels": "`latest`, and aliases if the server knows them",
        "author": "the opaque id of a user",
        "description": "that of the newest version",
    }

    @classmethod
    @override
    def open(cls, config: WeaveConfig) -> WeaveReader:
        client = HttpClient.of(
            config,
            system="Weave",
            base_url=config.url.strip(),
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
        )
        naming = config.applications.name if config.applications else "project"
        return WeaveReader(WeaveServer(client, config.project), naming=naming)
