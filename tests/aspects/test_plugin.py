"""Installing the model plugin: all of it or nothing, and a message that says what to do."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest
from typing_extensions import override

from datahub_llmops.aspects.manifest import package_data
from datahub_llmops.aspects.plugin import Archive, install, packaged, read_archive
from datahub_llmops.errors import ModelsError
from support.paths import ROOT

VERSION: str = package_data()["version"]
PACKAGED = ROOT / "connectors" / "datahub_llmops" / "aspects" / "data" / package_data()["archive"]["file"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_plugin_is_laid_out_as_the_server_scans_it(tmp_path: Path) -> None:
    models = tmp_path / "plugins" / "models"
    done = install(models)
    assert (done.changed, done.created_folder, done.older) == (True, True, ())
    assert done.path == models / "datahub-llmops" / VERSION
    with zipfile.ZipFile(PACKAGED) as archive:
        expected = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    assert files(models) == expected
    assert names(tmp_path) == ["plugins"]
    assert names(tmp_path / "plugins") == ["models"]


def test_another_user_can_read_it_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        done = install(tmp_path / "models")
    finally:
        os.umask(before)
    for path in (done.path.parent, done.path, *done.path.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() else 0o644), path


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    done = install(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = install(tmp_path)
    assert (again.changed, again.path) == (False, done.path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_older_version_stays_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "datahub-llmops" / "0.0.9").mkdir(parents=True)
    (tmp_path / "datahub-llmops" / "0.0.10").mkdir()
    done = install(tmp_path)
    assert done.older == ("0.0.9", "0.0.10")
    assert not done.created_folder


def test_a_newer_version_is_not_joined(tmp_path: Path) -> None:
    (tmp_path / "datahub-llmops" / "99.0.0").mkdir(parents=True)
    with pytest.raises(ModelsError, match=r"99\.0\.0 is newer than .* so nothing was installed\. Upgrade"):
        install(tmp_path)
    assert names(tmp_path / "datahub-llmops") == ["99.0.0"]


def test_the_same_version_with_other_content_is_not_touched(tmp_path: Path) -> None:
    registry = tmp_path / "datahub-llmops" / VERSION / "entity-registry.yaml"
    registry.parent.mkdir(parents=True)
    registry.write_text("id: mine\n")
    with pytest.raises(ModelsError, match=r"with other content.*Remove that folder"):
        install(tmp_path)
    assert files(tmp_path) == {f"datahub-llmops/{VERSION}/entity-registry.yaml": b"id: mine\n"}


@pytest.fixture(params=["file", "proc"])
def unwritable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "proc":
        if not sys.platform.startswith("linux"):
            pytest.skip("/proc, which nobody may write, is on Linux only")
        yield Path("/proc/sys/models")
        return
    (tmp_path / "taken").write_text("")
    yield tmp_path / "taken" / "models"
    assert names(tmp_path) == ["taken"]


def test_a_folder_that_cannot_be_written(unwritable: Path) -> None:
    with pytest.raises(ModelsError, match=r"Cannot write the model plugin into .*Nothing was installed"):
        install(unwritable)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir(mode=0o500)
    with pytest.raises(ModelsError, match="as a user who may write there"):
        install(models)
    assert names(models) == []


@pytest.mark.parametrize("existing", [False, True], ids=["new folder", "folder that was there"])
def test_a_write_that_fails_in_the_middle_leaves_nothing(tmp_path: Path, existing: bool) -> None:
    models = tmp_path / "models"
    if existing:
        models.mkdir()
    # A path component beyond what a file system takes: the first file is written, the second is not.
    content = {PurePosixPath("entity-registry.yaml"): b"id: x\n", PurePosixPath("libs", "x" * 300): b"jar"}
    with pytest.raises(ModelsError, match="Nothing was installed"):
        install(models, Archive(version="0.1.0", content=content))
    assert names(tmp_path) == (["models"] if existing else [])
    assert not existing or names(models) == []


def test_the_version_appears_at_once(tmp_path: Path) -> None:
    """A server that scans while the files are written must see none of them: they are staged elsewhere."""
    models = tmp_path / "models"
    models.mkdir()
    seen: list[list[str]] = []

    class Watched(Mapping[PurePosixPath, bytes]):
        """Looks around whenever a file is about to be written."""

        @override
        def __getitem__(self, path: PurePosixPath) -> bytes:
            seen.append(sorted(found.relative_to(models).as_posix() for found in models.rglob("*")))
            return packaged().content[path]

        @override
        def __iter__(self) -> Iterator[PurePosixPath]:
            return iter(packaged().content)

        @override
        def __len__(self) -> int:
            return len(packaged().content)

    install(models, Archive(version="0.1.0", content=Watched()))
    assert seen == [["datahub-llmops"]] * len(packaged().content)


def test_a_damaged_archive_is_not_installed() -> None:
    raw = PACKAGED.read_bytes()
    digest = package_data()["archive"]["sha256"]
    with pytest.raises(ModelsError, match=r"damaged.*install the package datahub-llmops again"):
        read_archive(raw[:-100], name="x.zip", version=VERSION, sha256=digest)
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 1
    with pytest.raises(ModelsError, match="damaged"):
        read_archive(bytes(flipped), name="x.zip", version=VERSION, sha256=digest)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["datahub-llmops/0.1.0/../../../evil"], "outside of datahub-llmops/0.1.0"),
        (["/etc/evil"], "outside of datahub-llmops/0.1.0"),
        (["datahub-llmops/0.2.0/entity-registry.yaml"], "outside of datahub-llmops/0.1.0"),
        (["datahub-llmops/0.1.0/libs/a.jar"], "holds no datahub-llmops/0.1.0/entity-registry.yaml"),
    ],
)
def test_an_archive_of_another_layout_is_not_installed(
    tmp_path: Path, names: list[str], message: str
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    raw = path.read_bytes()
    with pytest.raises(ModelsError, match=message):
        read_archive(raw, name="x.zip", version="0.1.0", sha256=hashlib.sha256(raw).hexdigest())


def test_another_plugins_archive_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("datahub-llmops/0.1.0/entity-registry.yaml", "id: other\n")
    with pytest.raises(ModelsError, match="its digest is wrong"):
        read_archive(path.read_bytes(), name="x.zip", version="0.1.0", sha256="00")


def test_no_zip_at_all() -> None:
    raw = b"not a zip"
    with pytest.raises(ModelsError, match="damaged"):
        read_archive(raw, name="x.zip", version="0.1.0", sha256=hashlib.sha256(raw).hexdigest())
