"""Examines recipes: whether they can be read, whether their variables and packages are there, and their connections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from datahub.cli.config_utils import MissingConfigError, load_client_config

from datahub_llmops.answer_store.location import default_catalog, default_store
from datahub_llmops.assets.extras import pip_install
from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.net.shown import clean
from datahub_llmops.setup.connection import (
    NOT_A_RECIPE,
    Connection,
    check_connections,
    fill_in,
    is_testable,
    read_recipe,
    unset_variables,
)
from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.packages import extra_of, missing_packages
from datahub_llmops.setup.pipeline_parts import SERVER_SINK, find_faults

_ENDINGS: Final = (".dhub.yaml", ".dhub.yml")
_FILES: Final = (".yaml", ".yml", ".json", ".toml")
_SKIPPED: Final = frozenset({"node_modules", "site-packages", "venv", "__pycache__"})
_DEPTH: Final = 4
"""Folders below the working folder in which recipes are looked for."""
_UNSET: Final = "\0"
"""Stands for the value of a variable that is not set."""
LOCAL: Final = "llm-local"
_READ_A_CATALOG: Final = frozenset({"llm-propagation", "llm-health", "llm-lifecycle"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe, with the values of its variables filled in as far as they are set."""

    name: str
    content: Mapping[str, Any]
    problems: tuple[Diagnosis, ...] = ()
    """What keeps it from running; its connection is tested only if there is nothing."""

    @property
    def kind(self) -> str:
        """The type of its source."""
        return str(self.content["source"].get("type") or "") if self.content else ""

    @property
    def pipeline(self) -> tuple[str, str, str]:
        """What DataHub tells its pipeline from others by: name, type of the source, platform instance."""
        config = _part(self.content, "source", "config")
        return (
            str(self.content.get("pipeline_name") or ""),
            self.kind,
            str(config.get("platform_instance") or ""),
        )

    @property
    def written(self) -> str | None:
        """The local catalog that it writes."""
        return _local(_part(self.content, "sink"))

    @property
    def catalogs(self) -> tuple[str, ...]:
        """The local catalogs that it writes, reads, or keeps its state in; servers' addresses are left out."""
        config = _part(self.content, "source", "config")
        state = _part(config, "stateful_ingestion", "state_provider")
        found = [self.written, _local(state), config.get("catalog") if self.kind.startswith("llm-") else None]
        return tuple(dict.fromkeys(one for one in found if _is_set(one) and "://" not in one))

    @property
    def server(self) -> tuple[str, str | None] | None:
        """The address and the token of the DataHub server that it writes to, if it names one."""
        sink = _part(self.content, "sink")
        config = _part(sink, "config")
        server, token = config.get("server"), config.get("token")
        if self.content and not sink:
            return _default_server()
        if sink.get("type") != SERVER_SINK or not _is_set(server) or not (token is None or _is_set(token)):
            return None
        return server, token or None

    @property
    def store(self) -> str | None:
        """The answer store that it reads."""
        if self.kind != "llm-runs":
            return None
        named = _part(self.content, "source", "config").get("store", default_store())
        return named if _is_set(named) else None


def find_recipes(folder: Path) -> list[Path]:
    """List what is in ``recipes/``, and every ``*.dhub.yaml`` some levels below ``folder``, by path.

    Hidden folders and those of packages are skipped, and so are files of ``recipes/`` without a ``source``.
    """
    found = {path for path in _walk(folder, _DEPTH) if path.name.endswith(_ENDINGS)}
    inside = folder / "recipes"
    if inside.is_dir():
        found |= {path for path in inside.iterdir() if path.suffix in _FILES and _may_be_recipe(path)}
    return sorted(found)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if depth and not entry.name.startswith(".") and entry.name not in _SKIPPED:
                yield from _walk(Path(entry.path), depth - 1)
        elif entry.is_file():
            yield Path(entry.path)


def _may_be_recipe(path: Path) -> bool:
    if path.name.endswith(_ENDINGS):
        return True
    try:
        return bool(read_recipe(path))
    except RecipeError as error:
        return NOT_A_RECIPE not in str(error)


def read_recipes(paths: Sequence[Path], variables: Mapping[str, str]) -> list[Recipe]:
    """Read recipes and find what keeps each from running."""
    return [_read(path, variables) for path in paths]


def _read(path: Path, variables: Mapping[str, str]) -> Recipe:
    name = str(path)
    try:
        raw = read_recipe(path)
        unset = unset_variables(raw, variables)
        if unset:
            content = fill_in(raw, {**variables, **dict.fromkeys(unset, _UNSET)})
            return Recipe(name=name, content=content, problems=tuple(_not_ready(name, raw, unset)))
        return Recipe(name=name, content=fill_in(raw, variables))
    except RecipeError as error:
        message = clean(str(error).removeprefix(f"{path}: "))
        to_do = "Correct the file." if path.exists() else "Name a recipe that exists."
        problem = Diagnosis(
            section="recipes",
            name=name,
            verdict="not ok",
            message=f"{message[:1].upper()}{message[1:]}.",
            to_do=to_do,
        )
        return Recipe(name=name, content={}, problems=(problem,))


