"""What a report holds, as plain data. A page, a diagram and a list are made of nothing else.

Everything is in a fixed order, so that the same catalog gives the same report. Names are text of other systems:
whatever writes them escapes them. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from datahub_llmops.catalog.protocol import Direction
from datahub_llmops.governance.finding import Verdict

MarkKind: TypeAlias = Literal["term", "tag"]

NOT_IN_CATALOG: Final = "Not in the catalog"
"""The kind of an asset that others name, and that the catalog does not hold."""


class ColumnRef(NamedTuple):
    """A column: the URN of its asset, and its path in simple form, as ``Column.path`` has it."""

    asset: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of an asset's page, such as ``Embedding model``: ``openai/text-embedding-3-small``."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An owner. ``role`` is as in the catalog, in lower case (``technical owner``); empty if it states none."""

    urn: str
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A glossary term or tag. ``origin`` is the asset or column that it was propagated from; ``None`` if a person,
    or the asset's source, set it."""

    kind: MarkKind
    urn: str
    name: str
    origin: str | None = None
    origin_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column, field, or variable of a prompt. ``path`` is in simple form, and ``facts`` are its properties."""

    path: str
    type: str = ""
    description: str = ""
    marks: tuple[Mark, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A typed aspect as a table: of one asset's facts (columns Name and Value), or of many."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of several lines: a statement of SQL, or the template of a prompt if its recipe includes texts."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The newest result of one assertion.

    ``kind`` is its type in the catalog; ``Index Health`` is what ``llm-health`` writes. ``verdict`` is *not known* for
    an assertion that has no result, or whose last run ended with an error. ``missing`` says what to provide then.
    """

    name: str
    kind: str
    verdict: Verdict
    message: str = ""
    code: str | None = None
    missing: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident that is open."""

    title: str
    kind: str = ""
    description: str = ""
    since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a job. ``succeeded`` is ``None`` while it has not ended, or if its result is not known."""

    urn: str
    name: str
    started: str | None = None
    ended: str | None = None
    succeeded: bool | None = None
    result: str = ""
    """The result in the catalog's word, in lower case."""
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was counted of an asset over the days that are known. A sum with an unknown part is ``None``.

    ``calls`` are answers of an application, and calls of a prompt, retriever or model.
    """

    calls: int
    days: int
    first_day: str | None = None
    last_day: str | None = None
    errors: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The newest score of one metric. ``passed`` is ``None`` without a threshold, and where it is not known."""

    metric: str
    value: float | None
    count: int | None = None
    passed: bool | None = None
    at: str | None = None
    data_set: str | None = None
    judge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUse:
    """An application that runs a version of a prompt. ``urn`` is ``None`` if a tool does not say which.

    ``last_seen`` is a day.
    """

    urn: str | None
    name: str | None
    last_seen: str | None = None
    found_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """What is known of one version of a prompt besides what is known of any asset. ``prompt`` is ``Prompt.name``."""

    prompt: str
    version: str
    labels: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    created: str | None = None
    author: str | None = None
    message: str | None = None
    model: str | None = None
    settings: tuple[Fact, ...] = ()
    digest: str | None = None
    scores: tuple[Score, ...] = ()
    uses: tuple[PromptUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMove:
    """A label that moved from one version to another between two runs of its registry's recipe.

    ``origin`` and ``target`` are versions; ``None`` if the label was on none.
    """

    label: str
    origin: str | None
    target: str | None
    after: str
    before: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFinding:
    """What is noted of a version: ``orphan``, ``behind``, ``unregistered`` or ``not known``."""

    kind: str
    version: str
    since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt with the URNs of its versions, newest first, moves of its labels, newest first, and findings.

    ``name`` tells it from all others: ``langfuse:support/answer``.
    """

    name: str
    platform: str
    versions: tuple[str, ...]
    moves: tuple[LabelMove, ...] = ()
    findings: tuple[PromptFinding, ...] = ()
    observed: bool = False
    """Whether anybody observes which prompts run. If not, a version without uses is *not known* to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Everything about one asset that its page shows.

    ``kind`` is its subtype, or else its type in words. ``path`` are the names of its containers, outermost first.
    ``verdict`` is that of its checks by ``llm-health``; an asset without any is *not known*. An asset with
    ``in_catalog`` false is named by others, as the end of an edge, and nothing else is known of it.
    """

    urn: str
    type: str
    kind: str
    name: str
    platform: str | None = None
    in_catalog: bool = True
    path: tuple[str, ...] = ()
    description: str = ""
    owners: tuple[Owner, ...] = ()
    domains: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    version: str | None = None
    deprecated: str | None = None
    """Why it is deprecated, or *yes*."""
    updated: str | None = None
    url: str | None = None
    """Its page in the system that it comes from. It may be anything that the system says, so check the scheme."""
    facts: tuple[Fact, ...] = ()
    columns: tuple[Column, ...] = ()
    tables: tuple[Table, ...] = ()
    texts: tuple[Text, ...] = ()
    verdict: Verdict = "not known"
    checks: tuple[Check, ...] = ()
    incidents: tuple[Incident, ...] = ()
    runs: tuple[Run, ...] = ()
    """The newest ones, newest first."""
    usage: Usage | None = None
    prompt: PromptVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnEdge:
    """A column that feeds another one."""

    upstream: ColumnRef
    downstream: ColumnRef


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnUse:
    """A column that the SQL of a job uses besides selecting it: ``join``, ``filter``, ``group by``, ``sort`` ..."""

    column: ColumnRef
    used_in: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A lineage edge between two assets of the report.

    Lineage goes from an asset to a job and from the job to an asset. ``columns`` and ``uses`` stand on the edge that
    enters an asset: behind a job that is the job's outgoing edge, and their upstream columns are those of the job's
    inputs. ``untraced`` are tables of which the job may carry columns that no column edge shows, and ``hidden`` tables
    of which its SQL may use further columns.
    """

    upstream: str
    downstream: str
    aspect: str
    found_by: tuple[str, ...] = ()
    not_confirmed_since: str | None = None
    columns: tuple[ColumnEdge, ...] = ()
    uses: tuple[ColumnUse, ...] = ()
    untraced: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDocument:
    """A chunk that an application was given for an answer. ``rests_on`` is the evidence for its origin:
    ``row``, ``source``, ``index`` or ``none``, as in ``explain``."""

    chunk: str | None
    score: float | None
    index: str | None
    source: str | None
    rests_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerModel:
    """A call of a model for an answer."""

    name: str | None
    asked: str | None
    urn: str | None
    tokens_in: int | None
    tokens_out: int | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPrompt:
    """A prompt of an answer. ``urn`` is ``None`` if it has neither a name nor a template."""

    urn: str | None
    name: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob:
    """A run of a job that wrote documents of an answer. ``urn`` is the job's."""

    urn: str | None
    name: str
    run: str
    ended: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The way back from one answer, as ``explain`` walks it: ids and numbers, no question and no text.

    ``sources`` are the URNs of everything upstream of its documents. ``stale`` are pairs of an index and a source that
    changed after the index was written. ``gaps`` say what is not known.
    """

    id: str
    application: str
    urn: str | None
    version: str | None
    started: str | None
    seconds: float
    status: str
    prompts: tuple[AnswerPrompt, ...] = ()
    models: tuple[AnswerModel, ...] = ()
    documents: tuple[AnswerDocument, ...] = ()
    jobs: tuple[AnswerJob, ...] = ()
    indexes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    stale: tuple[tuple[str, str], ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole catalog or a part of it: assets by name, edges by URNs, prompts by name, answers newest first.

    ``as_of`` is the newest time of a fact in it. ``roots`` are the URNs of the assets that were asked for; empty for
    the whole catalog. ``notes`` say what the report leaves out, each in a sentence.
    """

    assets: tuple[Asset, ...] = ()
    edges: tuple[Edge, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    answers: tuple[Answer, ...] = ()
    as_of: str | None = None
    roots: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ("up", "down")
    hops: int | None = None
    columns: bool = False
    """Whether columns were asked for: a diagram draws them, and a page opens with them."""
    filters: tuple[Fact, ...] = ()
    """What was asked for, as the options were given."""
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def by_urn(self) -> Mapping[str, Asset]:
        """The assets by URN."""
        return {asset.urn: asset for asset in self.assets}
