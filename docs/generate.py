"""Write the generated parts of the documentation anew, or say which of them are stale.

A page asks for a part by a comment; what stands up to the closing comment is replaced:

    <!-- options: datahub_llmops.vector_stores.chroma.source:ChromaConfig --> options of a recipe
    <!-- help: lineage -->                                           what ``datahub-llmops lineage --help`` prints
    <!-- facts: all stores -->                                       which vector store tells what, as declared
    <!-- facts: all registries -->                                   which registry of prompts tells what, as declared
    <!-- faults: all -->                                             what the fault matrix of the tests saw
    <!-- connectors: vector_stores -->                               the connectors of a room, by their pages' summaries
    <!-- seen: all -->                                              what spans of each instrumentation show, as recorded
    <!-- template: tests/vector_stores/jsonlines/faults.py -->       a file that ``make connector`` writes
    <!-- versions: judged -->                                        the versions that the tests run with
    <!-- api: datahub_llmops.api -->                                 public names of a module, by their docstrings
    <!-- commands: all -->                                           every command, by the command's own parser

``setup/data/versions.json``, which ``doctor`` reads, is written with them.

    python docs/generate.py            write
    python docs/generate.py --check    exit code 1 when something is stale
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import textwrap
import tomllib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from click.testing import CliRunner
from datahub.configuration.common import AllowDenyPattern
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from reference import api, commands, wrapped

from datahub_llmops.ingestion.capabilities import FACTS
from datahub_llmops.ingestion.prompt_capabilities import PROMPT_FACTS
from datahub_llmops.ingestion.prompt_registry_config import WithApplications, WithEvaluations
from datahub_llmops.ingestion.vector_store import VectorStoreSource

ROOT = Path(__file__).resolve().parent.parent
KINDS = "api|commands|connectors|facts|faults|help|options|seen|template|versions"
BLOCK = re.compile(rf"(<!-- ({KINDS}): *(.*?) *-->\n).*?(<!-- /\2 -->)", re.DOTALL)
SUMMARY = re.compile(r"<!-- summary: *(.*?) *-->", re.DOTALL)
OWN = "datahub_llmops"


def pages() -> Iterator[Path]:
    """Every page that may hold generated parts."""
    yield from (path for path in sorted(ROOT.glob("*.md")))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def type_words(annotation: Any) -> str:
    """A type as a writer of YAML thinks of it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(arguments[0])
    if origin in (Union, types.UnionType):
        known = [argument for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(type_words(argument) for argument in known))
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (list, tuple, set, frozenset) or getattr(origin, "__name__", "") in ("Sequence", "Iterable"):
        return f"list of {type_words(arguments[0])}"
    if origin is dict or getattr(origin, "__name__", "") == "Mapping":
        return f"map of {type_words(arguments[0])} to {type_words(arguments[1])}"
    name = getattr(annotation, "__name__", str(annotation))
    words = {
        "str": "string",
        "Path": "path",
        "int": "integer",
        "float": "number",
        "bool": "true or false",
        "Any": "anything",
        "AllowDenyPattern": "`allow` and `deny`, lists of patterns",
        "StatefulStaleMetadataRemovalConfig": "mapping",
    }
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation.__module__.startswith(OWN)
    ):
        return "mapping"
    return words.get(name, "secret string" if "Secret" in name else name)


def default_words(field: FieldInfo) -> str:
    """The default as it would stand in a recipe."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, Path):
        # A path that a function makes is another one on every machine: the description says which.
        return ""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
        if not value:
            return "everything" if field.annotation is AllowDenyPattern else ""
    if isinstance(value, tuple | set | frozenset):
        value = sorted(value) if isinstance(value, set | frozenset) else list(value)
    return f"`{json.dumps(value, default=str, ensure_ascii=False)}`"


def nested(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Our own config classes inside an annotation, with what a path into them adds: nothing, or ``[]`` in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.__module__.startswith(OWN):
            yield "", annotation
        return
    mark = "[]" if get_origin(annotation) in (list, tuple) else ""
    for argument in get_args(annotation):
        for suffix, config in nested(argument):
            yield mark + suffix, config


def rows(config: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Option, type, default and description of every option, outer ones before what they hold."""
    for name, field in config.model_fields.items():
        option = f"{prefix}{field.alias or name}"
        description = " ".join((field.description or "").split())
        yield option, type_words(field.annotation), default_words(field), description
        inner = {cls: suffix for suffix, cls in nested(field.annotation)}
        for cls, suffix in inner.items():
            yield from rows(cls, f"{option}{suffix}.")


