"""The mark on lineage while the last run that should have confirmed it could not."""

from __future__ import annotations

from typing import Final

NOT_CONFIRMED_SINCE: Final = "not_confirmed_since"
"""Property of an edge, and structured property (in our namespace) of a declared job itself.

Its value is the instant, in ISO format and UTC, of the first run that could not confirm the edge. The next run that
can confirms the edge or removes it, and the mark goes.
"""
