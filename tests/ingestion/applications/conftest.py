"""The application that the hooks see, for what they and a tool see of it."""

from runs.conftest import world

__all__ = ["world"]
