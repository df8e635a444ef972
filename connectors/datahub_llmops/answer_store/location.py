"""Where the two files of a user lie by default, and the environment variables that name other places.

The catalog and the answer store are in the same folder on macOS and Windows. On Linux each has the folder that the XDG
specification has for its kind: data for the catalog, state for the answers.
https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PREFIX: Final = "DATAHUB_LLMOPS_"
"""All environment variables of the package begin with this."""
CATALOG_VARIABLE: Final = PREFIX + "CATALOG"
_OURS: Final = "datahub-llmops"


def environment(name: str) -> str | None:
    """The value of ``DATAHUB_LLMOPS_<name>``; ``None`` where it is not set or empty."""
    return os.environ.get(PREFIX + name) or None


def absolute(path: str) -> str:
    """Return an absolute path; a relative one as it is if the working directory was deleted."""
    try:
        return os.path.abspath(path)
    except OSError:
        return path


def default_catalog(platform: str = sys.platform, variables: Mapping[str, str] = os.environ) -> Path:
    """Path of the local catalog if neither a recipe nor an option names one.

    ``DATAHUB_LLMOPS_CATALOG`` if it holds a path (it may hold a server's address instead), else a file in the user's
    data folder.
    """
    from pathlib import Path  # Attaching loads this module and does without pathlib.

    named = variables.get(CATALOG_VARIABLE, "").strip()
    if named and "://" not in named:
        return Path(named).expanduser()
    return Path(_data_folder(platform, variables), _OURS, "catalog.db")


def records_by_default() -> bool:
    """Return whether applications record if their code does not say: ``DATAHUB_LLMOPS_STORE=false`` stops it."""
    return (environment("STORE") or "").strip().lower() != "false"


def default_store(platform: str = sys.platform, variables: Mapping[str, str] = os.environ) -> str:
    """Absolute path of the answer store if neither the code nor a recipe names one.

    ``DATAHUB_LLMOPS_STORE`` if it is not ``false``, else a file in the user's state folder (Linux) or data folder
    (macOS, Windows). Earlier versions used the Linux path on every system: a store that lies there is used while there
    is none at the new path.
    """
    named = variables.get(PREFIX + "STORE", "")
    if named and named.strip().lower() != "false":
        return absolute(named)
    state = variables.get("XDG_STATE_HOME") or _home(".local", "state")
    in_state = absolute(os.path.join(state, _OURS, "answers.db"))
    if platform not in ("win32", "darwin"):
        return in_state
    in_data = absolute(os.path.join(_data_folder(platform, variables), _OURS, "answers.db"))
    return in_state if os.path.exists(in_state) and not os.path.exists(in_data) else in_data


def _data_folder(platform: str, variables: Mapping[str, str]) -> str:
    if platform == "win32":
        return variables.get("LOCALAPPDATA") or _home("AppData", "Local")
    if platform == "darwin":
        return _home("Library", "Application Support")
    named = variables.get("XDG_DATA_HOME", "")
    return named if os.path.isabs(named) else _home(".local", "share")


def _home(*parts: str) -> str:
    return os.path.join(os.path.expanduser("~"), *parts)
