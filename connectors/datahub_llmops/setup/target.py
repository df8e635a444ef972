"""The catalog that recipes write to: a file on this machine, or a DataHub server. Says it as a recipe's sink."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datahub_llmops.errors import RecipeError
from datahub_llmops.net.shown import without_login
from datahub_llmops.setup.folders import shown_path
from datahub_llmops.setup.systems import literal, variable
from datahub_llmops.setup.variables import Variables

_SERVER = "DATAHUB_GMS_URL"
_TOKEN = "DATAHUB_GMS_TOKEN"
_KEY = re.compile(r"(?i)(key|token|secret|password|pwd)=(?!\$\{)")
"""A parameter of an address or of a connection string that holds a secret, and not the name of a variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where recipes write.

    ``shown`` names it for people. ``option`` is what the command needs to read it, as a shell takes it; empty if it
    needs nothing.
    """

    shown: str
    option: str = ""
    sink: Mapping[str, Any] | None = None
    """``None`` leaves it to DataHub, which then takes the server of ``~/.datahubenv``."""
    state: Mapping[str, Any] | None = None
    """Who keeps the state of stale removal; ``None`` if the server does."""
    is_server: bool = False


def local_target(path: str | None, default: Path, folder: Path) -> Target:
    """Return the local file ``path``; ``None`` is the file ``default``, which nobody needs to name."""
    if path is None:
        return Target(shown=str(default), sink={"type": "llm-local"}, state={"type": "llm-local"})
    place = shown_path(Path(path).absolute(), folder)
    config = {"config": {"path": literal(place)}}
    return Target(
        shown=place,
        option=place,
        sink={"type": "llm-local", **config},
        state={"type": "llm-local", **config},
    )


def server_target(url: str, variables: Variables) -> Target:
    """Return a DataHub server.

    Raises:
        RecipeError: the address holds a login.
    """
    check_address(url)
    config = {"server": literal(url)}
    if _TOKEN in variables:
        config["token"] = variable(_TOKEN)
    return Target(shown=url, option=url, sink={"type": "datahub-rest", "config": config}, is_server=True)


def server_of_variables(variables: Variables) -> Target | None:
    """Return the server that ``DATAHUB_GMS_URL`` names."""
    if _SERVER not in variables:
        return None
    config = {"server": variable(_SERVER)}
    if _TOKEN in variables:
        config["token"] = variable(_TOKEN)
    return Target(
        shown=f"the DataHub server of {_SERVER}",
        option=f'"${_SERVER}"',
        sink={"type": "datahub-rest", "config": config},
        is_server=True,
    )


def server_of_datahub(url: str | None) -> Target | None:
    """Return the server of ``~/.datahubenv``. A recipe without a sink writes there, with the token of that file."""
    if url is None:
        return None
    return Target(
        shown=f"the DataHub server {without_login(url)} of ~/.datahubenv", option=url, is_server=True
    )


def check_address(text: str) -> None:
    """Refuse an address with a login or a key in it, which would end up in a recipe.

    Raises:
        RecipeError: it has one. The message does not repeat it.
    """
    if without_login(text) != text or _KEY.search(text):
        raise RecipeError(
            "an address must not hold a login here; put the login into a variable, and write ${NAME} instead"
        )


def configured_server(path: Path | None = None) -> str | None:
    """Return the address in ``~/.datahubenv``, if there is one that can be read. Nothing else of the file is kept.

    https://docs.datahub.com/docs/cli#init
    """
    import yaml

    try:
        content = yaml.safe_load((path or Path.home() / ".datahubenv").read_text("utf-8"))
    except (OSError, ValueError, RuntimeError, yaml.YAMLError):
        return None
    gms = content.get("gms") if isinstance(content, dict) else None
    server = gms.get("server") if isinstance(gms, dict) else None
    return server if isinstance(server, str) and server.startswith(("http://", "https://")) else None
