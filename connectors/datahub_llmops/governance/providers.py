"""One word for each provider of models, whoever spells it: LangChain, OpenTelemetry, LiteLLM, recipes.

Spellings: LangChain's ``ls_provider``; https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/;
https://docs.litellm.ai/docs/providers.
"""

from __future__ import annotations

from typing import Final

_SPELLINGS: Final = {
    "anthropic": ("anthropic",),
    "azure": ("azure", "azure-openai", "azure.ai.openai", "azure-ai-openai", "azureopenai", "azure-text"),
    "azure-ai": ("azure-ai", "azure.ai.inference", "azure-ai-inference"),
    "bedrock": (
        "bedrock",
        "amazon-bedrock",
        "aws.bedrock",
        "aws-bedrock",
        "bedrock-converse",
        "bedrock-mantle",
    ),
    "cohere": ("cohere", "cohere-chat"),
    "databricks": ("databricks",),
    "deepseek": ("deepseek",),
    "fireworks": ("fireworks", "fireworks-ai", "fireworks-ai-embedding-models"),
    "gemini": ("gemini", "gcp.gemini", "google-genai", "google", "google-generativeai", "googlegenai"),
    "groq": ("groq",),
    "mistral": ("mistral", "mistral-ai", "mistralai"),
    "openai": ("openai", "text-completion-openai"),
    "together": ("together", "together-ai", "togetherai"),
    "vertexai": ("vertexai", "vertex-ai", "google-vertexai", "gcp.vertex-ai", "gcp.vertex.ai"),
    "voyage": ("voyage", "voyageai", "voyage-ai"),
    "xai": ("xai", "x-ai"),
}
_PROVIDERS: Final = {spelling: word for word, spellings in _SPELLINGS.items() for spelling in spellings}


def provider_word(spelling: str) -> str:
    """Return the one word for a provider. An unknown one is its own, in lower case.

    >>> provider_word("aws.bedrock"), provider_word("google_vertexai"), provider_word("vertex_ai-embedding-models")
    ('bedrock', 'vertexai', 'vertexai')
    >>> provider_word("Acme")
    'acme'
    """
    word = spelling.casefold().replace("_", "-")
    if word.startswith("vertex-ai-"):
        return "vertexai"
    return _PROVIDERS.get(word, word)
