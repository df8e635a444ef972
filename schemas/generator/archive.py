"""Compares the committed archive with the one that Maven builds."""

from __future__ import annotations

import hashlib
import io
import zipfile

PINNED_JDK = "17"


def digest(archive: bytes) -> str:
    return hashlib.sha256(archive).hexdigest()


def jar_of(archive: bytes) -> zipfile.ZipFile:
    """Open the jar inside the archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jar"))
        return zipfile.ZipFile(io.BytesIO(outer.read(name)))


def built_by(archive: bytes) -> str:
    """Return the version of the JDK that built the jar, from its manifest."""
    with jar_of(archive) as jar:
        manifest = jar.read("META-INF/MANIFEST.MF").decode()
    lines = dict(line.split(": ", 1) for line in manifest.splitlines() if ": " in line)
    return lines.get("Build-Jdk-Spec", "unknown")


def content(archive: bytes) -> dict[str, str]:
    """Return what does not depend on the compiler: the names of all entries, and digests of all but classes."""
    digests: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as outer:
        for name in outer.namelist():
            digests[name] = "" if name.endswith(".jar") else digest(outer.read(name))
    with jar_of(archive) as jar:
        for name in jar.namelist():
            varies = name.endswith(".class") or name == "META-INF/MANIFEST.MF"
            digests[f"jar:{name}"] = "" if varies else digest(jar.read(name))
    return digests


def differences(committed: bytes, built: bytes) -> list[str]:
    """List the differences between the committed archive and the one just built.

    If the pinned JDK built both, every byte counts. Otherwise only entries and schemas do.
    """
    if committed == built:
        return []
    left, right = content(committed), content(built)
    names = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    if names:
        return [f"{name} differs" for name in names]
    if built_by(built) == PINNED_JDK:
        return [f"bytes differ, though both hold the same entries (committed by JDK {built_by(committed)})"]
    return []
