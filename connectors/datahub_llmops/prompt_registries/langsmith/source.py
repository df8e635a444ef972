"""`llm-langsmith`: prompts of a LangSmith workspace, what its applications did, and how they were scored.

https://docs.langchain.com/langsmith
"""

from __future__ import annotations

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
from pydantic import Field
from typing_extensions import override

from datahub_llmops.ingestion.options import GivenSecret
from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import WithApplications, WithEvaluations
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.langsmith.client import LangSmithServer, absent
from datahub_llmops.prompt_registries.langsmith.reader import LangSmithReader


class LangSmithConfig(PromptRegistryConfig, WithApplications, WithEvaluations, HttpOptions):
    """Recipe options of `llm-langsmith`."""

    url: str = Field(
        default="https://api.smith.langchain.com",
        description="Root of LangSmith's API, for example `https://eu.api.smith.langchain.com` or "
        "`${LANGSMITH_ENDPOINT}`. A path `/api` or `/api/v1` at its end is optional.",
    )
    api_key: GivenSecret = Field(
        description="Key of a workspace, for example `${LANGSMITH_API_KEY}`. It needs to read prompts, projects and "
        "runs."
    )
    workspace_id: str | None = Field(
        default=None,
        description="Id of the workspace, for a key that may see several, for example `${LANGSMITH_WORKSPACE_ID}`.",
    )

    @property
    def root(self) -> str:
        """The address below which both generations of the API are."""
        return self.url.strip().rstrip("/").removesuffix("/v1").removesuffix("/api")

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        workspace = {"X-Tenant-Id": self.workspace_id.strip()} if self.workspace_id else {}
        return {"x-api-key": self.api_key.get_secret_value().strip(), **workspace}


@platform_name("LangSmith", id="langsmith")
@config_class(LangSmithConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each version")
@capability(SourceCapability.USAGE_STATS, "Calls, tokens and cost by day, as LangSmith adds them up")
class LangSmithSource(PromptRegistrySource[LangSmithConfig]):
    """Reads prompts, usage and scores of LangSmith."""

    platform: ClassVar[str] = "langsmith"
    config_type: ClassVar[type[LangSmithConfig]] = LangSmithConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always("text prompts", "chat prompts", "stated variables", "labels", "author", "created"),
        **always("commit message", "version link", "prompt link", "description", "tags"),
        "model": "if the prompt was saved with its model",
        "parameters": "the usual settings of the model that it was saved with",
        "composition": "the version that a fork began as, in the same workspace",
    }

    @classmethod
    @override
    def open(cls, config: LangSmithConfig) -> LangSmithReader:
        client = HttpClient.of(
            config,
            system="LangSmith",
            base_url=config.root,
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
        )
        return LangSmithReader(LangSmithServer(client), workers=config.max_workers)
