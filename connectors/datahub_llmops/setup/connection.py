"""Tests whether the system of a recipe can be reached, by the test that its own source has.

https://docs.datahub.com/docs/metadata-ingestion/cli-ingestion#testing-a-recipe-connection
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore, Thread
from typing import Any, Final

import yaml
from datahub.configuration.common import ConfigurationError, redact_raw_config
from datahub.configuration.config_loader import EnvResolver, load_config_file
from datahub.ingestion.api.source import TestableSource, TestConnectionReport
from datahub.ingestion.source.source_registry import source_registry
from expandvars import ExpandvarsException, UnboundVariable  # type: ignore[import-untyped]  # it has no types

from datahub_llmops.errors import RecipeError
from datahub_llmops.governance.finding import Verdict
from datahub_llmops.net.attempts import within
from datahub_llmops.net.shown import clean, without_login

NOT_A_RECIPE: Final = "is not a recipe"
"""What ``read_recipe`` says of a file without a source."""
DEADLINE: Final = 20.0
"""Seconds that one test may take: nobody waits longer for a system that hangs."""
_AT_ONCE: Final = 64
_SHORTEST_SECRET: Final = 4
"""A shorter one would be replaced inside of words."""
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What the test of one recipe found.

    ``message`` is the source's own: what it sees, or what is wrong and what to do. ``incapable`` lists what the source
    could not do with this login although it got in, each with its reason. Neither contains a secret.
    """

    verdict: Verdict
    message: str
    incapable: tuple[str, ...] = ()


