"""All that can be found without asking: variables, folders, servers of this machine and packages, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit

from datahub_llmops.answer_store.location import default_store
from datahub_llmops.setup.folders import Below, candidates, is_answer_store, look_below, shown_path
from datahub_llmops.setup.ports import PROBES, Probe, find_servers
from datahub_llmops.setup.systems import RUNS, SYSTEMS, Candidate, System, literal
from datahub_llmops.setup.variables import (
    Variables,
    find_in_variables,
    read_variables,
    with_login,
    with_variables,
)

_LOCAL: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found on a machine."""

    candidates: tuple[Candidate, ...]
    """In the order in which their recipes should run."""
    variables: Variables
    datahub: str | None
    """Address of a DataHub server at its usual port of this machine."""
    hints: tuple[System, ...]
    """Systems whose client is installed, and of which nothing was found."""
    not_seen: tuple[str, ...]
    """What the search did not look into, and why."""


def discover(folder: Path, environment: Mapping[str, str], probes: Sequence[Probe] = PROBES) -> Discovery:
    """Look at a folder, at the environment and at this machine. It reads no value of a ``.env`` file."""
    variables = read_variables(folder, environment)
    below = look_below(folder)
    running = find_servers(probes)
    named = find_in_variables(variables)
    found = [
        *named,
        *(
            with_login(
                replace(
                    one, values=with_variables(one.system, one.values, _without_places(variables, one.system))
                ),
                variables,
            )
            for one in running.sources
            if not _is_named(one, named, environment)
        ),
        *candidates(below, folder),
        *_default_answers(below, folder),
    ]
    return Discovery(
        candidates=tuple(sorted(found, key=_order)),
        variables=variables,
        datahub=running.datahub,
        hints=_hints(found),
        not_seen=tuple(below.not_seen),
    )


def _order(candidate: Candidate) -> tuple[int, str]:
    return SYSTEMS.index(candidate.system), candidate.place


def _is_named(running: Candidate, named: Iterable[Candidate], environment: Mapping[str, str]) -> bool:
    """Whether a server that runs here is one that variables name.

    A variable whose value is not known is taken to name it: a server in two recipes would be in the catalog twice.
    """
    addresses = [
        one.values.get(one.system.place.name, "")
        for one in named
        if one.system.name == running.system.name and one.system.place.name in running.values
    ]
    return any(_is_same(running.place, text, environment) for text in addresses)


def _is_same(place: str, text: str, environment: Mapping[str, str]) -> bool:
    value = environment.get(text.removeprefix("${").removesuffix("}")) if text.startswith("${") else text
    return value is None or _host_and_port(value) == _host_and_port(place)


def _host_and_port(address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host = (parts.hostname or "").lower()
        return ("localhost" if host in _LOCAL else host), parts.port
    except ValueError:
        return address, None


def _without_places(variables: Variables, system: System) -> Variables:
    """A login belongs to the server that its variables name: without one of them the others may be about this one."""
    named = any(name in variables for name in system.place.variables)
    return Variables(environment=frozenset(), files={}) if named else variables


def _default_answers(below: Below, folder: Path) -> list[Candidate]:
    path = Path(default_store())
    if path in below.answers or not is_answer_store(path):
        return []
    place = literal(shown_path(path, folder))
    return [Candidate(system=RUNS, values={RUNS.place.name: place}, found="the answer store of this user")]


def _hints(found: Iterable[Candidate]) -> tuple[System, ...]:
    names = {one.system.name for one in found}
    installed = {(one.metadata["Name"] or "").lower().replace("_", "-") for one in distributions()}
    return tuple(
        system for system in SYSTEMS if system.name not in names and not installed.isdisjoint(system.packages)
    )
