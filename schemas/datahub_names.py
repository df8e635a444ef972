"""Lists the names that DataHub itself uses. The Java tests check that our schemas use none of them.

Usage: python schemas/datahub_names.py > schemas/src/test/resources/datahub-names.txt
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from datahub.emitter.aspect import ASPECT_MAP
from datahub.metadata.schema_classes import KEY_ASPECTS


def annotated(node: Any, annotation: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each annotation of one kind in a schema, with its field name. Every override for a path counts."""
    if isinstance(node, list):
        for item in node:
            yield from annotated(item, annotation)
        return
    if not isinstance(node, dict):
        return
    value = node.get(annotation)
    if isinstance(value, dict):
        paths = [inner for key, inner in value.items() if key.startswith("/") and isinstance(inner, dict)]
        for inner in paths or [value]:
            yield str(node.get("name", "")), inner
    for key, item in node.items():
        if key != annotation:
            yield from annotated(item, annotation)


def names() -> Iterator[str]:
    """Yield lines of the form ``aspect NAME``, ``relationship NAME`` or ``search ENTITY NAME``."""
    for aspect in ASPECT_MAP:
        yield f"aspect {aspect}"
    for entity, key in KEY_ASPECTS.items():
        for aspect in (key.ASPECT_NAME, *key.ASPECT_INFO["entityAspects"]):
            if aspect not in ASPECT_MAP:
                continue
            schema = ASPECT_MAP[aspect].RECORD_SCHEMA.to_json()  # type: ignore[no-untyped-call]  # avro has no annotations
            for field, searchable in annotated(schema, "Searchable"):
                yield f"search {entity} {searchable.get('fieldName', field)}"
                yield from (
                    f"search {entity} {searchable[extra]}"
                    for extra in ("hasValuesFieldName", "numValuesFieldName")
                    if extra in searchable
                )
            for _, relationship in annotated(schema, "Relationship"):
                yield f"relationship {relationship['name']}"


def main() -> None:
    lines = [
        f"# Names in acryl-datahub {version('acryl-datahub')}, written by datahub_names.py",
        *sorted(set(names())),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
