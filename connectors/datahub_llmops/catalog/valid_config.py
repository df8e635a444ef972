"""Validates the options of a recipe, and says of each that is wrong what to write, without quoting its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from datahub_llmops.errors import RecipeError

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def valid_config(config_type: type[ConfigT], given: Mapping[str, Any], *, of: str = "") -> ConfigT:
    """Return the options as a config. ``of`` names the file or recipe in the message.

    Raises:
        RecipeError: options are misspelt, missing or wrong. The message has a line for each.
    """
    try:
        return config_type.model_validate(given)
    except ValidationError as error:
        raise RecipeError(_message(config_type, error, of)) from error


def _message(config_type: type[BaseModel], error: ValidationError, of: str) -> str:
    lines = [
        _line(config_type, tuple(one["loc"]), one["type"], one["msg"])
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    where = f"{of}: " if of else ""
    return where + (lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} options are wrong", *lines]))


def _line(config_type: type[BaseModel], place: Sequence[str | int], kind: str, message: str) -> str:
    """Word one error of pydantic: https://docs.pydantic.dev/latest/errors/validation_errors/."""
    holder, option = _model_at(config_type, place[:-1]), str(place[-1]) if place else ""
    shown = ".".join(map(str, place))
    if kind == "extra_forbidden":
        return f"there is no option {shown}; {_instead(holder, option)}"
    field = holder.model_fields.get(option) if holder else None
    meant = f". {field.description}" if field and field.description else ""
    if kind == "missing":
        return f"the option {shown} is missing{meant}"
    if kind == "model_type":
        known = _model_at(config_type, place)
        options = f": {', '.join(sorted(known.model_fields))}" if known else ""
        return f"{f'{shown}: ' if shown else ''}write options with their values{options}"
    if kind == "path_type":
        message = "it should be a path"
    said = (
        message.removeprefix("Value error, ").removeprefix("Assertion failed, ").replace("Input ", "it ", 1)
    )
    # A message of our own begins with the option, or says by itself what to do.
    return f"{shown}: {said}{'' if kind == 'value_error' else meant}" if shown else said


def _instead(holder: type[BaseModel] | None, option: str) -> str:
    if holder is None:
        return "remove it"
    near = get_close_matches(option, holder.model_fields, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(holder.model_fields))}"


def _model_at(config_type: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model whose options belong at a place; ``None`` below keys that the user chooses."""
    found: type[BaseModel] | None = config_type
    for part in place:
        if found is None:
            return None
        if isinstance(part, str):
            field = found.model_fields.get(part)
            found = _model_of(field) if field else None
    return found


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    pending: list[Any] = [field.annotation]
    while pending:
        one = pending.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
        pending += get_args(one)
    return None
