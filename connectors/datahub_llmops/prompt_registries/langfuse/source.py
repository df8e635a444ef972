"""`llm-langfuse`: prompts of a Langfuse project, what its applications did, and how they were scored.

https://langfuse.com/docs
"""

from __future__ import annotations

import base64
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
from pydantic import Field
from typing_extensions import override

from datahub_llmops.ingestion.options import GivenSecret, GivenText
from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsWithSources,
    WithApplications,
    WithEvaluations,
)
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.langfuse.client import LangfuseServer, absent
from datahub_llmops.prompt_registries.langfuse.reader import LangfuseReader
from datahub_llmops.prompt_registries.langfuse.usage import ApplicationName


class LangfuseApplications(ApplicationsWithSources):
    """Which applications are read, and what Langfuse is taken to call one."""

    name: ApplicationName = Field(
        default="trace_name",
        description="What an application is, since Langfuse has no entity for one: the name of its traces, their "
        "`environment`, `release` or each `tag`, or the whole `project`. For example `tag`.",
    )
    sample_rows: int = Field(
        default=0,
        ge=0,
        description="Maximum number of searches (observations of the type `RETRIEVER`) whose metadata is read for the "
        "keys in `provenance.fields`, newest first, for example `1000`. They come one by one; `0` reads none.",
    )


class LangfuseConfig(PromptRegistryConfig, WithApplications, WithEvaluations, HttpOptions):
    """Recipe options of `llm-langfuse`."""

    url: str = Field(
        description="Root of Langfuse, for example `https://cloud.langfuse.com`, `https://us.cloud.langfuse.com` or "
        "`${LANGFUSE_HOST}`."
    )
    public_key: GivenText = Field(
        description="Public key of the project, for example `${LANGFUSE_PUBLIC_KEY}`. A key of an organization does "
        "not read prompts."
    )
    secret_key: GivenSecret = Field(
        description="Secret key of the project, for example `${LANGFUSE_SECRET_KEY}`."
    )
    applications: LangfuseApplications | Literal[False] = Field(
        default_factory=LangfuseApplications,
        description="What Langfuse saw applications do, by day; `false` leaves it out.",
    )

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        login = f"{self.public_key.strip()}:{self.secret_key.get_secret_value().strip()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


@platform_name("Langfuse", id="langfuse")
@config_class(LangfuseConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each version")
@capability(SourceCapability.USAGE_STATS, "Calls, tokens and cost by day, as Langfuse adds them up")
class LangfuseSource(PromptRegistrySource[LangfuseConfig]):
    """Reads prompts, usage and scores of Langfuse."""

    platform: ClassVar[str] = "langfuse"
    config_type: ClassVar[type[LangfuseConfig]] = LangfuseConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always("text prompts", "chat prompts", "labels", "created", "commit message", "tags"),
        **always("version link", "prompt link"),
        "author": "`API`, or the opaque id of a person",
        "model": "`model` of the configuration",
        "parameters": "the usual settings of models in the configuration",
        "composition": "prompts that others include, by version or by label",
    }

    @classmethod
    @override
    def open(cls, config: LangfuseConfig) -> LangfuseReader:
        client = HttpClient.of(
            config,
            system="Langfuse",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
            ports="Langfuse serves its API and its pages at port 3000 by default.",
        )
        applications = config.applications or LangfuseApplications()
        return LangfuseReader(
            LangfuseServer(client),
            workers=config.max_workers,
            application=applications.name,
            document_keys=applications.provenance.fields,
            sample_rows=applications.sample_rows,
        )
