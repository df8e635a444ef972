"""Payload provenance: rules turn the values that name a chunk's source into datasets, with counts of chunks."""

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
from datahub_llmops.errors import PatternError
from datahub_llmops.lineage.addresses import dataset_of, dataset_urn
from datahub_llmops.lineage.patterns import full_match
from datahub_llmops.lineage.schema_lookup import NoCatalog, SchemaLookup
from datahub_llmops.lineage.warning import LineageWarning
from datahub_llmops.net.attempts import Deadline

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
"""Fields in which frameworks name the source.

LangChain's loaders write ``source``, those of LlamaIndex ``file_path``, and our hooks ``dh_source_urn``.
"""

MAX_VALUE_LENGTH: Final = 2048
"""Longest value that is matched, in characters."""

_SECONDS: Final = 10.0
"""How long the rules of a recipe may take over all values of one collection."""

_PATH_PLATFORMS: Final = frozenset({"s3", "gcs", "abs", "hdfs", "file"})


class RuleConfig(ConfigModel):
    """One rule: the pattern of a provenance value, and the dataset that it names."""

    match: str = Field(
        description="Regular expression over the whole value, with named groups,"
        " for example `s3://(?P<bucket>[^/]+)/(?P<key>.+)`."
    )
    urn: str = Field(
        description="URN of the dataset, with the groups in braces, for example"
        " `urn:li:dataset:(urn:li:dataPlatform:s3,{bucket}/{key},PROD)`."
    )

    @model_validator(mode="after")
    def _check_rule(self) -> RuleConfig:
        _compile_rule(self)
        return self


