"""Which parser reads which file, by its name."""

from __future__ import annotations

from datahub_llmops.assets.templates import TemplateFormat
from datahub_llmops.prompt_registries.prompt_files.formats.dotprompt import parse_dotprompt
from datahub_llmops.prompt_registries.prompt_files.formats.github_models import parse_github_models
from datahub_llmops.prompt_registries.prompt_files.formats.langchain import parse_langchain
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import ParsedPrompt
from datahub_llmops.prompt_registries.prompt_files.formats.plain_text import parse_jinja, parse_text
from datahub_llmops.prompt_registries.prompt_files.formats.prompty import parse_prompty

_GITHUB = (".prompt.yml", ".prompt.yaml", ".prompt.json")
_JINJA = (".jinja2", ".jinja", ".j2")
_ENDINGS = (*_GITHUB, ".prompty", ".prompt", *_JINJA, ".json", ".yaml", ".yml", ".txt", ".md")


def prompt_name(path: str) -> str:
    """Return the name of the prompt in the file at ``path``: the path without the ending of its format.

    >>> prompt_name("support/answer.prompt.yml"), prompt_name("support/answer.prompty"), prompt_name("a.b/c")
    ('support/answer', 'support/answer', 'a.b/c')
    """
    ending = next((one for one in _ENDINGS if path.lower().endswith(one)), "")
    return path[: len(path) - len(ending)]


def parse(path: str, source: str, default: TemplateFormat) -> ParsedPrompt:
    """Parse the prompt file at ``path``. ``default`` is the format of text that states none.

    Raises:
        NotAPromptError: the file is not a prompt.
        MalformedError: it is one, and cannot be understood.
    """
    low = path.lower()
    if low.endswith(_GITHUB):
        return parse_github_models(source)
    if low.endswith(".prompty"):
        return parse_prompty(source)
    if low.endswith(".prompt"):
        return parse_dotprompt(source)
    if low.endswith(_JINJA):
        return parse_jinja(source)
    if low.endswith((".json", ".yaml", ".yml")):
        return parse_langchain(source)
    return parse_text(source, default)
