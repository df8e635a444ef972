"""References that ``generate.py`` writes: of the command, by its own parser, and of the Python API, by its source."""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 120
COMMAND = "datahub-llmops"


def wrapped(item: str, indent: str = "  ") -> str:
    """One item of a list, in lines of at most 120 columns. Code is broken only where it is longer than a line."""
    lines = [""]
    for word in re.findall(r"(?:`[^`]*`|[^\s`])+", item):
        for part in word.split() if len(word) > COLUMNS - 2 else [word]:
            if len(lines[-1]) + 1 + len(part) > COLUMNS:
                lines.append(f"{indent}{part}")
            else:
                lines[-1] = f"{lines[-1]} {part}" if lines[-1] else part
    return "\n".join(lines)


def commands(_: str) -> str:
    """Every command with its options, in the order of the help."""
    main: click.Group = importlib.import_module("datahub_llmops.cli.main").main
    return _page(_command(main, (COMMAND,), None))


def _command(command: click.Command, path: tuple[str, ...], above: click.Context | None) -> Iterator[str]:
    context = command.make_context(path[-1], [], parent=above, resilient_parsing=True)
    if above is not None:
        yield f"\n## {' '.join(path[1:])}"
    yield f"\n```text\n{' '.join((*path, *command.collect_usage_pieces(context)))}\n```\n"
    yield from _paragraphs(command.help or "")
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    for option in options:
        if (record := option.get_help_record(context)) is not None and "--help" not in option.opts:
            left, text = record
            # A choice has its own bars and brackets, and none of them is of Markdown.
            yield wrapped(f"- **`{left}`**: {_marked(text)}")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _command(child, (*path, name), context)


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text. Those that click does not wrap are examples."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = textwrap.dedent(paragraph).strip("\n").splitlines()
        if lines[0].strip() == "\b":
            yield "\n".join(("```text", *(line.strip() for line in lines[1:]), "```\n"))
        else:
            yield f"{wrapped(_marked(' '.join(paragraph.split())), indent='')}\n"


def _marked(text: str) -> str:
    """Mark options and variables in a sentence as code, unless they stand in code already."""
    parts = text.split("`")
    parts[::2] = (
        re.sub(r"(?<![\w-])(--[a-z][\w-]*|DATAHUB_[A-Z_]+|~/[\w./-]*\w)", r"`\1`", part)
        for part in parts[::2]
    )
    return "`".join(parts)


def api(target: str) -> str:
    """The public names of a module, or one name of it (``module:name``), as their docstrings explain them."""
    module, _, name = target.partition(":")
    top, _, rest = module.partition(".")
    found = _package(top)[rest]
    names = [name] if name else sorted(found.exports or [], key=lambda one: (not one.islower(), one))
    return _page(line for one in names for line in _definition(found[one], one, 3))


@cache
def _package(name: str) -> Any:
    """Read the source of a package, once for all blocks."""
    # Only these blocks need it.
    import griffe

    loader = griffe.GriffeLoader(search_paths=[ROOT / "connectors"], docstring_parser=griffe.Parser.google)
    package = loader.load(name)
    loader.resolve_aliases()
    return package


def _page(lines: Iterable[str]) -> str:
    """Join lines, with one empty line at most between two of them, and one at the end."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n\n"


def _definition(found: Any, path: str, level: int) -> Iterator[str]:
    """A function, or a class with its fields and public methods."""
    found = found.final_target if found.is_alias else found
    yield f"\n{'#' * level} `{path}`\n"
    if found.is_function or path.islower():
        # A context manager is a class that is called like a function.
        yield f"```text\n{_signature(found, path)}\n```\n"
    yield from _explained(found)
    if not found.is_class:
        return
    members = [one for one in found.members.values() if not one.name.startswith("_")]
    is_record = "dataclass" in found.labels or any(str(base) == "NamedTuple" for base in found.bases)
    fields = [one for one in members if one.is_attribute and (is_record or "property" in one.labels)]
    for one in fields:
        about = f": {_sentence(one.docstring.value)}" if one.docstring else ""
        yield wrapped(f"- **`{one.name}`** (`{_annotation(one)}`){about}")
    if fields:
        yield ""
    for one in members:
        if one.is_function and one.docstring and not _overrides(one):
            yield from _definition(one, f"{path}.{one.name}", level + 1)


def _overrides(method: Any) -> bool:
    """Whether the base class explains it already."""
    return any(str(decorator.value) == "override" for decorator in method.decorators)


def _annotation(attribute: Any) -> str:
    return str(attribute.annotation or "")


def _signature(function: Any, path: str) -> str:
    """The signature in one line, or with each parameter in its own if it is longer."""
    parameters = [one for one in function.parameters if one.name not in ("self", "cls")]
    parts: list[str] = []
    for one in parameters:
        kind = one.kind.value if one.kind else ""
        if kind == "keyword-only" and "*" not in parts and not any(part.startswith("*") for part in parts):
            parts.append("*")
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        annotation = f": {one.annotation}" if one.annotation else ""
        default = f" = {one.default}" if one.default is not None and not stars else ""
        parts.append(f"{stars}{one.name}{annotation}{default}")
    returned = f" -> {function.returns}" if function.is_function and function.returns else ""
    line = f"{path}({', '.join(parts)}){returned}"
    if len(line) <= 100:
        return line
    listed = "".join(f"    {part},\n" for part in parts)
    return f"{path}(\n{listed}){returned}"


def _explained(found: Any) -> Iterator[str]:
    """The docstring, section by section."""
    sections: dict[str, Callable[[Any], Iterator[str]]] = {
        "text": _text,
        "parameters": _listed("", "name"),
        "returns": _returned,
        "raises": _listed("Raises:", "annotation"),
        "examples": _code,
    }
    for section in found.docstring.parsed if found.docstring else ():
        yield from sections[section.kind.value](section)


def _text(section: Any) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", section.value.strip()):
        if paragraph.startswith("    "):
            yield f"```text\n{textwrap.dedent(paragraph)}\n```\n"
        else:
            yield f"{wrapped(_sentence(paragraph), indent='')}\n"


def _code(section: Any) -> Iterator[str]:
    """Examples of doctests, which tests run where they stand."""
    for _, text in section.value:
        yield f"```text\n{text.strip()}\n```\n"


def _returned(section: Any) -> Iterator[str]:
    for one in section.value:
        yield f"{wrapped(f'Returns: {_sentence(one.description)}', indent='')}\n"


def _listed(title: str, key: str) -> Callable[[Any], Iterator[str]]:
    def lines(section: Any) -> Iterator[str]:
        if title:
            yield f"{title}\n"
        for one in section.value:
            yield wrapped(f"- **`{getattr(one, key)}`**: {_sentence(one.description)}")
        yield ""

    return lines


def _sentence(text: str) -> str:
    """Markdown has one backtick where docstrings have two."""
    return " ".join(text.split()).replace("``", "`")
