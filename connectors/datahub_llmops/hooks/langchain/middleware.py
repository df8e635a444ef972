"""Optional: the name of an agent's system prompt, which LangChain passes to no callback.

``create_agent(..., middleware=[lineage.prompt_middleware("support-system", version="3")])``
(https://docs.langchain.com/oss/python/langchain/middleware).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from datahub_llmops.hooks import parts


def prompt_middleware(name: str, *, version: str | int | None = None, registry: str = "custom") -> Any:
    """An ``AgentMiddleware`` that says which prompt version the agent's system message is.

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
            before = parts.prompt_named.get()
            parts.prompt_named.set(identity)
            try:
                return handler(request)
            finally:
                parts.prompt_named.set(before)

        @override
        async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            before = parts.prompt_named.get()
            parts.prompt_named.set(identity)
            try:
                return await handler(request)
            finally:
                parts.prompt_named.set(before)

    return PromptName()
