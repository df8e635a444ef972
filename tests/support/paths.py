"""Where things are in the repository, for tests at any depth."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent.parent
ROOT: Final = TESTS.parent
WIRE: Final = TESTS / "wire"
"""What was recorded with real servers, a folder for each."""
