"""The model plugin for a DataHub server: the archive in this package, put where a server looks for it."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from datahub_llmops.aspects.manifest import REGISTRY, package_data, version_key
from datahub_llmops.errors import ModelsError

_REINSTALL = "install the package datahub-llmops again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The plugin as it lies in the package: one folder ``datahub-llmops/<version>``."""

    version: str
    content: Mapping[PurePosixPath, bytes]
    """Path below the version's folder -> bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What ``install`` did."""

    path: Path
    version: str
    changed: bool
    """False when this very version was there already."""
    created_folder: bool
    """The models folder itself is new: a server looks into it only if it was there when the server started."""
    older: tuple[str, ...]
    """Other versions beside it, lowest first; the server lets the highest win."""


def packaged() -> Archive:
    """The archive of this package.

    Raises:
        ModelsError: it is missing or damaged.
    """
    expected: Mapping[str, str] = package_data()["archive"]
    name = expected["file"]
    try:
        raw = (files("datahub_llmops.aspects") / "data" / name).read_bytes()
    except OSError as error:
        raise ModelsError(f"The package holds no {name} ({error.strerror}): {_REINSTALL}.") from error
    return read_archive(raw, name=name, version=package_data()["version"], sha256=expected["sha256"])


def read_archive(raw: bytes, *, name: str, version: str, sha256: str) -> Archive:
    """Check and unpack an archive in memory.

    Raises:
        ModelsError: it is not the one whose digest is given, or not of the plugin's layout.
    """
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelsError(f"{name} is damaged, its digest is wrong: {_REINSTALL}.")
    root = PurePosixPath(REGISTRY, version)
    content: dict[PurePosixPath, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename)
                if not entry.is_dir():
                    content[_inside(path, root, name)] = archive.read(entry)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelsError(f"{name} is damaged ({error}): {_REINSTALL}.") from error
    if PurePosixPath("entity-registry.yaml") not in content:
        raise ModelsError(f"{name} holds no {root}/entity-registry.yaml: {_REINSTALL}.")
    return Archive(version=version, content=content)


def _inside(path: PurePosixPath, root: PurePosixPath, name: str) -> PurePosixPath:
    if not path.is_relative_to(root) or ".." in path.parts:
        raise ModelsError(f"{name} holds files outside of {root}: {_REINSTALL}.")
    return path.relative_to(root)


def install(directory: Path, archive: Archive | None = None) -> Installed:
    """Put the plugin below ``directory``, a server's folder of model plugins. All of it, or nothing.

    Args:
        directory: for example ``~/.datahub/plugins/models``; made when it is missing.
        archive: what to install, by default the package's own.

    Raises:
        ModelsError: the folder cannot be written, a newer version is there, or this version with other content.
    """
    plugin = packaged() if archive is None else archive
    registry = directory / REGISTRY
    target = registry / plugin.version
    others = _versions(registry, but=plugin.version)
    newer = [version for version in others if version_key(version) > version_key(plugin.version)]
    if newer:
        raise ModelsError(
            f"{registry / newer[-1]} is newer than {plugin.version}, and a server takes the newest: nothing was "
            f"installed. Upgrade the package datahub-llmops, or remove that folder and restart the server."
        )
    if os.path.lexists(target):
        _same_or_refuse(target, plugin)
        return Installed(
            path=target, version=plugin.version, changed=False, created_folder=False, older=tuple(others)
        )
    created = not directory.exists()
    with _readable_errors(directory):
        _place(directory, registry, target, plugin)
    return Installed(
        path=target, version=plugin.version, changed=True, created_folder=created, older=tuple(others)
    )


def _versions(registry: Path, *, but: str) -> list[str]:
    try:
        found = [child.name for child in registry.iterdir() if child.is_dir() and child.name != but]
    except OSError:
        return []
    return sorted(found, key=version_key)


def _same_or_refuse(target: Path, plugin: Archive) -> None:
    try:
        there = {
            PurePosixPath(path.relative_to(target).as_posix()): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file()
        }
    except OSError as error:
        raise ModelsError(f"{target} is there already and cannot be read: {error.strerror}.") from error
    if there != dict(plugin.content):
        raise ModelsError(
            f"{target} is there already and holds something else: nothing was installed. Remove that folder, install "
            "again, and restart the server, which never reads a version twice."
        )


@contextmanager
def _readable_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "run the command as a user who may write there"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            hint = "a file is in the way, give a folder"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "make room"
        else:
            hint = "give the folder that the server reads its model plugins from"
        raise ModelsError(
            f"Cannot write the model plugin into {directory} ({error.strerror or error}): {hint}. "
            "Nothing was installed."
        ) from error


def _place(directory: Path, registry: Path, target: Path, plugin: Archive) -> None:
    made = _make_folders(registry)
    staging: Path | None = None
    try:
        staging = _staging(directory)
        tree = staging / plugin.version
        _write_tree(tree, plugin)
        # One step: a server that scans meanwhile sees the whole version or none.
        tree.rename(target)
    except OSError:
        for folder in reversed(made):
            folder.rmdir()
        raise
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _make_folders(registry: Path) -> list[Path]:
    missing = [path for path in (registry, *registry.parents) if not path.exists()]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
            if path in (registry, registry.parent):
                path.chmod(0o755)
    except OSError:
        for path in reversed(made):
            path.rmdir()
        raise
    return made


def _staging(directory: Path) -> Path:
    """A folder on the same file system, beside the scanned one where that can be.

    A server takes every folder two levels down for a version of a plugin, half-written ones too.
    """
    parent = directory.resolve().parent
    same_system = parent.stat().st_dev == directory.stat().st_dev
    home = parent if same_system and os.access(parent, os.W_OK) else directory
    return Path(tempfile.mkdtemp(prefix=f".{REGISTRY}-", dir=home))


def _write_tree(tree: Path, plugin: Archive) -> None:
    # Explicit modes: the server runs as another user than the one who installs.
    tree.mkdir()
    tree.chmod(0o755)
    for path, content in plugin.content.items():
        file = tree / path
        for folder in reversed([parent for parent in file.relative_to(tree).parents if parent.parts]):
            (tree / folder).mkdir(exist_ok=True)
            (tree / folder).chmod(0o755)
        file.write_bytes(content)
        file.chmod(0o644)
