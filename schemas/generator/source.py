"""Reads the Avro schemas that Pegasus wrote from the PDL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import yaml

POM = "{http://maven.apache.org/POM/4.0.0}"
Schema = Mapping[str, Any]


class SourceError(Exception):
    """The schemas cannot be used. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a record. If it is optional, ``avro_type`` does not include the null."""

    name: str
    avro_type: Any
    optional: bool
    doc: str
    annotations: Schema

    @property
    def item(self) -> Any:
        """Type of the items of an array, ``None`` for other types."""
        return self.avro_type["items"] if self.is_array else None

    @property
    def is_array(self) -> bool:
        return isinstance(self.avro_type, dict) and self.avro_type["type"] == "array"

    @property
    def record(self) -> Schema | None:
        """Schema of the record in the field or in its array."""
        inner = self.item if self.is_array else self.avro_type
        return inner if isinstance(inner, dict) and inner["type"] == "record" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. ``aspect`` is its ``@Aspect`` annotation, or ``None`` if it is no aspect."""

    name: str
    namespace: str
    doc: str
    fields: tuple[Field, ...]
    aspect: Schema | None
    avsc: Schema

    @property
    def aspect_name(self) -> str:
        assert self.aspect is not None
        return str(self.aspect["name"])

    @property
    def shown_as(self) -> Literal["properties", "tabular", "time series"]:
        assert self.aspect is not None
        if self.aspect.get("type") == "timeseries":
            return "time series"
        kind = self.aspect["renderSpec"]["displayType"]
        if kind not in ("properties", "tabular"):
            raise SourceError(f"{self.name}: displayType is {kind!r}, but must be properties or tabular.")
        return "tabular" if kind == "tabular" else "properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The input of the generator: ``aspects`` in the order of the registry, and ``nested``, the records inside them."""

    version: str
    aspects: tuple[Record, ...]
    nested: tuple[Record, ...]
    entities: Mapping[str, tuple[str, ...]]

    def carriers(self, aspect: str) -> tuple[str, ...]:
        """List the entity types that carry the aspect."""
        return tuple(entity for entity, aspects in self.entities.items() if aspect in aspects)


def one_line(text: str) -> str:
    return " ".join(text.split())


def parse_field(raw: Schema) -> Field:
    kind = raw["type"]
    optional = isinstance(kind, list)
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":
            raise SourceError(f"Field {raw['name']} is a union: make it optional of one type.")
        kind = kind[1]
    known = {"name", "type", "doc", "default"}
    annotations = {name: value for name, value in raw.items() if name not in known}
    return Field(
        name=raw["name"],
        avro_type=kind,
        optional=optional,
        doc=one_line(raw.get("doc", "")),
        annotations=annotations,
    )


def parse_record(raw: Schema) -> Record:
    return Record(
        name=raw["name"],
        namespace=raw["namespace"],
        doc=one_line(raw.get("doc", "")),
        fields=tuple(parse_field(field) for field in raw["fields"]),
        aspect=raw.get("Aspect"),
        avsc=sort_keys(raw),
    )


def sort_keys(value: Any) -> Any:
    """Sort the keys, so that the output is stable. Pegasus writes annotations in the order of a hash map."""
    if isinstance(value, dict):
        order = ["type", "name", "namespace", "doc", "fields", "items", "default"]
        names = [name for name in order if name in value] + sorted(set(value) - set(order))
        return {name: sort_keys(value[name]) for name in names}
    if isinstance(value, list):
        return [sort_keys(item) for item in value]
    return one_line(value) if isinstance(value, str) else value


def read_version(pom: Path) -> str:
    version = ElementTree.parse(pom).getroot().findtext(f"{POM}version")
    if not version:
        raise SourceError(f"{pom}: no <version>.")
    return version


def read_entities(registry: Path) -> dict[str, tuple[str, ...]]:
    loaded = yaml.safe_load(registry.read_text(encoding="utf-8"))
    return {entity["name"]: tuple(entity["aspects"]) for entity in loaded["entities"]}


def read_records(avsc: Path) -> dict[str, Record]:
    """Read every record below ``avsc``, keyed by name.

    Raises:
        SourceError: there are no records, because Maven has not run.
    """
    files = sorted(avsc.rglob("*.avsc"))
    if not files:
        raise SourceError(f"No Avro schemas below {avsc}: run `make schemas` (needs Maven and JDK 17).")
    records = (parse_record(json.loads(file.read_text(encoding="utf-8"))) for file in files)
    return {record.name: record for record in records}


def read_schemas(avsc: Path, registry: Path, version: str) -> Schemas:
    """Read the schemas of one version.

    Raises:
        SourceError: the registry and the records do not match.
    """
    records = read_records(avsc)
    entities = read_entities(registry)
    by_aspect = {record.aspect_name: record for record in records.values() if record.aspect}
    order = list(dict.fromkeys(aspect for aspects in entities.values() for aspect in aspects))
    missing = [aspect for aspect in order if aspect not in by_aspect]
    if missing:
        raise SourceError(f"{registry.name} names {', '.join(missing)}, but no PDL has such an @Aspect.")
    unlisted = sorted(set(by_aspect) - set(order))
    if unlisted:
        raise SourceError(
            f"No entity of {registry.name} has {', '.join(unlisted)}: add it, or remove its PDL."
        )
    nested = tuple(record for record in records.values() if record.aspect is None)
    return Schemas(
        version=version,
        aspects=tuple(by_aspect[aspect] for aspect in order),
        nested=nested,
        entities=entities,
    )
