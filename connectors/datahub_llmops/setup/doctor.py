"""Examines everything that ``doctor`` reports: several things at the same time, and each within a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from datahub_llmops.answer_store.location import default_catalog, environment
from datahub_llmops.net.attempts import within
from datahub_llmops.net.shown import clean, without_login
from datahub_llmops.setup.answer_stores import examine_hooks
from datahub_llmops.setup.catalogs import examine_catalog
from datahub_llmops.setup.diagnosis import Diagnosis, in_time, too_slow
from datahub_llmops.setup.pipelines import examine_pipelines, read_runs
from datahub_llmops.setup.recipes import Recipe, examine_recipes, find_recipes, read_recipes
from datahub_llmops.setup.servers import examine_server
from datahub_llmops.setup.versions import examine_versions

_MARGIN: Final = 5.0
"""Seconds that a section gets beyond the deadline of what it waits for."""

_LOADING: Final = 60.0
"""Seconds that the sources of all recipes may take to be loaded, for the first time, from a slow disk."""


def examine(paths: Sequence[Path], where: str | None, seconds: float, most_days: float) -> list[Diagnosis]:
    """Examine the installation, recipes, catalogs, answer stores and servers. Nothing is written.

    Args:
        paths: recipes; without any, those below the working folder.
        where: the catalog that the user names, a path or a server's URL.
        seconds: how long each thing may take.
        most_days: a pipeline that has not run for longer is stale.
    """
    found = examine_versions()
    recipes: list[Recipe] = []
    try:
        recipes = within(seconds, lambda: read_recipes(paths or find_recipes(Path()), os.environ))
    except TimeoutError:
        found.append(too_slow("recipes", "recipes", seconds))
    parts = [*_parts(recipes, where, seconds, most_days)]
    with ThreadPoolExecutor(len(parts), thread_name_prefix="doctor") as pool:
        return [*found, *(one for part in pool.map(lambda part: part(), parts) for one in part)]


def _parts(
    recipes: Sequence[Recipe], where: str | None, seconds: float, most_days: float
) -> Iterator[Callable[[], list[Diagnosis]]]:
    now = time.time()
    limit = seconds + _MARGIN
    yield partial(in_time, "recipes", "recipes", limit + _LOADING, lambda: examine_recipes(recipes, seconds))
    for catalog in _catalogs(recipes, where):
        examine_it = partial(_examine_catalog, catalog, recipes, now, seconds, most_days)
        yield partial(in_time, "catalog", clean(catalog), limit, examine_it)
    stores = tuple(dict.fromkeys(recipe.store for recipe in recipes if recipe.store))
    yield partial(in_time, "hooks", "hooks", limit, lambda: examine_hooks(stores, now, seconds, most_days))
    for url, token in _servers(recipes, where).items():
        ask = partial(examine_server, url, token, seconds)
        yield partial(in_time, "server", clean(without_login(url)), limit, ask)


def _examine_catalog(
    where: str, recipes: Sequence[Recipe], now: float, seconds: float, most_days: float
) -> list[Diagnosis]:
    into = [recipe for recipe in recipes if recipe.written and _same(recipe.written, where)]
    runs = read_runs(where)
    pipelines = [] if runs is None else examine_pipelines(where, runs, into, now, most_days)
    return [*examine_catalog(where, now, seconds), *pipelines]


def _named(where: str | None) -> str | None:
    return where or environment("CATALOG")


def _catalogs(recipes: Sequence[Recipe], where: str | None) -> list[str]:
    """The local catalogs that are named, and the default one if it exists or nothing else is named."""
    named = _named(where)
    found = [named] if named and "://" not in named else []
    found += [path for recipe in recipes for path in recipe.catalogs]
    default = default_catalog()
    if default.exists() or not (found or _servers(recipes, where)):
        found.append(str(default))
    return [path for at, path in enumerate(found) if not any(_same(path, earlier) for earlier in found[:at])]


def _same(path: str, other: str) -> bool:
    return Path(path).expanduser().absolute() == Path(other).expanduser().absolute()


def _servers(recipes: Sequence[Recipe], where: str | None) -> dict[str, str | None]:
    """The addresses of the servers that are named, with the token of the recipe that names one."""
    named = _named(where)
    found: dict[str, str | None] = {}
    for recipe in recipes:
        if recipe.server is not None:
            found.setdefault(*recipe.server)
    if named and "://" in named:
        found.setdefault(named, None)
    return found
