"""Finds the git repository that a folder belongs to, by its contents: this needs no library of git."""

from __future__ import annotations

from pathlib import Path

from datahub_llmops.errors import UnreachableError


def find_git_folder(path: Path) -> tuple[Path, str] | None:
    """Find the repository of a folder: its git folder, and the folder's path within the work tree.

    Raises:
        UnreachableError: the folder belongs to a work tree whose repository is somewhere else.
    """
    if _is_git_folder(path):
        return path, ""
    for folder in (path, *path.parents):
        inside = folder / ".git"
        if inside.is_symlink() or inside.is_file():
            raise UnreachableError(
                f"{folder}: its git folder is somewhere else, as in a linked work tree or a submodule. Set path to the "
                "repository itself."
            )
        if _is_git_folder(inside):
            within = path.relative_to(folder).as_posix()
            return inside, "" if within == "." else within
    return None


def _is_git_folder(path: Path) -> bool:
    return (path / "objects").is_dir() and (path / "refs").is_dir() and (path / "HEAD").is_file()
