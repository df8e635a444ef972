"""What to say where the package of an extra is not installed: the same command everywhere.

An extra has the name of its system, and the system's recipe type is that name behind ``llm-``.
https://packaging.python.org/en/latest/specifications/dependency-specifiers/#extras
"""

from __future__ import annotations

from datahub_llmops.errors import AccessError


def pip_install(*extras: str) -> str:
    """Return the command that installs the packages of extras.

    >>> pip_install("pgvector", "milvus")
    "pip install 'datahub-llmops[pgvector,milvus]'"
    """
    return f"pip install 'datahub-llmops[{','.join(extras)}]'"


def not_installed(what: str, extra: str, error: ImportError) -> AccessError:
    """Return the error to raise instead of ``error``, which the import of a package of the extra raised.

    It names the package, which may be one that another package of the extra needs.
    """
    package = (error.name or "").partition(".")[0]
    named = f" ({package})" if package else ""
    return AccessError(f"{what} needs a package that is not installed{named}: {pip_install(extra)}")