class ProvenanceConfig(ConfigModel):
    """Options that say how upstream datasets are found in the payload."""

    fields: list[str] = Field(
        default_factory=lambda: list(DEFAULT_FIELDS),
        description="Payload fields that name the source of a chunk, for example `[source]`.",
    )
    rules: list[RuleConfig] = Field(
        default_factory=list,
        description="Rules that turn values into dataset URNs. They are tried in order, before the built-in rules;"
        " for example `[{match: 'kb/(?P<t>.+)', urn: 'urn:li:dataset:(urn:li:dataPlatform:postgres,kb.{t},PROD)'}]`.",
    )
    max_upstreams: int = Field(
        default=100,
        ge=1,
        description="Maximum number of sources of one collection. More are collapsed to their common folders;"
        " for example `100`.",
    )
    max_rows: int = Field(
        default=100_000,
        ge=1,
        description="Maximum number of rows to read if the store cannot count values itself, for example `100000`.",
    )
    max_values: int = Field(
        default=10_000,
        ge=1,
        description="Maximum number of distinct values of one field that a run counts, for example `10000`.",
    )

    @field_validator("fields")
    @classmethod
    def _check_fields(cls, fields: list[str]) -> list[str]:
        if any(not name.strip() for name in fields):
            raise ValueError(
                "provenance.fields holds an empty name: name a payload field, or delete the line"
            )
        return list(dict.fromkeys(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A compiled rule. ``template`` alternates literal text with names of groups."""

    pattern: str
    template: tuple[tuple[str, str | None], ...]

    def fill(self, groups: Mapping[str, str | None]) -> str:
        return "".join(
            text + (UrnEncoder.encode_string(groups[name] or "") if name else "")
            for text, name in self.template
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The compiled rules of one recipe. The built-in rules look for datasets in ``env``."""

    env: str
    own: tuple[_Rule, ...] = ()

    def match(self, value: str, deadline: Deadline | None = None) -> str | None:
        """Return the URN of the dataset that ``value`` names, or ``None`` if no rule matches.

        The first matching rule of the recipe decides; the built-in rules come last.

        Raises:
            PatternError: a rule of the recipe took longer than ``deadline``.
        """
        value = value.strip()
        if not value or len(value) > MAX_VALUE_LENGTH or not value.isprintable():
            return None
        for rule in self.own:
            groups = full_match(rule.pattern, value, seconds=deadline.left() if deadline else None)
            if groups is not None:
                return dataset_urn(rule.fill(groups))
        return dataset_of(value, self.env)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceCount:
    """A dataset that chunks came from.

    ``chunks`` is the number of chunks that name it, taken from the field that names it most often.
    """

    urn: str
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The upstream of one collection according to its payload. ``sources`` are sorted by URN.

    ``collapsed`` is the number of sources before they were collapsed to folders, or 0 if they were not.
    ``left_out`` counts the sources beyond ``max_upstreams`` that have no folder to collapse to.
    """

    sources: tuple[SourceCount, ...] = ()
    unmatched_values: int = 0
    unmatched_chunks: int = 0
    collapsed: int = 0
    left_out: int = 0
    problem: str | None = None
    """Why not all values could be matched, so that ``sources`` are not all sources."""
    warnings: tuple[LineageWarning, ...] = ()


def compile_rules(config: ProvenanceConfig, *, env: str) -> Rules:
    """Compile the rules of a recipe. The built-in rules look for datasets in ``env``."""
    return Rules(env=env, own=tuple(_compile_rule(rule) for rule in config.rules))


def find_upstreams(
    rules: Rules,
    counts: Iterable[ProvenanceCount],
    *,
    max_upstreams: int,
    lookup: SchemaLookup | None = None,
) -> Provenance:
    """Find the datasets that the chunks of a collection came from, by ``counts`` of provenance values.

    If the catalog behind ``lookup`` spells a dataset in another case, the result takes that spelling.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    chunks: dict[str, int] = {}
    unmatched_values = unmatched_chunks = 0
    deadline = Deadline.after(_SECONDS)
    for count in counts:
        in_field: dict[str, int] = {}
        for value, rows in count.values.items():
            try:
                urn = rules.match(value, deadline)
            except PatternError as error:
                return Provenance(problem=str(error))
            if urn is None:
                unmatched_values += 1
                unmatched_chunks += rows
            else:
                in_field[urn] = in_field.get(urn, 0) + rows
        # A chunk may name its source in two fields. The larger count is never too high; their sum may be.
        for urn, rows in in_field.items():
            chunks[urn] = max(chunks.get(urn, 0), rows)
    largest, left_out = _keep_largest(_collapse(chunks, max_upstreams), max_upstreams)
    spelled, warnings = _spell_as_cataloged(largest, lookup or NoCatalog())
    return Provenance(
        sources=tuple(SourceCount(urn=urn, chunks=spelled[urn]) for urn in sorted(spelled)),
        unmatched_values=unmatched_values,
        unmatched_chunks=unmatched_chunks,
        collapsed=len(chunks) if len(chunks) > max_upstreams else 0,
        left_out=left_out,
        warnings=warnings,
    )


def identity(urn: str) -> str:
    """Return a key that is equal for two spellings of one dataset.

    Case distinguishes objects and files, but not tables.
    """
    return urn if _is_path(DatasetUrn.from_string(urn)) else urn.lower()


def _compile_rule(rule: RuleConfig) -> _Rule:
    """Compile one rule. Raises ``ValueError`` with the rule in it if the rule cannot produce a dataset URN."""
    try:
        pattern = re.compile(rule.match)
    except re.error as error:
        raise ValueError(f"rule {rule.match!r} is not a regular expression: {error}") from error
    try:
        parsed = tuple(Formatter().parse(rule.urn))
    except ValueError as error:
        raise ValueError(
            f"rule {rule.match!r}: the braces of urn {rule.urn!r} are not balanced: {error}"
        ) from error
    for _, name, spec, conversion in parsed:
        if name is not None and (name not in pattern.groupindex or spec or conversion):
            known = ", ".join(sorted(pattern.groupindex)) or "none"
            raise ValueError(
                f"rule {rule.match!r}: urn uses the group {name!r}, which match does not define"
                f" (named groups of match: {known})"
            )
    compiled = _Rule(pattern=rule.match, template=tuple((text, name) for text, name, _, _ in parsed))
    # "PROD" is valid in every part of a URN, including the environment.
    if dataset_urn(compiled.fill(dict.fromkeys(pattern.groupindex, "PROD"))) is None:
        raise ValueError(
            f"rule {rule.match!r}: urn {rule.urn!r} is not a dataset URN;"
            " write urn:li:dataset:(urn:li:dataPlatform:<platform>,<name>,<env>)"
        )
    return compiled


def _collapse(chunks: Mapping[str, int], limit: int) -> dict[str, int]:
    """Shorten paths level by level, deepest first, until at most ``limit`` sources or only buckets remain."""
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
    return urn.get_data_platform_urn().platform_name in _PATH_PLATFORMS or "/" in urn.name


def _keep_largest(chunks: dict[str, int], limit: int) -> tuple[dict[str, int], int]:
    if len(chunks) <= limit:
        return chunks, 0
    ranked = sorted(chunks.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:limit]), len(ranked) - limit


def _spell_as_cataloged(
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
                    kind="note",
                    title="Ambiguous source in payload",
                    message="Several datasets in the catalog differ from this source in case only, so none of them was"
                    " chosen.",
                    context=", ".join(names),
                )
            )
        name = names[0] if urn not in names and len(names) == 1 else urn
        spelled[name] = spelled.get(name, 0) + rows
    return spelled, tuple(warnings)
