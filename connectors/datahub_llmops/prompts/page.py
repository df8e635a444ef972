"""Everything that a catalog knows of one prompt: versions, moves of labels, uses, scores, cost, and texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from datahub_llmops.catalog.aspect_facts import PROPERTY_PREFIX, read_columns, read_properties
from datahub_llmops.catalog.protocol import Aspect, FullCatalog
from datahub_llmops.catalog.usage_totals import TYPED, read_usage
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.net.json_values import mapping, moment, text, utc
from datahub_llmops.prompts.estate import DIGEST, Estate, KnownPrompt, Version
from datahub_llmops.prompts.findings import KINDS, Kind, since

_MOVES: Final = "operation"
_SCORES: Final = "llmScores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A label that moved, between two runs of its registry's recipe."""

    label: str
    origin: str | None
    target: str | None
    after: str
    before: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The last score of one metric. ``passed`` is ``None`` without a threshold, and where it is not known."""

    metric: str
    value: float | None
    count: int | None
    passed: bool | None
    when: datetime | None = None
    data_set: str | None = None
    judge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one version was used for in the days that are known. ``cost`` is ``None`` if it is not known of each day."""

    calls: int
    errors: int | None
    tokens: int | None
    cost: float | None
    currency: str | None
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """One version with everything that is known of it."""

    known: Version
    digest: str | None
    variables: tuple[str, ...]
    created: datetime | None
    author: str | None
    message: str | None
    model: str | None
    settings: Mapping[str, str]
    url: str | None
    text: str | None
    scores: tuple[Score, ...]
    usage: Usage | None
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A finding, and since when it holds, as far as that is known."""

    kind: Kind
    version: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPage:
    """One prompt, its versions newest first, moves and findings newest first."""

    prompt: KnownPrompt
    versions: tuple[VersionPage, ...]
    moves: tuple[Move, ...]
    findings: tuple[Dated, ...]


def find_prompt(estate: Estate, typed: str) -> KnownPrompt:
    """Find the prompt that ``typed`` means: its name, or ``platform:name``, or the end of its name after a slash.

    Raises:
        UnknownAssetError: there is none, or several; the message lists them.
    """
    wanted = typed.casefold()
    exact = [one for one in estate.prompts if wanted in _names(one)]
    found = exact or [
        one for one in estate.prompts if any(name.endswith(f"/{wanted}") for name in _names(one))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownAssetError(
            f"no prompt in the catalog is named {typed!r}; list them: datahub-llmops prompts"
        )
    listed = "\n".join(f"  {one.shown}" for one in found[:20])
    raise UnknownAssetError(f"{typed!r} is ambiguous; use one of these names:\n{listed}")


def _names(prompt: KnownPrompt) -> set[str]:
    return {prompt.name.casefold(), prompt.shown.casefold()}


def read_page(catalog: FullCatalog, prompt: KnownPrompt) -> PromptPage:
    """Read everything about one prompt.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    (page,) = read_pages(catalog, [prompt])
    return page


def read_pages(catalog: FullCatalog, prompts: Sequence[KnownPrompt]) -> list[PromptPage]:
    """Read everything about several prompts."""
    urns = [version.urn for prompt in prompts for version in prompt.versions]
    aspects = catalog.aspects_of(urns)
    series = catalog.series_of(urns, (_MOVES, _SCORES, TYPED))
    return [_page(prompt, aspects, series) for prompt in prompts]


def _page(
    prompt: KnownPrompt,
    aspects: Mapping[str, Mapping[str, Aspect]],
    series: Mapping[str, Mapping[str, Sequence[Aspect]]],
) -> PromptPage:
    pages = [
        _version(version, aspects.get(version.urn, {}), series.get(version.urn, {}))
        for version in prompt.versions
    ]
    records = [
        record for version in prompt.versions for record in series.get(version.urn, {}).get(_MOVES, ())
    ]
    records.sort(key=_moved_at, reverse=True)
    moves = [move for record in records if (move := _move(record)) is not None]
    return PromptPage(
        prompt=prompt,
        versions=tuple(sorted(pages, key=lambda page: page.order, reverse=True)),
        moves=tuple(moves),
        findings=tuple(_findings(prompt, moves)),
    )


