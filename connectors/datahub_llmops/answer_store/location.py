"""Where the answer store of this host and user lies, and the environment variables that say otherwise."""

from __future__ import annotations

import os
from typing import Final

PREFIX: Final = "DATAHUB_LLMOPS_"
"""Of every environment variable that the hooks read."""


def environment(name: str) -> str | None:
    """The value of ``DATAHUB_LLMOPS_<name>``; ``None`` where it is not set or empty."""
    return os.environ.get(PREFIX + name) or None


def default_path() -> str:
    """The answer store where neither the code nor a recipe names one.

    That of ``DATAHUB_LLMOPS_STORE``, else ``$XDG_STATE_HOME/datahub-llmops/answers.db``; always absolute.
    """
    if named := environment("STORE"):
        return os.path.abspath(named)
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.abspath(os.path.join(state, "datahub-llmops", "answers.db"))
