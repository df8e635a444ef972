"""Decides which recipe gets which name, and which systems have one already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from datahub_llmops.errors import RecipeError
from datahub_llmops.setup.recipe_text import Recipe, existing_places, slug
from datahub_llmops.setup.systems import Candidate

ENDING: Final = ".dhub.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The recipes to write, and the systems whose recipe exists: each with the file that it is in."""

    recipes: tuple[Recipe, ...]
    kept: tuple[tuple[Candidate, str], ...]


def read_existing(out: Path) -> dict[str, str]:
    """Return the recipes of a folder by the names of their files. One that cannot be read is an empty text.

    Raises:
        RecipeError: the folder cannot be listed.
    """
    try:
        paths = sorted(path for path in out.iterdir() if path.name.endswith((".yaml", ".yml")))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RecipeError(
            f"{out}: {error.strerror or 'cannot be listed'}; name another folder with --out"
        ) from error
    return {path.name: _text(path) for path in paths}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def make_plan(chosen: Iterable[Candidate], existing: Mapping[str, str]) -> Plan:
    """Name a recipe for each system that none of the ``existing`` ones reads.

    The first one of a kind is called after the system, others also after their place; they get a platform instance,
    because the assets of both could have the same names.
    """
    places = existing_places(existing)
    taken = {name.removesuffix(ENDING) for name in existing}
    kinds = {kind for kind, _ in places}
    recipes: list[Recipe] = []
    kept: list[tuple[Candidate, str]] = []
    for candidate in chosen:
        key = candidate.system.name, candidate.place
        if key in places:
            kept.append((candidate, places[key]))
            continue
        name = _free(candidate, taken)
        instance = name if candidate.system.name in kinds and candidate.system.kind != "answers" else None
        recipes.append(Recipe(name=name, candidate=candidate, instance=instance))
        taken.add(name)
        kinds.add(candidate.system.name)
        places[key] = name + ENDING
    return Plan(recipes=tuple(recipes), kept=tuple(kept))


def _free(candidate: Candidate, taken: set[str]) -> str:
    """Return a name for a recipe that no other one has."""
    system = candidate.system.name
    place = "" if candidate.system.place.is_secret else slug(candidate.place).removeprefix(f"{system}-")
    described = [f"{system}-{place}"] if place and place != system else []
    numbered = (f"{system}-{number}" for number in count(2))
    return next(name for name in chain([system], described, numbered) if name not in taken)
