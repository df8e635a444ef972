"""Writes or checks everything that is generated from the PDL. ``make schemas`` runs it after Maven.

Usage: python schemas/generate.py [--check | --release]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator import archive, classes, pages, properties
from generator.source import (
    Record,
    Schemas,
    SourceError,
    read_entities,
    read_records,
    read_schemas,
    read_version,
)

HERE = Path(__file__).resolve().parent


def field_paths(record: Record, nested: dict[str, Record]) -> list[str]:
    """List the field paths of a record. Fields of nested records have dotted paths."""
    paths: list[str] = []
    for field in record.fields:
        paths.append(field.name)
        if field.record:
            inner = field_paths(nested[field.record["name"]], nested)
            paths += [f"{field.name}.{path}" for path in inner]
    return paths


def version_table(schemas: Schemas, released: Path) -> dict[str, dict[str, list[str]]]:
    """Map every released version, and the current one, to its aspects and their field paths."""
    table: dict[str, dict[str, list[str]]] = {}
    for folder in sorted(released.iterdir()) if released.is_dir() else ():
        records = read_records(folder / "avsc")
        carried = read_entities(folder / "entity-registry.yaml")
        names = {aspect for aspects in carried.values() for aspect in aspects}
        aspects = (record for record in records.values() if record.aspect and record.aspect_name in names)
        table[folder.name] = {record.aspect_name: field_paths(record, records) for record in aspects}
    nested = {record.name: record for record in schemas.nested}
    current = {record.aspect_name: field_paths(record, nested) for record in schemas.aspects}
    if table.get(schemas.version, current) != current:
        raise SourceError(
            f"schemas/released/{schemas.version} has other fields than the PDL. A released version must not change: "
            "raise <version> in schemas/pom.xml."
        )
    table[schemas.version] = current
    order = sorted(table, key=lambda version: [int(part) for part in version.split(".")])
    return {version: {name: table[version][name] for name in sorted(table[version])} for version in order}


def package_data(schemas: Schemas, built: bytes, file_name: str) -> str:
    """Return the text of ``schemas.json``."""
    data: dict[str, Any] = {
        "version": schemas.version,
        "archive": {"file": file_name, "sha256": archive.digest(built)},
        "entities": schemas.entities,
        "versions": version_table(schemas, HERE / "released"),
        "properties": properties.properties(schemas),
        "schemas": [record.avsc for record in schemas.aspects],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def format_code(text: str) -> str:
    """Format generated code with the project's own formatter, so that it passes the check of formats."""
    command = [sys.executable, "-m", "ruff", "format", "-", "--stdin-filename", "generated.py"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=HERE.parent)
    if done.returncode:
        raise SourceError(f"ruff could not format generated.py: {done.stderr.strip()}")
    return done.stdout


def outputs(root: Path, target: Path) -> dict[Path, bytes]:
    """Map the path of every generated file to its content."""
    version = read_version(HERE / "pom.xml")
    schemas = read_schemas(target / "avsc", HERE / "entity-registry.yaml", version)
    name = f"datahub-llmops-models-{version}.zip"
    fresh = target / name
    if not fresh.is_file():
        raise SourceError(f"{fresh} is missing: run `make schemas` (needs Maven and JDK 17).")
    built = fresh.read_bytes()
    package = root / "connectors" / "datahub_llmops" / "aspects"
    committed = package / "data" / name
    if committed.is_file() and not archive.differences(committed.read_bytes(), built):
        # Another JDK compiles the same content to other bytes. The committed archive stays in that case.
        built = committed.read_bytes()
    return {
        package / "generated.py": format_code(classes.render(schemas)).encode(),
        package / "data" / "schemas.json": package_data(schemas, built, name).encode(),
        committed: built,
        root / "schemas" / "structured-properties.yaml": properties.render(schemas).encode(),
        root / "docs" / "schemas.md": pages.render(schemas).encode(),
    }


def list_stale(root: Path, wanted: dict[Path, bytes]) -> list[str]:
    """List the files that differ from what is generated, one line for each."""
    lines = []
    for path, content in wanted.items():
        name = path.relative_to(root)
        if not path.is_file():
            lines.append(f"{name} is missing")
        elif path.suffix == ".zip":
            lines += [f"{name}: {line}" for line in archive.differences(path.read_bytes(), content)]
        elif path.read_bytes() != content:
            lines.append(f"{name} is stale")
    for old in (root / "connectors" / "datahub_llmops" / "aspects" / "data").glob("*.zip"):
        if old not in wanted:
            lines.append(f"{old.relative_to(root)} belongs to another version")
    return lines


def write(root: Path, wanted: dict[Path, bytes]) -> None:
    """Write the generated files that changed, and remove archives of other versions."""
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
            sys.stdout.write(f"wrote {path.relative_to(root)}\n")
    for old in (root / "connectors" / "datahub_llmops" / "aspects" / "data").glob("*.zip"):
        if old not in wanted:
            old.unlink()
            sys.stdout.write(f"removed {old.relative_to(root)}\n")


def release(target: Path) -> None:
    """Keep the current schemas as a released version, with which later schemas are compared."""
    version = read_version(HERE / "pom.xml")
    folder = HERE / "released" / version
    if folder.exists():
        raise SourceError(f"{folder.relative_to(HERE.parent)} exists. A released version must not change.")
    read_schemas(target / "avsc", HERE / "entity-registry.yaml", version)
    shutil.copytree(HERE / "src" / "main" / "pegasus", folder / "pegasus")
    (folder / "avsc").mkdir()
    for file in sorted((target / "avsc").rglob("*.avsc")):
        shutil.copyfile(file, folder / "avsc" / file.name)
    shutil.copyfile(HERE / "entity-registry.yaml", folder / "entity-registry.yaml")
    sys.stdout.write(f"kept {folder.relative_to(HERE.parent)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write or check what is generated from the PDL.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="change nothing, and fail if a file is stale")
    group.add_argument("--release", action="store_true", help="keep the schemas below schemas/released/")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="checkout to write into or to check")
    parser.add_argument("--target", type=Path, default=HERE / "target", help="Maven's output folder")
    options = parser.parse_args(arguments)
    try:
        if options.release:
            release(options.target)
            return 0
        wanted = outputs(options.root, options.target)
        if not options.check:
            write(options.root, wanted)
            return 0
        stale = list_stale(options.root, wanted)
    except SourceError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for line in stale:
        sys.stderr.write(f"error: {line}; run `make schemas` and commit what it writes\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
