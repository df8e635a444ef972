"""The mark on a declared job and its edges while the last run that should have confirmed them could not."""

from __future__ import annotations

from typing import Final

NOT_CONFIRMED_SINCE: Final = "not_confirmed_since"
"""Property of an edge of a job, and structured property (in our namespace) of the job itself.

Its value is the instant, in ISO format and UTC, of the first run that could not confirm the edge. The next run that
can confirms the edge or removes it, and the mark goes.
"""
