from __future__ import annotations

from typing import Any

import pytest
from datahub.configuration.common import ConfigModel
from pydantic import ValidationError

from datahub_llmops.prompt_registries.langfuse.source import LangfuseConfig
from datahub_llmops.prompt_registries.langsmith.source import LangSmithConfig
from datahub_llmops.prompt_registries.mlflow.source import MlflowConfig
from datahub_llmops.prompt_registries.phoenix.source import PhoenixConfig
from datahub_llmops.prompt_registries.weave.source import WeaveConfig

LANGFUSE = {"url": "http://host", "public_key": "pk", "secret_key": "sk"}
LANGSMITH = {"api_key": "key"}


@pytest.mark.parametrize(
    ("config", "options", "key"),
    [
        (LangfuseConfig, LANGFUSE, "public_key"),
        (LangfuseConfig, LANGFUSE, "secret_key"),
        (LangSmithConfig, LANGSMITH, "api_key"),
        (WeaveConfig, {"api_key": "key", "project": "acme/bot"}, "api_key"),
    ],
)
def test_a_key_of_an_unset_variable_is_refused(
    config: type[ConfigModel], options: dict[str, Any], key: str
) -> None:
    config.model_validate(options)
    with pytest.raises(ValidationError, match="is empty: set the variable that it names"):
        config.model_validate({**options, key: "  "})


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (LangSmithConfig, LANGSMITH),
        (MlflowConfig, {"url": "http://host"}),
        (PhoenixConfig, {"url": "http://host"}),
    ],
)
def test_a_tool_that_tells_no_documents_has_no_option_for_them(
    config: type[ConfigModel], options: dict[str, Any]
) -> None:
    applications: dict[str, Any] = {"first_days": 7}
    config.model_validate({**options, "applications": applications})
    applications["provenance"] = {"fields": ["source"]}
    with pytest.raises(ValidationError, match=r"(?s)provenance.*Extra inputs are not permitted"):
        config.model_validate({**options, "applications": applications})
    LangfuseConfig.model_validate({**LANGFUSE, "applications": applications})
