"""Identifies a prompt by the keys that prompt registries leave in its metadata, else by a digest of its template.

Template digests are those of ``assets.templates``, so that a registry's version of the same template has the same one.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from datahub_llmops.assets.templates import TemplateFormat, digest_each
from datahub_llmops.hooks.parts import get_fast

PartFormat: TypeAlias = "TemplateFormat | Literal['llama-index']"
"""How a message writes its variables. LlamaIndex replaces ``{name}`` only: other braces are themselves, also double."""
Part: TypeAlias = tuple[str, str, PartFormat]
"""Role, text and format of one message."""

MAX_NAME: Final = 256
MAX_TEXT: Final = 100_000
"""Characters of a captured text. Longer ones are cut."""
_ROLES: Final = {
    "SystemMessagePromptTemplate": "system",
    "HumanMessagePromptTemplate": "human",
    "AIMessagePromptTemplate": "ai",
    "ChatMessagePromptTemplate": "chat",
    "MessagesPlaceholder": "placeholder",
    "SystemMessage": "system",
    "HumanMessage": "human",
    "AIMessage": "ai",
}
_FORMATS: Final[Mapping[object, TemplateFormat]] = {
    "f-string": "f-string",
    "mustache": "mustache",
    "jinja2": "jinja2",
}
_LLAMA_INDEX_VARIABLE: Final = re.compile(r"(\{[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*\})", re.ASCII)
_CHAT_BLOCK: Final = re.compile(
    r"\{%-?\s*chat\s+role\s*=\s*[\"'](\w+)[\"']\s*-?%\}(.*?)\{%-?\s*endchat\s*-?%\}", re.DOTALL
)
"""A message of LlamaIndex's ``RichPromptTemplate``. What stands between messages is ignored there too."""


def digest(parts: Iterable[Part]) -> str:
    """Digest a template, given as role, text and format of each message.

    >>> digest([("system", "Answer briefly.", "text"), ("human", "{question}", "llama-index")])[:15]
    't1:d68aa16d6304'
    """
    return digest_each(
        (role, _f_string(text), "f-string") if format == "llama-index" else (role, text, format)
        for role, text, format in parts
    )


def template_format(stated: object) -> TemplateFormat:
    """Return the format that a LangChain template states. It always has one of the three."""
    return _FORMATS.get(stated, "f-string")


def _f_string(text: str) -> str:
    """Write a template of LlamaIndex so that an f-string means the same."""
    pieces = _LLAMA_INDEX_VARIABLE.split(text)
    pieces[::2] = (piece.replace("{", "{{").replace("}", "}}") for piece in pieces[::2])
    return "".join(pieces)


_KEYS: Final = frozenset(
    {
        "datahub_urn",
        "lc_hub_repo",
        "langfuse_prompt",
        "mlflow_prompt",
        "mlflow.linkedPrompts",
        "mlflow_prompt_uri",
        "prompt_uri",
        "prompt_name",
    }
)


