"""Where things are in the repository, for tests at any depth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent.parent
ROOT: Final = TESTS.parent
WIRE: Final = TESTS / "wire"
"""What was recorded with real servers, a folder for each."""

ENVIRONMENTS: Final = Path(sys.prefix) / "environments"
"""Virtual environments of packages whose versions clash with the tests' own; ``make environments`` makes them."""