def options(target: str) -> str:
    """The options of one config class, as a list."""
    module, _, name = target.partition(":")
    config = getattr(importlib.import_module(module), name)
    return (
        "\n".join(
            wrapped(
                f"- **`{option}`** ({', '.join(filter(None, (kind, default_phrase(default))))}): {description}"
            )
            for option, kind, default, description in rows(config)
        )
        + "\n"
    )


def default_phrase(default: str) -> str:
    """The default as a list of options says it."""
    return default if default in ("", "required") else f"default {default}"


def command_help(arguments: str) -> str:
    """What a command prints when asked for help."""
    cli = importlib.import_module("datahub_llmops.cli.main")
    command: click.Command = cli.main
    runner = CliRunner(env={"NO_COLOR": "1"})
    result = runner.invoke(
        command,
        [*arguments.split(), "--help"],
        prog_name="datahub-llmops",
        catch_exceptions=False,
        terminal_width=100,
    )
    return f"```text\n{result.output.strip()}\n```\n"


def connectors_of(room: str) -> dict[str, Any]:
    """Every connector of a room, by its name in a recipe; ends with what to do where one is not installed."""
    points = {point.name: point for point in entry_points(group="datahub.ingestion.source.plugins")}
    described = {f"llm-{page.stem}" for page in (ROOT / "docs" / "connectors").glob("*.md")}
    if absent := sorted(described - points.keys()):
        sys.exit(f"{', '.join(absent)}: not installed, run `pip install -e .` in this environment")
    return {
        name: point.load()
        for name, point in sorted(points.items())
        if point.value.startswith(f"{OWN}.{room}.")
    }


def facts(what: str) -> str:
    """One table over all connectors of a kind and their facts, as each declares them; its tests hold it to that."""
    known: Iterable[str] = FACTS
    sources = connectors_of("vector_stores")
    if what == "all registries":
        known, sources = PROMPT_FACTS, connectors_of("prompt_registries")
    systems = [name.removeprefix("llm-") for name in sources]
    lines = [table_row("", systems), table_row("---", ["---"] * len(systems))]
    told_by = {system: facts_of(source) for system, source in zip(systems, sources.values(), strict=True)}
    known = [*known, *(fact for fact in OBSERVED if any(fact in told for told in told_by.values()))]
    for fact in known:
        told = [told_by[system].get(fact) for system in systems]
        lines.append(table_row(fact, ["yes" if note == "yes" else "yes *" if note else "" for note in told]))
    lines += [
        "",
        "What `*` means for each:" if what == "all registries" else "What `*` means for each store:",
        "",
    ]
    for system, source in zip(systems, sources.values(), strict=True):
        told_here = told_by[system]
        notes = [f"*{fact}* {told_here[fact]}" for fact in known if told_here.get(fact, "yes") != "yes"]
        about = [dataset_words(source), *notes] if what != "all registries" else notes or ["nothing to add"]
        lines.append(wrapped(f"- **[{system}](connectors/{system}.md)**: {'; '.join(about)}."))
    return "\n".join(lines) + "\n"


OBSERVED: Mapping[str, type[BaseModel]] = {"applications": WithApplications, "evaluations": WithEvaluations}
"""What a tool tells beside its prompts, by the options that its recipe then has."""


def facts_of(source: Any) -> Mapping[str, str]:
    """The facts that a source declares, and what else its recipe has options for."""
    more = {fact: "yes" for fact, options in OBSERVED.items() if issubclass(source.config_type, options)}
    return {**source.declares, **more}


def dataset_words(source: type[VectorStoreSource[Any]]) -> str:
    """What one dataset of a vector store is, and who else describes it."""
    shared = source.is_shared is not VectorStoreSource.is_shared
    where = f", shared with DataHub's own `{source.platform}` source" if shared else ""
    return f"a dataset is a {source.noun}{where}"


