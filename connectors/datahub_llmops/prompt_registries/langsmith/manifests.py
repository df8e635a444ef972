"""Reads the manifest of a commit: a LangChain prompt, alone or with its model, as ``dumps`` writes it.

It is read as plain data. LangChain's own loader would create objects.
https://python.langchain.com/api_reference/core/load.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from datahub_llmops.assets.templates import PLACEHOLDER, Message, Template, TemplateFormat, normal_role
from datahub_llmops.net.json_values import array, mapping, plain, strings, text

_FORMATS: Final[Mapping[str, TemplateFormat]] = {
    "f-string": "f-string",
    "mustache": "mustache",
    "jinja2": "jinja2",
}
_PARAMETERS: Final = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "n"),
        *("max_tokens", "max_output_tokens", "max_completion_tokens", "max_tokens_to_sample"),
        *("frequency_penalty", "presence_penalty", "reasoning_effort", "verbosity", "service_tier"),
        *("tool_choice", "parallel_tool_calls", "logprobs", "top_logprobs", "streaming"),
    }
)
"""Settings of models. Of the others, which may be addresses and keys, nothing is taken."""
_MODEL_NAMES: Final = ("model", "model_name", "model_id", "deployment_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a commit holds. ``template`` is ``None`` if it is not text: a prompt with images, or of an unknown class."""

    template: Template | None
    kind: str | None
    """LangChain's class of the prompt."""
    variables: tuple[str, ...] = ()
    model: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_manifest(manifest: Mapping[str, Any]) -> Manifest:
    """Read one manifest. What it holds besides prompt and model, such as parsers and tools, is skipped."""
    parts = list(_parts(manifest))
    prompt = next((part for part in parts if _class(part).endswith(("PromptTemplate", "Prompt"))), {})
    model = next((part for part in parts if _is_model(part)), {})
    kwargs, settings = mapping(prompt.get("kwargs")), _settings(parts)
    return Manifest(
        template=_template(kwargs),
        kind=_class(prompt) or _class(manifest) or None,
        variables=tuple(dict.fromkeys(strings(kwargs.get("input_variables")))),
        model=_model(model),
        parameters=settings,
    )


def _parts(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a sequence and a binding consist of; of anything else the thing itself."""
    kwargs = mapping(value.get("kwargs"))
    if _class(value) == "RunnableSequence":
        for step in (kwargs.get("first"), *array(kwargs.get("middle")), kwargs.get("last")):
            yield from _steps(mapping(step))
    else:
        yield from _steps(value)


def _steps(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield value
    if _class(value) == "RunnableBinding":
        yield mapping(mapping(value.get("kwargs")).get("bound"))


def _path(value: Mapping[str, Any]) -> list[str]:
    return strings(value.get("id"))


def _class(value: Mapping[str, Any]) -> str:
    path = _path(value)
    return path[-1] if path else ""


def _is_model(value: Mapping[str, Any]) -> bool:
    return not {"chat_models", "llms"}.isdisjoint(_path(value)[:-1])


def _model(value: Mapping[str, Any]) -> str | None:
    """Return ``provider/model``, or the model alone if the class does not name the provider."""
    kwargs, path = mapping(value.get("kwargs")), _path(value)
    name = next((found for key in _MODEL_NAMES if (found := text(kwargs.get(key)))), None)
    if name is None:
        return None
    package = path[0] if path else ""
    if package.startswith("langchain_") and package not in ("langchain_core", "langchain_community"):
        return f"{package.removeprefix('langchain_')}/{name}"
    # ["langchain", "chat_models", "openai", "ChatOpenAI"]
    return f"{path[-2]}/{name}" if len(path) == 4 and path[1] in ("chat_models", "llms") else name


def _settings(parts: list[Mapping[str, Any]]) -> dict[str, str]:
    """Collect the settings of the model; what a binding sets wins."""
    found: dict[str, str] = {}
    bindings = [part for part in parts if _class(part) == "RunnableBinding"]
    for kwargs in (
        *(mapping(part.get("kwargs")) for part in parts if _is_model(part)),
        *(mapping(mapping(part.get("kwargs")).get("kwargs")) for part in bindings),
    ):
        for key, value in sorted(kwargs.items()):
            if key in _PARAMETERS and (written := plain(value)) is not None:
                found[key] = written
    return found


def _template(kwargs: Mapping[str, Any]) -> Template | None:
    messages = kwargs.get("messages")
    if isinstance(messages, list):
        return _chat(messages)
    written, format = kwargs.get("template"), _format(kwargs)
    if not isinstance(written, str) or format is None:
        return None
    return Template(messages=(Message(role="user", text=written),), format=format)


def _format(kwargs: Mapping[str, Any]) -> TemplateFormat | None:
    return _FORMATS.get(text(kwargs.get("template_format")) or "f-string")


def _chat(messages: list[Any]) -> Template | None:
    found: list[Message] = []
    formats: set[TemplateFormat] = set()
    for item in messages:
        outer = mapping(item)
        kind, kwargs = _class(outer), mapping(outer.get("kwargs"))
        if kind == "MessagesPlaceholder":
            name = text(kwargs.get("variable_name"))
            if name is None:
                return None
            found.append(Message(role=PLACEHOLDER, text=name))
            continue
        inner = mapping(mapping(kwargs.get("prompt")).get("kwargs"))
        content = inner.get("template", kwargs.get("content"))
        role = text(kwargs.get("role")) if kind in ("ChatMessagePromptTemplate", "ChatMessage") else kind
        format = _format(inner)
        if not isinstance(content, str) or not role or format is None:
            return None
        if "template" in inner:
            formats.add(format)
        found.append(Message(role=normal_role(role), text=content))
    if len(formats) > 1 or not found:
        return None
    return Template(messages=tuple(found), format=next(iter(formats), "f-string"), is_chat=True)
