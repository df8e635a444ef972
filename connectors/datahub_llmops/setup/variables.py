"""Which systems the environment speaks of, by the names of variables. Values of ``.env`` files are never kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from datahub_llmops.setup.systems import SYSTEMS, Candidate, Option, System, valid_together, variable

_NAMES: Final = (".env", ".env.local")
_LINE: Final = re.compile(
    rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?=[^\s#])", re.MULTILINE
)
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The names of variables that have a value: in the environment, and in files of this folder."""

    environment: frozenset[str]
    files: Mapping[str, str]
    """Name -> the file that has it; without those of the environment."""

    def __contains__(self, name: object) -> bool:
        return name in self.environment or name in self.files

    def where(self, name: str) -> str:
        """Say where a variable is set."""
        return f"{name} is set" if name in self.environment else f"{name} is in {self.files[name]}"


def read_variables(folder: Path, environment: Mapping[str, str]) -> Variables:
    """Read the names. A file that cannot be read has none."""
    present = frozenset(name for name, value in environment.items() if value.strip())
    files: dict[str, str] = {}
    for name in _NAMES:
        for found in _names_in(folder / name):
            if found not in present:
                files.setdefault(found, name)
    return Variables(environment=present, files=files)


def _names_in(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return [name.decode() for name in _LINE.findall(file.read(_MOST_BYTES))]
    except OSError:
        return []


def first_set(option: Option, variables: Variables) -> str | None:
    """Return the variable that holds an option, if one of the usual names does."""
    known = [name for name in option.variables if name in variables.environment]
    return next(iter([*known, *(name for name in option.variables if name in variables.files)]), None)


def find_in_variables(variables: Variables) -> list[Candidate]:
    """Name the systems that variables speak of. Options that none of them holds have their defaults."""
    return [found for system in SYSTEMS if (found := _candidate(system, variables)) is not None]


def _candidate(system: System, variables: Variables) -> Candidate | None:
    signs = [
        name
        for option in system.options
        if option.is_sign and (name := first_set(option, variables)) is not None
    ]
    if not signs:
        return None
    return Candidate(
        system=system,
        values=with_variables(system, {}, variables),
        found=", ".join(variables.where(name) for name in signs),
    )


def with_variables(system: System, values: Mapping[str, str], variables: Variables) -> dict[str, str]:
    """Return ``values`` with those options added that variables hold, or that have a default."""
    filled = dict(values)
    for option in system.options:
        held = first_set(option, variables)
        if option.name not in filled and held is not None:
            filled[option.name] = variable(held)
        elif option.name not in filled and option.default is not None:
            filled[option.name] = option.default
    return valid_together(system, filled)


def with_login(candidate: Candidate, variables: Variables) -> Candidate:
    """Return a candidate whose server asks for a login with the variables that are to hold it, if it has none yet.

    If the usual ones hold the login of another server, these have other names: nobody gets the key of another.
    """
    system = candidate.system
    secrets = [option for option in system.options if option.is_secret]
    if not candidate.asks_for_login or any(option.name in candidate.values for option in secrets):
        return candidate
    elsewhere = any(name in variables for name in system.place.variables)
    wanted = [option for option in system.options if option.name in (secrets[0].name, secrets[0].needs)]
    named = {
        option.name: variable(("LOCAL_" if elsewhere else "") + option.variables[0]) for option in wanted
    }
    return replace(candidate, values=valid_together(system, {**candidate.values, **named}))
