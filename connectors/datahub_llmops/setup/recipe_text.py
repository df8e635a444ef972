"""Writes the text of a recipe for one system, with comments that say what else it can do."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from datahub_llmops.net.shown import clean
from datahub_llmops.setup.systems import SYSTEMS, Candidate, Kind
from datahub_llmops.setup.target import Target

_COMMENT_AT: Final = 44
_MORE: Final[Mapping[Kind, str]] = {
    "vector store": """\
# The job that fills an index, and the SQL that it reads, give lineage column by column:
# embedding_jobs:
#   - name: embed-docs
#     flow: knowledge-base
#     orchestrator: airflow
#     index: docs
#     upstream:
#       platform: postgres
#       default_db: shop
#       default_schema: public
#       sql: select id, title, body from articles
#     text_columns: [body]
#     embedding_model: openai/text-embedding-3-small
""",
    "prompts": """\
# prompt_pattern: {deny: ['test-.*']}
""",
    "answers": """\
# Prices of models per million tokens; without them no cost is reported:
# currency: USD
# prices:
#   - {model: 'openai/gpt-5(-.*)?', input: 1.25, cached_input: 0.125, output: 10}
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe that is to be written.

    ``name`` is its file without the ending. ``instance`` tells several systems of a kind apart.
    """

    name: str
    candidate: Candidate
    instance: str | None = None

    @property
    def file_name(self) -> str:
        return f"{self.name}.dhub.yaml"


def pipeline_name(recipe: Recipe, folder: Path) -> str:
    """Return a name that no other recipe has.

    Two recipes with the same one would take each other's assets for stale, and remove them. So it depends on the
    machine and on the folder, too.
    """
    parts = (platform.node(), str(folder), recipe.candidate.system.name, recipe.candidate.place)
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{recipe.name}-{slug(folder.name) or 'root'}-{digest}"


def slug(text: str) -> str:
    """Return what is left of a text in a name: small letters, digits and dashes.

    >>> slug("./data/My Docs"), slug("http://q-1.eu:6333")
    ('data-my-docs', 'q-1-eu-6333')
    """
    without_scheme = text.partition("://")[2] or text
    return re.sub(r"[^a-z0-9]+", "-", without_scheme.lower()).strip("-")[:60]


def build_text(recipe: Recipe, target: Target, folder: Path, untested: str | None = None) -> str:
    """Return the recipe's text. ``untested`` says why its connection failed or is not known."""
    candidate = recipe.candidate
    lines = [f"# {candidate.system.title}{_where(candidate)}."]
    if candidate.place.startswith("."):
        lines.append("# Paths are relative to the folder in which `datahub ingest` runs.")
    if untested:
        lines += ["#", "# The test of this connection did not succeed:"]
        lines += [f"#   {clean(line)}" for line in untested.splitlines()]
        lines += ["# Delete these lines once `datahub ingest` works.", "#"]
    lines += [
        _line(
            0, "pipeline_name", pipeline_name(recipe, folder), "identifies the state that stale removal needs"
        ),
        "source:",
        f"  type: llm-{candidate.system.name}",
        "  config:",
        *_options(candidate),
        *_instance(recipe),
        *(f"    {line}" for line in _MORE[candidate.system.kind].splitlines()),
        "    stateful_ingestion:",
        "      enabled: true",
        *([f"      state_provider: {_flow(target.state)}"] if target.state else []),
        *_sink(target),
    ]
    return "\n".join(lines) + "\n"


def _where(candidate: Candidate) -> str:
    if candidate.system.place.is_secret or not candidate.place:
        return ""
    return f" at {clean(candidate.place)}"


def _options(candidate: Candidate) -> Iterator[str]:
    system = candidate.system
    for name, text in (system.always or {}).items():
        yield _line(4, name, text)
    parent = ""
    for option in system.options:
        if option.name not in candidate.values:
            continue
        outer, _, inner = option.name.rpartition(".")
        if outer and outer != parent:
            yield f"    {outer}:"
        parent = outer
        yield _line(6 if outer else 4, inner, candidate.values[option.name], option.comment)
    yield from _left_out(candidate)


def _left_out(candidate: Candidate) -> Iterator[str]:
    for option in candidate.system.options:
        if option.name not in candidate.values and "." not in option.name and option.variables:
            yield f"    # {option.name}: ${{{option.variables[0]}}}"


def _instance(recipe: Recipe) -> list[str]:
    why = "tells several systems of a kind in one catalog apart"
    if recipe.instance is not None:
        return [_line(4, "platform_instance", recipe.instance, why)]
    if recipe.candidate.system.kind == "answers":
        return []
    return [f"    # platform_instance: {recipe.name:<20} # {why}"]


def _sink(target: Target) -> list[str]:
    if target.sink is None:
        return ["# Without a sink DataHub writes to the server of ~/.datahubenv."]
    config: Mapping[str, Any] = target.sink.get("config", {})
    lines = ["sink:", f"  type: {target.sink['type']}"]
    if not config:
        lines.append("  # config: {path: ./catalog.db}            # default: the user's own catalog")
    if config:
        lines += ["  config:", *(_line(4, name, value) for name, value in config.items())]
    if target.is_server and "token" not in config:
        lines.append("    # token: ${DATAHUB_GMS_TOKEN}")
    return lines


def _line(indent: int, name: str, value: str, comment: str = "") -> str:
    line = f"{' ' * indent}{name}: {_scalar(value)}"
    return f"{line:<{_COMMENT_AT}}  # {comment}" if comment else line


def _scalar(value: str) -> str:
    """Write a text as YAML on one line."""
    return yaml.safe_dump(value, width=10**9, allow_unicode=False).removesuffix("...\n").strip()


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False).strip()


def existing_places(texts: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return which systems the recipes of a folder read, by type and place, with the file of each.

    ``texts`` are their contents by the names of their files. What is not a recipe reads nothing.
    """
    found: dict[tuple[str, str], str] = {}
    for file_name, text in sorted(texts.items()):
        for key in _places_in(text):
            found.setdefault(key, file_name)
    return found


def _places_in(text: str) -> Iterator[tuple[str, str]]:
    try:
        source = yaml.safe_load(text)["source"]
        kind, config = source["type"], source.get("config") or {}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return
    for system in SYSTEMS:
        if kind == f"llm-{system.name}":
            place = _read(config, system.place.name)
            if isinstance(place, str):
                yield system.name, place


def _read(config: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config
