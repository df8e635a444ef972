"""Optional middleware that names an agent's system prompt, which LangChain passes to no callback.

``create_agent(..., middleware=[lineage.prompt_middleware("support-system", version="3")])``
(https://docs.langchain.com/oss/python/langchain/middleware).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from datahub_llmops.hooks import runtime


def prompt_middleware(name: str, *, version: str | int | None = None, registry: str = "custom") -> Any:
    """Build an ``AgentMiddleware`` that names the prompt version of the agent's system message.

    ``registry`` is its platform, such as ``langfuse`` or ``mlflow``. Raises ``ImportError`` without ``langchain`` 1.
    """
    from langchain.agents.middleware import AgentMiddleware

    identity: dict[str, Any] = {"registry": registry, "name": name}
    if version is not None:
        identity["version"] = str(version)

    class PromptName(AgentMiddleware[Any, Any]):
        """Sets the identity for the model call inside it."""

        @override
        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            before = runtime.named_prompt.get()
            runtime.named_prompt.set(identity)
            try:
                return handler(request)
            finally:
                runtime.named_prompt.set(before)

        @override
        async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            before = runtime.named_prompt.get()
            runtime.named_prompt.set(identity)
            try:
                return await handler(request)
            finally:
                runtime.named_prompt.set(before)

    return PromptName()
