"""Writes recipes as whole files, and never over another one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from datahub_llmops.catalog.whole_file import new_file_mode
from datahub_llmops.errors import RecipeError


def write_new(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write each text to its file in ``folder``, which is made. Return the names of files that were there already.

    Raises:
        RecipeError: the folder cannot be written. What was written before stays, and each file is whole.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [name for name, text in texts.items() if not _write(folder / name, text)]
    except OSError as error:
        raise RecipeError(
            f"{folder}: {error.strerror or 'cannot be written'}; name another folder with --out"
        ) from error


def _write(path: Path, text: str) -> bool:
    """Write one file, visible only as a whole; return False if there is one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # A recipe has no secret.
        Path(temporary).chmod(new_file_mode())
        return _publish(Path(temporary), path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> bool:
    try:
        # Unlike a rename, a link never replaces a file.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:
        # The file system has no links.
        if path.exists():
            return False
        temporary.rename(path)
    return True
