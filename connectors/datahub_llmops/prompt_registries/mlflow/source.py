"""`llm-mlflow`: prompts of an MLflow server, what its applications did, and how they were scored.

https://mlflow.org/docs/latest/genai/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from datahub.configuration.common import TransparentSecretStr
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import (
    ApplicationsOptions,
    WithApplications,
    WithEvaluations,
)
from datahub_llmops.net.connections import parse_url
from datahub_llmops.net.http import HttpClient, HttpOptions
from datahub_llmops.prompt_registries.mlflow.listing import absent
from datahub_llmops.prompt_registries.mlflow.reader import MlflowReader
from datahub_llmops.prompt_registries.mlflow.traffic import NamedBy


class MlflowApplications(ApplicationsOptions):
    """Which applications are read, and what counts as one in MLflow."""

    name: NamedBy = Field(
        default="logged_model",
        description="What an application is: the LoggedModel that `mlflow.set_active_model` names, or the "
        "`experiment`, or the `trace_name`, for example `experiment`. Traces without a LoggedModel belong to no "
        "application by default.",
    )


class MlflowConfig(PromptRegistryConfig, WithApplications, WithEvaluations, HttpOptions):
    """Recipe options of `llm-mlflow`."""

    url: str = Field(
        description="Root of the tracking server, for example `http://localhost:5000` or `${MLFLOW_TRACKING_URI}`."
    )
    username: str | None = Field(
        default=None,
        description="User, if the server has users, for example `${MLFLOW_TRACKING_USERNAME}`. Read access is enough.",
    )
    password: TransparentSecretStr | None = Field(
        default=None, description="Password of the user, for example `${MLFLOW_TRACKING_PASSWORD}`."
    )
    token: TransparentSecretStr | None = Field(
        default=None,
        description="Bearer token, instead of user and password, for example `${MLFLOW_TRACKING_TOKEN}`.",
    )
    applications: MlflowApplications | Literal[False] = Field(
        default_factory=MlflowApplications,
        description="What MLflow saw applications do, by day; `false` leaves it out.",
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: set both or neither")
        if self.username is not None and self.token is not None:
            raise ValueError("set either username and password, or token")
        return self

    def headers(self) -> dict[str, str]:
        """Headers that authenticate a request."""
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.get_secret_value().strip()}"}
        if self.username is None or self.password is None:
            return {}
        login = f"{self.username.strip()}:{self.password.get_secret_value().strip()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


@platform_name("MLflow", id="mlflow")
@config_class(MlflowConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each version")
@capability(SourceCapability.USAGE_STATS, "Calls, tokens and cost by day, as MLflow adds them up")
class MlflowSource(PromptRegistrySource[MlflowConfig]):
    """Reads prompts, usage and scores of MLflow 3."""

    platform: ClassVar[str] = "mlflow"
    config_type: ClassVar[type[MlflowConfig]] = MlflowConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always(
            "text prompts",
            "chat prompts",
            "labels",
            "created",
            "commit message",
            "version link",
            "prompt link",
        ),
        "author": "the tag `author` of a version; MLflow keeps none itself",
        "model": "`model_config` of the version",
        "parameters": "`model_config` of the version",
        "description": "the first commit message, unless somebody wrote one",
        "tags": "`key:value`",
    }

    @classmethod
    @override
    def open(cls, config: MlflowConfig) -> MlflowReader:
        client = HttpClient.of(
            config,
            system="MLflow",
            base_url=config.url,
            headers=config.headers(),
            absent=absent,
            pool_size=config.max_workers,
            ports="MLflow serves its API and its pages at port 5000 by default.",
        )
        # What is linked must not carry the login that the address may have.
        origin, prefix, _ = parse_url("MLflow", config.url)
        applications = config.applications or MlflowApplications()
        return MlflowReader(
            client,
            url=f"{origin}{prefix}",
            named_by=applications.name,
            is_wanted=applications.pattern.allowed,
        )
