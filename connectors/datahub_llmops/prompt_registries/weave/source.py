"""`llm-weave`: prompts of a Weave project.

https://docs.wandb.ai/weave
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import ClassVar

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
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.weave.client import WeaveServer, absent
from datahub_llmops.prompt_registries.weave.reader import WeaveReader


class WeaveConfig(PromptRegistryConfig, HttpOptions):
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
class WeaveSource(PromptRegistrySource[WeaveConfig]):
    """Reads prompts of Weave. Usage and scores are left out: Weave tells them only beside the texts of calls."""

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
        return WeaveReader(WeaveServer(client, config.project))