def _version(
    known: Version, aspects: Mapping[str, Aspect], series: Mapping[str, Sequence[Aspect]]
) -> VersionPage:
    about = mapping(aspects.get("datasetProperties"))
    custom = {key: value for key, value in mapping(about.get("customProperties")).items() if text(value)}
    placed = mapping(aspects.get("versionProperties"))
    assigned = read_properties(
        mapping(aspects.get("structuredProperties")),
        {f"{PROPERTY_PREFIX}{name}": name for name in (DIGEST, "prompt_model")},
    )
    return VersionPage(
        known=known,
        digest=_first(assigned.get(DIGEST)) or text(mapping(aspects.get("promptInfo")).get("templateDigest")),
        variables=tuple(read_columns(mapping(aspects.get("schemaMetadata")))),
        created=_millis(mapping(about.get("created")).get("time")),
        author=text(custom.get("author")),
        message=text(placed.get("comment")) or text(custom.get("commit_message")),
        model=_first(assigned.get("prompt_model")),
        settings={
            key.removeprefix("model."): value for key, value in custom.items() if key.startswith("model.")
        },
        url=text(about.get("externalUrl")),
        text=text(mapping(aspects.get("viewProperties")).get("viewLogic")),
        scores=tuple(_scores(series.get(_SCORES, ()))),
        usage=_usage(series.get(TYPED, ())),
        order=text(placed.get("sortId")) or known.version.zfill(10),
    )


def _first(values: Sequence[str | float] | None) -> str | None:
    return str(values[0]) if values else None


def _millis(value: object) -> datetime | None:
    return utc(value / 1000) if isinstance(value, int) and value > 0 else None


def _moved_at(record: Aspect) -> tuple[float, float]:
    before, after = record.get("lastUpdatedTimestamp"), record.get("timestampMillis")
    return (
        before if isinstance(before, (int, float)) else 0,
        after if isinstance(after, (int, float)) else 0,
    )


def _move(record: Aspect) -> Move | None:
    if record.get("customOperationType") != "label moved":
        return None
    stated = mapping(record.get("customProperties"))
    label, after, before = (text(stated.get(key)) for key in ("label", "after", "before"))
    if label is None or after is None or before is None:
        return None
    return Move(
        label=label,
        origin=text(stated.get("from")),
        target=text(stated.get("to")),
        after=after,
        before=before,
        by=text(stated.get("by")),
    )


def _scores(records: Iterable[Aspect]) -> list[Score]:
    """The last score of each metric, data set and judge."""
    last: dict[tuple[object, ...], tuple[float, Score]] = {}
    for record in records:
        metric, at = text(record.get("metric")), record.get("timestampMillis")
        if metric is None or not isinstance(at, (int, float)):
            continue
        judge = text(record.get("judgeName")) or text(record.get("judgeKind"))
        key = (metric, record.get("dataSet"), judge, record.get("judgeVersion"), record.get("judgeModel"))
        if key not in last or at >= last[key][0]:
            last[key] = at, _score(metric, record, judge)
    return [score for _, score in sorted(last.values(), key=lambda found: (found[1].metric, -found[0]))]


def _score(metric: str, record: Mapping[str, Any], judge: str | None) -> Score:
    mean, count, passed = record.get("mean"), record.get("scores"), record.get("passed")
    return Score(
        metric=metric,
        value=float(mean) if isinstance(mean, (int, float)) else None,
        count=count if isinstance(count, int) else None,
        passed=passed if isinstance(passed, bool) else None,
        when=_millis(record.get("timestampMillis")),
        data_set=text(record.get("dataSet")),
        judge=judge,
    )


def _usage(records: Sequence[Aspect]) -> Usage | None:
    total = read_usage({TYPED: records})
    if total is None:
        return None
    tokens = total.input_tokens, total.output_tokens
    return Usage(
        calls=total.calls,
        errors=total.errors,
        tokens=None if None in tokens else sum(filter(None, tokens)),
        cost=total.cost,
        currency=total.currency,
        days=total.days,
    )


def _findings(prompt: KnownPrompt, moves: Sequence[Move]) -> list[Dated]:
    """The findings of the registry's last run, with the time since when each holds where the catalog shows it."""
    placed: dict[str, datetime] = {}
    for move in moves:  # Newest first.
        when = moment(move.before)
        if when is not None and move.target is not None:
            placed.setdefault(move.label, when)
    found = []
    for version in prompt.versions:
        own = [placed[label] for label in version.labels if label in placed]
        found += [
            Dated(
                kind=kind,
                version=version.version,
                since=since(
                    kind,
                    last_use=prompt.last_use,
                    placed=placed.values() if kind == "behind" else own,
                ),
            )
            for kind in KINDS
            if kind in version.findings
        ]
    return found
