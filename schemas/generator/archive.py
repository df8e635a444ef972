"""The committed archive: copied from the build, and compared with it."""

from __future__ import annotations

import hashlib
import io
import zipfile

PINNED_JDK = "17"


def digest(archive: bytes) -> str:
    return hashlib.sha256(archive).hexdigest()


def jar_of(archive: bytes) -> zipfile.ZipFile:
    """The one jar of the archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jar"))
        return zipfile.ZipFile(io.BytesIO(outer.read(name)))


def built_by(archive: bytes) -> str:
    """The JDK that built the jar, as its manifest says."""
    with jar_of(archive) as jar:
        manifest = jar.read("META-INF/MANIFEST.MF").decode()
    lines = dict(line.split(": ", 1) for line in manifest.splitlines() if ": " in line)
    return lines.get("Build-Jdk-Spec", "unknown")


def content(archive: bytes) -> dict[str, str]:
    """What does not depend on the compiler: the names of all entries, and the bytes of all but classes."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as outer:
        for name in outer.namelist():
            found[name] = "" if name.endswith(".jar") else digest(outer.read(name))
    with jar_of(archive) as jar:
        for name in jar.namelist():
            varies = name.endswith(".class") or name == "META-INF/MANIFEST.MF"
            found[f"jar:{name}"] = "" if varies else digest(jar.read(name))
    return found


def differences(committed: bytes, built: bytes) -> list[str]:
    """Why the committed archive is not what the build gives; empty when it is.

    Byte by byte when the build ran on the pinned JDK, else entries and schemas.
    """
    if committed == built:
        return []
    left, right = content(committed), content(built)
    named = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    if named:
        return [f"{name} differs" for name in named]
    if built_by(built) == PINNED_JDK:
        return [f"bytes differ, though both hold the same entries (committed by JDK {built_by(committed)})"]
    return []