def identify_prompt(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return the identity that a registry or the user left in a prompt's metadata, unchanged.

    It reads ``datahub_urn``; LangSmith's ``lc_hub_*``; Langfuse's ``langfuse_prompt``; MLflow's
    ``mlflow.linkedPrompts``, ``mlflow_prompt`` and ``prompts:/name/version`` addresses; ``prompt_name`` with
    ``prompt_version``.
    """
    if not metadata or _KEYS.isdisjoint(metadata):
        return None
    urn = metadata.get("datahub_urn")
    if isinstance(urn, str) and urn.startswith("urn:li:dataset:") and "ls_retriever_name" not in metadata:
        return {"urn": urn[: MAX_NAME * 2]}
    repo = metadata.get("lc_hub_repo")
    if isinstance(repo, str):
        owner = metadata.get("lc_hub_owner")
        name = f"{owner}/{repo}" if isinstance(owner, str) and owner not in ("", "-") else repo
        return _named("langsmith", name, metadata.get("lc_hub_commit_hash"))
    langfuse = metadata.get("langfuse_prompt")
    if langfuse is not None:
        return _object("langfuse", langfuse)
    for key in ("mlflow_prompt", "mlflow.linkedPrompts", "mlflow_prompt_uri", "prompt_uri"):
        linked = metadata.get(key)
        if linked is not None:
            return _mlflow(linked)
    return _named("custom", metadata.get("prompt_name"), metadata.get("prompt_version"))


def _named(registry: str, name: object, version: object) -> dict[str, str] | None:
    if not isinstance(name, str) or not name:
        return None
    found = {"registry": registry, "name": name[:MAX_NAME]}
    if isinstance(version, (str, int)) and str(version):
        found["version"] = str(version)[:MAX_NAME]
    return found


def _object(registry: str, prompt: object) -> dict[str, str] | None:
    if isinstance(prompt, Mapping):
        return _named(registry, prompt.get("name"), prompt.get("version"))
    return _named(registry, getattr(prompt, "name", None), getattr(prompt, "version", None))


def _mlflow(linked: object) -> dict[str, str] | None:
    if isinstance(linked, str) and linked.startswith("prompts:/"):
        name, _, version = linked.removeprefix("prompts:/").strip("/").partition("/")
        return _named("mlflow", name, version)
    if isinstance(linked, str):
        try:
            linked = json.loads(linked)
        except ValueError:
            return None
    if isinstance(linked, list):
        linked = linked[0] if linked else None
    return _object("mlflow", linked) if linked is not None else None


def read_serialized(serialized: Mapping[str, Any]) -> tuple[list[Part] | None, str]:
    """Return the messages of a LangChain prompt that ``on_chain_start`` serialised, and their digest.

    An unknown shape has no messages; its digest covers the whole, without what differs from call to call. It equals
    no registry's, so it has no version of the normal form.
    """
    parts = read_parts(serialized)
    if parts is not None:
        return parts, digest(parts)
    dump = json.dumps(_template_only(serialized), sort_keys=True, default=lambda thing: type(thing).__name__)
    return None, hashlib.sha256(dump.encode("utf-8", "surrogatepass")).hexdigest()


def describe_template(template: object, role: str, *, capture_text: bool) -> dict[str, Any]:
    """Return the digest of a template, its variables, and its messages where texts are captured."""
    facts: dict[str, Any] = {}
    messages: list[Part] | None
    if isinstance(template, str):
        messages = [(role, template, "text")]  # As the model gets it: nothing is a variable any more.
        facts = {"digest": digest(messages), "role": role}
    elif isinstance(template, tuple):
        messages = list(zip(template[1::3], template[2::3], template[3::3], strict=True))
        facts["digest"] = digest(messages)
        if template[0]:
            facts["variables"] = template[0]
    elif isinstance(template, Mapping):
        messages, facts["digest"] = read_serialized(template)
        facts.update(read_variables(template))
    else:
        return facts
    if capture_text and messages is not None:
        facts["messages"] = [[role, text[:MAX_TEXT]] for role, text, _ in messages]
    return facts


_PER_CALL: Final = frozenset({"metadata", "partial_variables", "repr"})


def _template_only(value: object) -> object:
    """Return a serialised prompt without metadata, values of partial variables, and addresses of objects."""
    if isinstance(value, Mapping):
        return {key: _template_only(one) for key, one in value.items() if key not in _PER_CALL}
    if isinstance(value, (list, tuple)):
        return [_template_only(one) for one in value]
    return value


def read_variables(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a serialised template's variables, and its format if it gives one."""
    facts: dict[str, str] = {}
    kwargs = template.get("kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    messages = kwargs.get("messages")
    inner = [kwargs, *map(_inner, messages if isinstance(messages, list) else ())]
    formats = {str(one["template_format"]) for one in inner if one.get("template_format")}
    if len(formats) == 1:
        facts["format"] = formats.pop()[:40]
    names = join_names(kwargs.get("input_variables"))
    if names:
        facts["variables"] = names
    return facts


def join_names(names: object) -> str:
    """Sort names of variables and join them with commas."""
    return ", ".join(sorted(map(str, names)))[:MAX_NAME] if isinstance(names, list) else ""


def _inner(message: object) -> Mapping[str, Any]:
    kwargs = message.get("kwargs") if isinstance(message, Mapping) else None
    prompt = kwargs.get("prompt") if isinstance(kwargs, Mapping) else None
    found = prompt.get("kwargs") if isinstance(prompt, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def read_parts(serialized: Mapping[str, Any]) -> list[Part] | None:
    """Return the messages of a serialised LangChain prompt, or ``None`` if it has an unknown shape."""
    kwargs = serialized.get("kwargs")
    if not isinstance(kwargs, Mapping):
        return None
    template = kwargs.get("template")
    if isinstance(template, str):
        return [("human", template, template_format(kwargs.get("template_format")))]
    messages = kwargs.get("messages")
    if not isinstance(messages, list):
        return None
    found: list[Part] = []
    for message in messages:
        part = _message(message)
        if part is None:
            return None
        found.append(part)
    return found


def _message(message: object) -> Part | None:
    if not isinstance(message, Mapping):
        return None
    path, kwargs = message.get("id"), message.get("kwargs")
    if not isinstance(path, list) or not path or not isinstance(kwargs, Mapping):
        return None
    kind = str(path[-1])
    role = _ROLES.get(kind, kind)
    if role == "chat" and isinstance(kwargs.get("role"), str):
        role = str(kwargs["role"])
    if role == "placeholder":
        return role, str(kwargs.get("variable_name")), "text"
    prompt = kwargs.get("prompt")
    inner = prompt.get("kwargs") if isinstance(prompt, Mapping) else None
    if isinstance(inner, Mapping):
        template, format = inner.get("template"), template_format(inner.get("template_format"))
    else:
        template, format = kwargs.get("content"), "text"
    return (role, template, format) if isinstance(template, str) else None


def read_llamaindex(template: object) -> tuple[str, ...] | None:
    """Return the variables of a LlamaIndex prompt template, then role, text and format of each message.

    The result has strings only: the template is a copy made for this call, and a reference would keep all of it alive.
    """
    outer = template
    for step in ("default_template", "prompt_template"):  # Selector and mapping templates wrap another.
        inner = get_fast(template, step)
        if inner is not None and not isinstance(inner, str):
            template = inner
    text = get_fast(template, "template")
    if isinstance(text, str):
        known = _of_text.get(text)
        if known is None:
            if len(_of_text) >= 256:
                _of_text.clear()
            variables = join_names(get_fast(outer, "template_vars"))
            known = _of_text[text] = (variables, "human", text, "llama-index")
        return known
    rich = get_fast(template, "template_str")
    if isinstance(rich, str):
        return (join_names(get_fast(outer, "template_vars")), *_read_rich(rich))
    messages = get_fast(template, "message_templates")
    if not isinstance(messages, list):
        return None
    found = [join_names(get_fast(outer, "template_vars"))]
    for message in messages:
        role = getattr(message, "role", "human")
        content = getattr(message, "content", None)
        text = content if isinstance(content, str) else ""
        found += (str(getattr(role, "value", role)), text, "llama-index")
    return tuple(found)


_of_text: Final[dict[str, tuple[str, str, str, str]]] = {}


@functools.lru_cache(256)
def _read_rich(text: str) -> tuple[str, ...]:
    """Read a ``RichPromptTemplate``, whose messages are blocks of one text. Without blocks it is a user's message."""
    blocks = _CHAT_BLOCK.findall(text) or [("human", text)]
    return tuple(part for role, inner in blocks for part in (role, inner, "jinja2"))
