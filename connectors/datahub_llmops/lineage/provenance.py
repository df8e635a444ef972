"""Payload provenance: values that say where a chunk came from -> datasets, by rules; counts -> upstream edges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Final

from datahub.configuration.common import ConfigModel
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urn_encoder import UrnEncoder
from pydantic import Field, field_validator, model_validator

from datahub_llmops import urns
from datahub_llmops.assets.collections import ProvenanceCount
from datahub_llmops.lineage.addresses import dataset_of, dataset_urn
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.warning import LineageWarning

DEFAULT_FIELDS: Final = (
    "dh_source_urn",
    "source",
    "source_uri",
    "source_url",
    "doc_uri",
    "document_uri",
    "uri",
    "url",
    "file_path",
    "path",
    "table",
    "dataset",
)
"""Where frameworks put it: LangChain's loaders write ``source``, LlamaIndex's ``file_path``, ours ``dh_source_urn``."""

MAX_VALUE_LENGTH: Final = 2048
"""Characters. A longer value is no address; the bound keeps a bad pattern from running away on hostile input."""

_PATHS: Final = frozenset({"s3", "gcs", "abs", "hdfs", "file"})


class RuleConfig(ConfigModel):
    """One rule: what a provenance value looks like, and the dataset that it means."""

    match: str = Field(
        description="Regular expression over the whole value, with named groups,"
        " for example `s3://(?P<bucket>[^/]+)/(?P<key>.+)`."
    )
    urn: str = Field(
        description="URN of the dataset, with the groups in braces, for example"
        " `urn:li:dataset:(urn:li:dataPlatform:s3,{bucket}/{key},PROD)`."
    )

    @model_validator(mode="after")
    def _fits(self) -> RuleConfig:
        _compile(self)
        return self


class ProvenanceConfig(ConfigModel):
    """How upstream datasets are found in the payload."""

    fields: list[str] = Field(
        default_factory=lambda: list(DEFAULT_FIELDS),
        description="Payload fields that say where a chunk came from, for example `[source]`.",
    )
    rules: list[RuleConfig] = Field(
        default_factory=list,
        description="Rules that turn values into dataset URNs, tried in order and before the built-in ones,"
        " for example `[{match: 'kb/(?P<t>.+)', urn: 'urn:li:dataset:(urn:li:dataPlatform:postgres,kb.{t},PROD)'}]`.",
    )
    max_upstreams: int = Field(
        default=100,
        ge=1,
        description="Above this many sources they collapse to their common folders, for example `100`.",
    )
    max_rows: int = Field(
        default=100_000,
        ge=1,
        description="Rows looked at where the store cannot count values itself, for example `100000`.",
    )
    max_values: int = Field(
        default=10_000,
        ge=1,
        description="Distinct values of one field that are kept apart in one run, for example `10000`.",
    )

    @field_validator("fields")
    @classmethod
    def _named(cls, fields: list[str]) -> list[str]:
        if any(not name.strip() for name in fields):
            raise ValueError(
                "provenance.fields holds an empty name: name a payload field, or leave the line out"
            )
        return list(dict.fromkeys(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    template: tuple[tuple[str, str | None], ...]

    def fill(self, groups: Mapping[str, str | None]) -> str:
        return "".join(
            text + (UrnEncoder.encode_string(groups[name] or "") if name else "")
            for text, name in self.template
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Compiled rules of one recipe."""

    env: str
    own: tuple[_Rule, ...] = ()

    def match(self, value: str) -> str | None:
        """URN of the dataset that ``value`` means: by the first of the recipe's rules, else by a built-in one."""
        value = value.strip()
        if not value or len(value) > MAX_VALUE_LENGTH or not value.isprintable():
            return None
        for rule in self.own:
            if found := rule.pattern.fullmatch(value):
                return dataset_urn(rule.fill(found.groupdict()))
        return dataset_of(value, self.env)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceCount:
    """A dataset that chunks came from. ``chunks`` is how many say so: in the field that names it most often."""

    urn: str
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the payload of one collection says about its upstream; ``sources`` are sorted by URN.

    ``collapsed`` counts the sources that stood behind ``sources`` before they were joined to folders, 0 when they
    were not; ``left_out`` counts sources beyond ``max_upstreams`` that have no folder to collapse to.
    """

    sources: tuple[SourceCount, ...] = ()
    unmatched_values: int = 0
    unmatched_chunks: int = 0
    collapsed: int = 0
    left_out: int = 0
    warnings: tuple[LineageWarning, ...] = ()


def compile(config: ProvenanceConfig, *, env: str) -> Rules:
    """The recipe's rules, ready to match; ``env`` is where the built-in rules look for datasets."""
    return Rules(env=env, own=tuple(_compile(rule) for rule in config.rules))