def table_row(first: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


PLACES = {
    "listing": "while listing",
    "reading": "while reading one item",
    "counting": "while counting sources",
    "observing": "while reading what applications did",
}


def faults(_: str) -> str:
    """Tables of what the tests saw of every fault, as ``docs/faults`` keeps it."""
    parts: list[str] = []
    for path in sorted((ROOT / "docs" / "faults").glob("*.json")):
        seen = json.loads(path.read_text(encoding="utf-8"))
        found = {(cell["fault"], cell["place"]): fault_words(cell) for cell in seen["cells"]}
        places = [place for place in PLACES if any(place == at for _, at in found)]
        lines = [
            f"### {seen['title']}",
            "",
            f"| What goes wrong | {' | '.join(PLACES[place] for place in places)} |",
            f"|---|{'---|' * len(places)}",
        ]
        for fault in dict.fromkeys(fault for fault, _ in found):
            lines.append(f"| {fault} | {' | '.join(found.get((fault, place), '') for place in places)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def fault_words(cell: Mapping[str, Any]) -> str:
    """One cell as the table says it. The page explains each word."""
    others = {"read": ", others read", "not read": ", run stops", "none": ""}[cell["others"]]
    if cell["ends"] == "gone":
        return f"gone{others}"
    return f"{'retried, fails' if cell['tries'] else 'fails'}{others}"


def connectors(room: str) -> str:
    """A list of the connectors of one room. The page of each has its summary in a comment."""
    lines = [""]
    for name in connectors_of(room):
        page = ROOT / "docs" / "connectors" / f"{name.removeprefix('llm-')}.md"
        summary = SUMMARY.search(page.read_text(encoding="utf-8")) if page.is_file() else None
        if summary is None:
            sys.exit(f"{page.relative_to(ROOT)}: needs a line `<!-- summary: what it reads -->`")
        item = f"- [`{name}`]({page.relative_to(ROOT).as_posix()}): {' '.join(summary[1].split())}"
        lines.append(
            textwrap.fill(item, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        )
    return "\n".join(lines) + "\n\n"


SEEN = ROOT / "tests" / "wire" / "spans" / "seen.json"
SEEN_PARTS: tuple[Mapping[str, str], ...] = (
    {
        "answers": "answers",
        "model asked": "asked",
        "model served": "served",
        "fingerprint": "fingerprint",
        "tokens": "tokens",
        "prompt": "prompts",
        "tool": "tools",
    },
    {
        "retrieval": "retrievals",
        "class of the store": "class of store",
        "index named": "index",
        "ids of chunks": "ids of chunks",
        "sources of chunks": "sources",
        "error": "errors",
    },
)
"""What the recordings count, table by table: its name there, and the head of its column."""


def seen(_: str) -> str:
    """Tables of what spans of each instrumentation show, of what the hooks saw of the same answers."""
    counted = json.loads(SEEN.read_text(encoding="utf-8"))
    tables = []
    for parts in SEEN_PARTS:
        lines = [table_row("", parts.values()), table_row("---", ["---"] * len(parts))]
        for name, one in counted.items():
            cells = [one["seen"].get(part) for part in parts]
            lines.append(table_row(name, [f"{cell[0]} of {cell[1]}" if cell else "" for cell in cells]))
        tables.append("\n".join(lines))
    return "\n\n".join(["", *tables]) + "\n\n"


def template(path: str) -> str:
    """A file of the skeleton that ``make connector`` writes, as a code block."""
    text = (ROOT / "tools" / "connector" / "template" / path).read_text(encoding="utf-8")
    language = {".py": "python", ".yaml": "yaml"}[Path(path).suffix]
    return f'```{language} title="{path}"\n{text}```\n'


VERSIONS = ROOT / "connectors" / "datahub_llmops" / "setup" / "data" / "versions.json"
FRAMEWORKS = ("langchain", "langgraph", "llama-index")
"""How the names of the packages begin that the hooks are tested with."""


@cache
def project_file(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def locked() -> dict[str, str]:
    """The version of every package that ``uv.lock`` installs for the tests."""
    return {package["name"]: package.get("version", "") for package in project_file("uv.lock")["package"]}


def named(lines: Iterable[object]) -> dict[str, Requirement]:
    """The requirements among the lines of a list in ``pyproject.toml``, by their names."""
    found = [Requirement(line) for line in lines if isinstance(line, str)]
    return {canonicalize_name(one.name): one for one in found}


def bound(requirement: Requirement, operator: str) -> str | None:
    """The version behind an operator of a requirement."""
    return next((one.version for one in requirement.specifier if one.operator == operator), None)


def tested_versions() -> dict[str, Any]:
    """The versions that the tests run with, read out of what installs them.

    The newest is that of ``uv.lock``. The oldest is what ``make lowest`` installs, the lower bound of DataHub and of
    the stores' extras, and for frameworks what ``tests/environments`` pins.
    """
    project = project_file("pyproject.toml")["project"]
    newest = locked()
    stores = [name.removeprefix("llm-") for name in connectors_of("vector_stores")]
    clients = named(line for store in stores for line in project["optional-dependencies"][store])
    requirements = {"acryl-datahub": named(project["dependencies"])["acryl-datahub"]}
    requirements |= dict(sorted(clients.items()))
    oldest = {name: bound(one, ">=") for name, one in requirements.items()}
    for path in sorted((ROOT / "tests" / "environments").glob("*-oldest.txt")):
        pinned = named(line for line in path.read_text(encoding="utf-8").splitlines() if "==" in line)
        oldest |= {name: bound(one, "==") for name, one in pinned.items()}
    (config,) = json.loads((ROOT / "tests" / "wire" / "gms" / "config.json").read_text(encoding="utf-8"))
    return {
        "python": [
            found[1]
            for line in project["classifiers"]
            if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
        ],
        "server": config["response"]["body"]["versions"]["acryldata/datahub"]["version"].removeprefix("v"),
        "packages": {name: {"oldest": first, "newest": newest[name]} for name, first in oldest.items()},
    }


def versions(what: str) -> str:
    """A table of the versions that the tests run with: those that ``doctor`` judges by, or those of one run."""
    if what == "locked":
        groups = project_file("pyproject.toml")["dependency-groups"]
        names = sorted(
            name for name in named((*groups["demo"], *groups["test"])) if name.startswith(FRAMEWORKS)
        )
        newest = locked()
        lines = ["| | tested |", "|---|---|", *(f"| `{name}` | {newest[name]} |" for name in names)]
        return "\n".join(["", *lines]) + "\n\n"
    found = tested_versions()
    lines = [
        "| | oldest | newest |",
        "|---|---|---|",
        table_row("Python", [found["python"][0], found["python"][-1]]),
        table_row("DataHub server", [found["server"]] * 2),
        *(
            table_row(f"`{name}`", [span["oldest"], span["newest"]])
            for name, span in found["packages"].items()
        ),
    ]
    return "\n".join(["", *lines]) + "\n\n"


def outputs() -> Iterator[tuple[Path, str]]:
    """Every file that holds generated parts, with its text as it should be."""
    for page in pages():
        yield page, rendered(page.read_text(encoding="utf-8"))
    yield VERSIONS, json.dumps(tested_versions(), indent=2) + "\n"


PARTS: Mapping[str, Callable[[str], str]] = {
    "api": api,
    "commands": commands,
    "options": options,
    "help": command_help,
    "facts": facts,
    "faults": faults,
    "connectors": connectors,
    "seen": seen,
    "template": template,
    "versions": versions,
}


def rendered(text: str) -> str:
    """The page with every generated part as it should be."""

    def block(match: re.Match[str]) -> str:
        opening, kind, argument, closing = match.groups()
        return opening + PARTS[kind](argument) + closing

    return BLOCK.sub(block, text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a part is stale")
    check = parser.parse_args().check
    stale = []
    for page, wanted in outputs():
        if not page.is_file() or wanted != page.read_text(encoding="utf-8"):
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(wanted, encoding="utf-8")
    for page in stale:
        print(f"{page}: {'stale, run `make docs`' if check else 'written'}")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
