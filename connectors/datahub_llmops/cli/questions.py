"""The questions of ``init``. An answer that cannot be used is explained and asked for again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import click

from datahub_llmops.cli.opening import shown
from datahub_llmops.errors import RecipeError
from datahub_llmops.setup.systems import SYSTEMS, Candidate, Option, System, literal, valid_together, variable
from datahub_llmops.setup.target import Target, check_address
from datahub_llmops.setup.variables import Variables, first_set

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,79}")
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_]\w*\}")
_NONE: Final = "none"


def ask_which(found: Sequence[Candidate]) -> list[Candidate]:
    """Ask which of the systems that were found get a recipe."""
    chosen: list[int] = click.prompt(
        f"Which of them get a recipe? Numbers such as 1,3, or all, or {_NONE}",
        default="all",
        value_proc=lambda typed: _numbers(typed, len(found)),
    )
    return [found[number] for number in chosen]


def _numbers(typed: str, most: int) -> list[int]:
    words = typed.replace(",", " ").lower().split()
    if words in (["all"], [_NONE]):
        return list(range(most)) if words == ["all"] else []
    if not words or not all(word.isdecimal() and 1 <= int(word) <= most for word in words):
        raise click.UsageError(f"type numbers from 1 to {most}, or all, or {_NONE}")
    return sorted({int(word) - 1 for word in words})


def ask_others(variables: Variables, hints: Sequence[System]) -> list[Candidate]:
    """Ask for systems that were not found, until there is no other one."""
    if hints:
        click.echo(
            f"Clients of {_listed([system.title for system in hints])} are installed, but none of these was found."
        )
    keys = [system.key for system in SYSTEMS]
    click.echo(f"Recipes can read: {', '.join(keys)}.")
    named: list[Candidate] = []
    while True:
        key: str = click.prompt(
            f"{'Another' if named else 'A'} system to add? Its name, or {_NONE}",
            default=_NONE,
            type=click.Choice([*keys, _NONE], case_sensitive=False),
            show_choices=False,
        )
        if key == _NONE:
            return named
        system = next(system for system in SYSTEMS if system.key == key)
        named.append(ask_options(Candidate(system=system, values={}, found="named by you"), variables))


def ask_missing(candidate: Candidate, variables: Variables) -> Candidate:
    """Ask for what its recipe needs and nothing says."""
    if not candidate.missing:
        return candidate
    click.echo(f"{candidate.system.title}: something is missing.")
    return _with_answers(candidate, candidate.missing, variables)


def ask_options(candidate: Candidate, variables: Variables) -> Candidate:
    """Ask for every option of a system, with what is known as the default."""
    return _with_answers(candidate, candidate.system.options, variables)


def _with_answers(candidate: Candidate, options: Sequence[Option], variables: Variables) -> Candidate:
    values = dict(candidate.values)
    for option in options:
        answer = _ask(option, values.get(option.name), variables)
        values.pop(option.name, None)
        if answer:
            values[option.name] = answer
    return Candidate(
        system=candidate.system, values=valid_together(candidate.system, values), found=candidate.found
    )


def _ask(option: Option, known: str | None, variables: Variables) -> str:
    """Return the text of a recipe; empty if there is none."""
    held = first_set(option, variables)
    default = known or (variable(held) if held else option.default)
    if option.is_secret:
        return _ask_secret(option, default, variables)
    nothing = f", or {_NONE}" if option.is_optional else ""
    answer: str = click.prompt(
        f"  {option.label}{nothing}",
        default=default or (_NONE if option.is_optional else None),
        value_proc=_usable,
    )
    return "" if option.is_optional and answer == _NONE else answer


def _usable(typed: str) -> str:
    text = typed.strip()
    try:
        check_address(text)
    except RecipeError as error:
        raise click.UsageError(str(error)) from None
    if text.startswith("~/"):
        text = str(Path(text).expanduser())
    return text if _REFERENCE.search(text) else literal(text)


def _ask_secret(option: Option, default: str | None, variables: Variables) -> str:
    nothing = f", or {_NONE}" if option.is_optional else ""
    suggested = default.removeprefix("${").removesuffix("}") if default else None
    name: str = click.prompt(
        f"  Name of the environment variable with the {option.label}{nothing}",
        default=suggested or (_NONE if option.is_optional else next(iter(option.variables), None)),
        value_proc=lambda typed: _variable_name(typed, variables, optional=option.is_optional),
    )
    return variable(name) if name else ""


def _variable_name(typed: str, variables: Variables, *, optional: bool) -> str:
    name = typed.strip().removeprefix("${").removeprefix("$").removesuffix("}")
    if optional and name.lower() == _NONE:
        return ""
    # Somebody who pastes the secret itself is stopped here: it would be the name of a variable in the recipe.
    if name in variables or _VARIABLE.fullmatch(name):
        return name
    raise click.UsageError(
        "give the name of a variable, in capitals, such as QDRANT_API_KEY; a recipe never holds the secret itself"
    )


def ask_target(targets: Sequence[Target]) -> Target:
    """Ask which catalog the recipes write to."""
    if len(targets) == 1:
        return targets[0]
    click.echo("Where does the catalog go?")
    for number, target in enumerate(targets, 1):
        click.echo(f"  {number}  {shown(target.shown)}")
    chosen: int = click.prompt("Number", default=1, type=click.IntRange(1, len(targets)))
    return targets[chosen - 1]


def ask_after_failure(candidate: Candidate) -> Literal["change", "write", "leave"]:
    """Ask what becomes of a recipe whose connection failed."""
    answer: Literal["change", "write", "leave"] = click.prompt(
        f"{candidate.system.title}: change its options, write the recipe all the same, or leave it out?",
        default="change",
        type=click.Choice(["change", "write", "leave"], case_sensitive=False),
    )
    return answer


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
