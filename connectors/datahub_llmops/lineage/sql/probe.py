"""Tries in a process of its own whether sqlglot can parse a statement.

The parser reads some nested words twice at each level, so that 200 characters can take it longer than a day. It is
compiled and cannot be interrupted, but a process can be ended. Only deeply nested statements pay for one.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import sqlglot

from datahub_llmops.errors import StatementError

PROBE_SECONDS: Final = 20
"""Wall time in which a statement must parse."""

_MEMORY_BYTES: Final = 2 << 30
_PROGRAM: Final = f"""
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY_BYTES}, {_MEMORY_BYTES}))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, OSError, ValueError):
    pass
import logging
import sqlglot
logging.disable()
try:
    sqlglot.maybe_parse(sys.stdin.read(), dialect=sys.argv[1], error_level=sqlglot.ErrorLevel.IMMEDIATE)
except MemoryError:
    sys.exit(1)
except Exception:
    pass
"""


def check_parses(text: str, dialect: sqlglot.Dialect) -> None:
    """Check that the parser comes to an end. Syntax errors are left to the caller.

    Raises:
        StatementError: the parser takes too long, too much memory, or crashes.
    """
    command = [sys.executable, "-I", "-c", _PROGRAM, type(dialect).__name__.lower()]
    try:
        done = subprocess.run(
            command,
            input=text.encode(errors="replace"),
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise _refused() from error
    if done.returncode != 0:
        raise _refused()


def _refused() -> StatementError:
    return StatementError(
        "The statement is nested so deeply that it takes the parser too long. Write it with WITH, or name its tables"
        " instead."
    )