def load_recipe(path: Path, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read a recipe as ``datahub ingest`` does, with the variables of ``variables`` (default: the environment).

    Raises:
        RecipeError: it cannot be read, or names variables that are not set. The message lists all of them.
    """
    recipe = read_recipe(path)
    try:
        return fill_in(recipe, os.environ if variables is None else variables)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def read_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe as it was written, without the values of its variables.

    Raises:
        RecipeError: it cannot be read, or is not a recipe.
    """
    try:
        recipe = load_config_file(path, allow_remote=False, resolve_env_vars=False)
    except (ConfigurationError, FileNotFoundError) as error:
        reason = "there is no such file" if not path.exists() else clean(str(error))
        raise RecipeError(f"{path}: {reason}") from error
    except OSError as error:
        raise RecipeError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: this is not text in UTF-8") from None
    except (ValueError, yaml.YAMLError):
        # The parser's own message quotes the line, which may hold a password.
        raise RecipeError(f"{path}: this is not YAML, JSON or TOML, as its ending says") from None
    except AttributeError:  # DataHub's answer to an empty file
        recipe = {}
    if not isinstance(recipe, dict) or not isinstance(recipe.get("source"), dict):
        raise RecipeError(f"{path}: this {NOT_A_RECIPE}, because it has no `source` with a `type`")
    return recipe


def fill_in(recipe: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Replace each ``${NAME}`` in a recipe by its value.

    Raises:
        RecipeError: variables are not set. The message lists all of them.
    """
    unset = unset_variables(recipe, variables)
    if unset:
        raise RecipeError(f"set {', '.join(unset)} in the environment first")
    try:
        return EnvResolver(variables).resolve(dict(recipe))
    except ExpandvarsException as error:
        raise RecipeError("a `$` in it cannot be understood: write variables as ${NAME}") from error


def unset_variables(recipe: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that a recipe needs and that are not set, in the order in which it names them."""
    unset: dict[str, str] = {}
    while True:
        try:
            EnvResolver({**variables, **unset}, register_secrets=False).resolve(dict(recipe))
        except UnboundVariable as error:
            name = _NAME.search(str(error))
            if name is None or name[0] in unset:
                return tuple(unset)
            unset[name[0]] = "x"
        except ExpandvarsException:
            return tuple(unset)
        else:
            return tuple(unset)


def check_connections(
    recipes: Sequence[Mapping[str, Any]], *, deadline: float = DEADLINE
) -> list[Connection]:
    """Test several recipes at the same time; one that hangs delays none of the others."""
    found: dict[int, Connection] = {}
    gate = Semaphore(_AT_ONCE)

    def check(number: int, recipe: Mapping[str, Any]) -> None:
        with gate:
            found[number] = check_connection(recipe, deadline=deadline)

    # Not a pool: Python waits for its threads at the end, and whoever presses Ctrl-C would wait for what hangs.
    threads = [
        Thread(target=check, args=numbered, name="connection", daemon=True) for numbered in enumerate(recipes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(recipes))]


def check_connection(recipe: Mapping[str, Any], *, deadline: float = DEADLINE) -> Connection:
    """Test a recipe whose variables are filled in. It never raises and takes ``deadline`` seconds at most."""
    try:
        return _without_secrets(within(deadline, lambda: _check(recipe)), recipe)
    except TimeoutError:
        return Connection(
            verdict="not known",
            message=f"No verdict within {deadline:g} seconds. Is it the right address, and does the system answer "
            "others?",
        )
    except Exception as error:  # noqa: BLE001 - sources of others raise anything
        return Connection(
            verdict="not known", message=f"The source's own test failed with {type(error).__name__}."
        )


def is_testable(kind: str) -> bool:
    """Whether the source of this type has a test of its connection.

    Raises:
        Exception: whatever loading the source raises.
    """
    found = source_registry.get(kind)
    return issubclass(found, TestableSource) and found.test_connection is not TestableSource.test_connection


def _check(recipe: Mapping[str, Any]) -> Connection:
    source = recipe["source"]
    kind = str(source.get("type") or "")
    try:
        testable = is_testable(kind)
    except KeyError:
        return Connection(
            verdict="not ok",
            message=f"There is no source {clean(kind)!r}; `datahub check plugins` lists those that are installed.",
        )
    except (ConfigurationError, ImportError) as error:
        return Connection(verdict="not ok", message=_safe(str(error)))
    if not testable:
        return Connection(verdict="not known", message=f"The source {kind!r} has no test of its connection.")
    found: type[TestableSource] = source_registry.get(kind)  # type: ignore[assignment]  # it is testable
    return _read(found.test_connection(source.get("config") or {}))


def _read(report: TestConnectionReport) -> Connection:
    basic = report.basic_connectivity
    if report.internal_failure:
        return Connection(verdict="not ok", message=_safe(report.internal_failure_reason or "It failed."))
    if basic is None:
        return Connection(verdict="not known", message="The source's own test says nothing.")
    if basic.capable:
        return Connection(
            verdict="ok",
            message=_safe(basic.mitigation_message or "Works."),
            incapable=tuple(_incapable(report)),
        )
    return Connection(verdict="not ok", message=_safe(basic.failure_reason or "It failed, without a reason."))


def _incapable(report: TestConnectionReport) -> Iterator[str]:
    for capability, found in (report.capability_report or {}).items():
        if not found.capable:
            name = getattr(capability, "value", capability)
            why = [part for part in (found.failure_reason, found.mitigation_message) if part]
            yield _safe(": ".join([str(name), *why]))


def _safe(message: str) -> str:
    return "\n".join(clean(without_login(line)) for line in message.strip().splitlines())


def _without_secrets(found: Connection, recipe: Mapping[str, Any]) -> Connection:
    """Hide the recipe's own secrets: a source of somebody else may quote its options."""
    config = recipe["source"].get("config")
    secrets = sorted(_secrets(config, redact_raw_config(config)), key=len, reverse=True)

    def hidden(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return Connection(
        verdict=found.verdict,
        message=hidden(found.message),
        incapable=tuple(hidden(one) for one in found.incapable),
    )


def _secrets(value: object, redacted: object) -> Iterator[str]:
    """Yield the texts of a config that DataHub would redact."""
    if isinstance(value, Mapping) and isinstance(redacted, Mapping):
        for key, one in value.items():
            yield from _secrets(one, redacted.get(key))
    elif isinstance(value, list) and isinstance(redacted, list):
        for one, other in zip(value, redacted, strict=True):
            yield from _secrets(one, other)
    elif value != redacted:
        yield from _texts(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_SECRET:
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