def _not_ready(name: str, raw: Mapping[str, Any], unset: Sequence[str]) -> Iterator[Diagnosis]:
    names = ", ".join(unset)
    yield Diagnosis(
        section="recipes",
        name=name,
        verdict="not ok",
        message=f"Variables that it names are not set: {names}.",
        to_do="Set them in the environment in which the recipe runs.",
    )
    yield from _missing(name, str(raw["source"].get("type") or ""))


def _missing(name: str, kind: str) -> Iterator[Diagnosis]:
    extra = extra_of(kind)
    missing = missing_packages(extra) if extra else ()
    if extra and missing:
        yield Diagnosis(
            section="recipes",
            name=name,
            verdict="not ok",
            message=f"Packages that {kind} needs are missing: {', '.join(missing)}.",
            to_do=pip_install(extra),
        )


def examine_recipes(recipes: Sequence[Recipe], deadline: float) -> list[Diagnosis]:
    """Test the connections of all recipes at the same time, and say what keeps the others from running."""
    ready = [recipe for recipe in recipes if not recipe.problems]
    # Loading a source may take longer than the test of its connection, which has a deadline.
    elsewhere = {recipe.name: why for recipe in ready if (why := _seen_elsewhere(recipe))}
    tried = [recipe for recipe in ready if recipe.name not in elsewhere]
    connections = check_connections([_as_run(recipe) for recipe in tried], deadline=deadline)
    tested = {recipe.name: one for recipe, one in zip(tried, connections, strict=True)}
    found: list[Diagnosis] = []
    for recipe in recipes:
        if recipe.problems:
            found += recipe.problems
            continue
        found += [_diagnosis(recipe, "not ok", *fault) for fault in find_faults(recipe.content)]
        if recipe.name in elsewhere:
            found.append(_diagnosis(recipe, "ok", elsewhere[recipe.name]))
        else:
            found += _tried(recipe, tested[recipe.name])
    return found


def _seen_elsewhere(recipe: Recipe) -> str | None:
    """Say where else something is seen of a recipe whose source has no test of its connection."""
    try:
        if is_testable(recipe.kind):
            return None
    except Exception:  # noqa: BLE001 - sources of others raise anything, and the test of the connection says it
        return None
    if recipe.written:
        return (
            f"It can be read. {recipe.kind} has no test of its connection; see below how its last run ended."
        )
    return None


def _as_run(recipe: Recipe) -> Mapping[str, Any]:
    """The recipe with the catalog that a run of it would read: the test of a connection sees the source only."""
    if recipe.kind not in _READ_A_CATALOG or _part(recipe.content, "source", "config").get("catalog"):
        return recipe.content
    catalog = recipe.server[0] if recipe.server else next(iter(recipe.catalogs), None)
    config = {**_part(recipe.content, "source", "config"), "catalog": catalog}
    return {**recipe.content, "source": {**recipe.content["source"], "config": config}}


def _tried(recipe: Recipe, found: Connection) -> Iterator[Diagnosis]:
    if found.verdict != "ok":
        yield from (
            one for one in _missing(recipe.name, recipe.kind) if (one.to_do or "") not in found.message
        )
    run_it = f"Run it: datahub ingest -c {recipe.name}" if found.verdict == "not known" else None
    yield _diagnosis(recipe, found.verdict, f"{recipe.kind}: {found.message}", run_it)
    for reason in found.incapable:
        yield _diagnosis(
            recipe,
            "not ok",
            f"{recipe.kind} cannot do everything: {reason}",
            "Give its login the permission, or turn the option off.",
        )


def _diagnosis(recipe: Recipe, verdict: Verdict, message: str, to_do: str | None = None) -> Diagnosis:
    return Diagnosis(section="recipes", name=recipe.name, verdict=verdict, message=message, to_do=to_do)


def _default_server() -> tuple[str, str | None] | None:
    """The server that a recipe without a sink writes to: that of the environment or of ``~/.datahubenv``."""
    try:
        return load_client_config().server, None
    except (MissingConfigError, SystemExit, OSError, ValueError):
        return None


def _part(content: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """A mapping inside of a recipe; empty where there is none."""
    found: Any = content
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _local(part: Mapping[str, Any]) -> str | None:
    """The file of a sink or a state provider ``llm-local``."""
    if part.get("type") != LOCAL:
        return None
    path = _part(part, "config").get("path", str(default_catalog()))
    return path if _is_set(path) else None


def _is_set(value: object) -> TypeGuard[str]:
    """Whether a value is a text, and all variables in it are set."""
    return isinstance(value, str) and _UNSET not in value
