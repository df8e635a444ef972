"""Installs the model plugin, an archive in this package, into the folder that a DataHub server reads plugins from."""

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
    """The plugin as packaged: the files of one folder ``datahub-llmops/<version>``."""

    version: str
    content: Mapping[PurePosixPath, bytes]
    """Maps a path below the folder to the bytes of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The result of ``install``."""

    path: Path
    version: str
    changed: bool
    """False if the same version was already installed."""
    created_folder: bool
    """True if the models folder is new. A server reads the folder only if it existed when the server started."""
    older: tuple[str, ...]
    """Other installed versions, lowest first. The server uses the highest version."""


def packaged() -> Archive:
    """Read the archive of this package.

    Raises:
        ModelsError: the archive is missing or damaged.
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
        ModelsError: the archive has another digest or layout.
    """
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelsError(f"{name} is damaged, because its digest is wrong: {_REINSTALL}.")
    root = PurePosixPath(REGISTRY, version)
    content: dict[PurePosixPath, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename)
                if not entry.is_dir():
                    content[_path_below(path, root, name)] = archive.read(entry)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelsError(f"{name} is damaged ({error}): {_REINSTALL}.") from error
    if PurePosixPath("entity-registry.yaml") not in content:
        raise ModelsError(f"{name} holds no {root}/entity-registry.yaml: {_REINSTALL}.")
    return Archive(version=version, content=content)


def _path_below(path: PurePosixPath, root: PurePosixPath, name: str) -> PurePosixPath:
    if not path.is_relative_to(root) or ".." in path.parts:
        raise ModelsError(f"{name} holds files outside of {root}: {_REINSTALL}.")
    return path.relative_to(root)


def install(directory: Path, archive: Archive | None = None) -> Installed:
    """Install the plugin below ``directory``, a server's folder of model plugins, completely or not at all.

    Args:
        directory: for example ``~/.datahub/plugins/models``. It is created if it is missing.
        archive: what to install, by default the archive of this package.

    Raises:
        ModelsError: the folder cannot be written, or has a newer version, or this version with other content.
    """
    plugin = packaged() if archive is None else archive
    registry = directory / REGISTRY
    target = registry / plugin.version
    others = _list_versions(registry, but=plugin.version)
    newer = [version for version in others if version_key(version) > version_key(plugin.version)]
    if newer:
        raise ModelsError(
            f"{registry / newer[-1]} is newer than {plugin.version}, and a server uses the newest version, so nothing "
            f"was installed. Upgrade the package datahub-llmops, or remove that folder and restart the server."
        )
    if os.path.lexists(target):
        _check_same(target, plugin)
        return Installed(
            path=target, version=plugin.version, changed=False, created_folder=False, older=tuple(others)
        )
    created = not directory.exists()
    with _explained_errors(directory):
        _write_plugin(directory, registry, target, plugin)
    return Installed(
        path=target, version=plugin.version, changed=True, created_folder=created, older=tuple(others)
    )


def _list_versions(registry: Path, *, but: str) -> list[str]:
    try:
        names = [child.name for child in registry.iterdir() if child.is_dir() and child.name != but]
    except OSError:
        return []
    return sorted(names, key=version_key)


def _check_same(target: Path, plugin: Archive) -> None:
    try:
        installed = {
            PurePosixPath(path.relative_to(target).as_posix()): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file()
        }
    except OSError as error:
        raise ModelsError(f"{target} exists and cannot be read: {error.strerror}.") from error
    if installed != dict(plugin.content):
        raise ModelsError(
            f"{target} exists with other content, so nothing was installed. Remove that folder, install again, and "
            "restart the server, because it reads each version only once."
        )


@contextmanager
def _explained_errors(directory: Path) -> Iterator[None]:
    """Turn errors of the file system into ``ModelsError`` with a next step."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "run the command as a user who may write there"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            hint = "a file is in the way, name a folder"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some disk space"
        else:
            hint = "name the folder from which the server reads its model plugins"
        raise ModelsError(
            f"Cannot write the model plugin into {directory} ({error.strerror or error}): {hint}. "
            "Nothing was installed."
        ) from error


def _write_plugin(directory: Path, registry: Path, target: Path, plugin: Archive) -> None:
    made = _make_folders(registry)
    staging: Path | None = None
    try:
        staging = _make_staging(directory)
        tree = staging / plugin.version
        _write_tree(tree, plugin)
        # A rename is one step, so a server that scans meanwhile sees all of the version or nothing.
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


def _make_staging(directory: Path) -> Path:
    """Make a folder on the same file system, beside ``directory`` if possible.

    A server takes every folder two levels below ``directory`` for a version of a plugin, even a half-written one.
    """
    parent = directory.resolve().parent
    same_system = parent.stat().st_dev == directory.stat().st_dev
    home = parent if same_system and os.access(parent, os.W_OK) else directory
    return Path(tempfile.mkdtemp(prefix=f".{REGISTRY}-", dir=home))


def _write_tree(tree: Path, plugin: Archive) -> None:
    # The modes are explicit because the server runs as another user than the installer.
    tree.mkdir()
    tree.chmod(0o755)
    for path, content in plugin.content.items():
        file = tree / path
        for folder in reversed([parent for parent in file.relative_to(tree).parents if parent.parts]):
            (tree / folder).mkdir(exist_ok=True)
            (tree / folder).chmod(0o755)
        file.write_bytes(content)
        file.chmod(0o644)