def upstreams(
    rules: Rules,
    counts: Iterable[ProvenanceCount],
    *,
    max_upstreams: int,
    lookup: SchemaLookup | None = None,
) -> Provenance:
    """The datasets that a collection's chunks say they came from.

    A dataset that a catalog behind ``lookup`` spells in another case takes that spelling.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    chunks: dict[str, int] = {}
    unmatched_values = unmatched_chunks = 0
    for count in counts:
        in_field: dict[str, int] = {}
        for value, rows in count.values.items():
            urn = rules.match(value)
            if urn is None:
                unmatched_values += 1
                unmatched_chunks += rows
            else:
                in_field[urn] = in_field.get(urn, 0) + rows
        # A chunk may name its source in two fields: the larger count, not their sum, is never too high.
        for urn, rows in in_field.items():
            chunks[urn] = max(chunks.get(urn, 0), rows)
    kept = _collapse(chunks, max_upstreams)
    kept, left_out = _largest(kept, max_upstreams)
    spelled, warnings = _as_cataloged(kept, lookup or NoCatalog())
    return Provenance(
        sources=tuple(SourceCount(urn=urn, chunks=spelled[urn]) for urn in sorted(spelled)),
        unmatched_values=unmatched_values,
        unmatched_chunks=unmatched_chunks,
        collapsed=len(chunks) if len(chunks) > max_upstreams else 0,
        left_out=left_out,
        warnings=warnings,
    )


def identity(urn: str) -> str:
    """What two spellings of one dataset share: objects and files are told apart by case, tables are not."""
    return urn if _is_path(DatasetUrn.from_string(urn)) else urn.lower()


def _compile(rule: RuleConfig) -> _Rule:
    """Raises ``ValueError``, naming the rule, where it can never give a dataset URN."""
    try:
        pattern = re.compile(rule.match)
    except re.error as error:
        raise ValueError(f"rule {rule.match!r} is not a regular expression: {error}") from error
    try:
        parsed = tuple(Formatter().parse(rule.urn))
    except ValueError as error:
        raise ValueError(
            f"rule {rule.match!r}: the braces of urn {rule.urn!r} do not pair: {error}"
        ) from error
    for _, name, spec, conversion in parsed:
        if name is not None and (name not in pattern.groupindex or spec or conversion):
            known = ", ".join(sorted(pattern.groupindex)) or "none"
            raise ValueError(
                f"rule {rule.match!r}: urn names the group {name!r}, which match does not have"
                f" (named groups of match: {known})"
            )
    compiled = _Rule(pattern=pattern, template=tuple((text, name) for text, name, _, _ in parsed))
    # "PROD" fits wherever a group may stand, the environment too.
    if dataset_urn(compiled.fill(dict.fromkeys(pattern.groupindex, "PROD"))) is None:
        raise ValueError(
            f"rule {rule.match!r}: urn {rule.urn!r} is not a dataset URN;"
            " write urn:li:dataset:(urn:li:dataPlatform:<platform>,<name>,<env>)"
        )
    return compiled


def _collapse(chunks: Mapping[str, int], limit: int) -> dict[str, int]:
    """Cut paths level by level, deepest first, until ``limit`` sources are left or only buckets are."""
    current = dict(chunks)
    depth = max((_depth(urn) for urn in current), default=0)
    while len(current) > limit and depth > 1:
        depth -= 1
        cut: dict[str, int] = {}
        for urn, rows in current.items():
            folder = _folder(urn, depth)
            cut[folder] = cut.get(folder, 0) + rows
        current = cut
    return current


def _depth(urn: str) -> int:
    parsed = DatasetUrn.from_string(urn)
    return parsed.name.strip("/").count("/") + 1 if _is_path(parsed) else 0


def _folder(urn: str, depth: int) -> str:
    parsed = DatasetUrn.from_string(urn)
    if not _is_path(parsed):
        return urn
    root = "/" if parsed.name.startswith("/") else ""
    parts = parsed.name.strip("/").split("/")
    if len(parts) <= depth:
        return urn
    return urns.dataset(parsed.platform, root + "/".join(parts[:depth]), env=parsed.env)


def _is_path(urn: DatasetUrn) -> bool:
    return urn.get_data_platform_urn().platform_name in _PATHS or "/" in urn.name


def _largest(chunks: dict[str, int], limit: int) -> tuple[dict[str, int], int]:
    if len(chunks) <= limit:
        return chunks, 0
    ranked = sorted(chunks.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:limit]), len(ranked) - limit


def _as_cataloged(
    chunks: Mapping[str, int], lookup: SchemaLookup
) -> tuple[dict[str, int], tuple[LineageWarning, ...]]:
    spelled: dict[str, int] = {}
    warnings: list[LineageWarning] = []
    for urn, rows in chunks.items():
        path = _is_path(DatasetUrn.from_string(urn))
        names: Sequence[str] = () if path else sorted(lookup.schemas(urn))
        if urn not in names and len(names) > 1:
            warnings.append(
                LineageWarning(
                    title="Ambiguous source in payload",
                    message="Several datasets of the catalog differ from it in case only; none of them was taken.",
                    context=", ".join(names),
                )
            )
        name = names[0] if urn not in names and len(names) == 1 else urn
        spelled[name] = spelled.get(name, 0) + rows
    return spelled, tuple(warnings)
