"""Everything downstream of a model, a column or another asset: who must be told if it ends, goes or changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from datahub_llmops.catalog.aspect_facts import PROPERTY_PREFIX, read_properties
from datahub_llmops.catalog.column_uses import uses_of
from datahub_llmops.catalog.overriding import override
from datahub_llmops.catalog.protocol import Aspect, FullCatalog, Lineage, Node
from datahub_llmops.catalog.result import Result
from datahub_llmops.catalog.urn_text import asset_of
from datahub_llmops.errors import UnknownAssetError
from datahub_llmops.governance.affected import APPLICATION, users_of
from datahub_llmops.governance.facts import VIEWS
from datahub_llmops.governance.finding import Affected
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import text, whole

HOPS: Final = 20
INDEX: Final = "Vector Collection"
JOB: Final = "Embedding Job"
PROMPT: Final = "Prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One statement on the end of a model. ``on`` is an ISO date; ``None`` if it is deprecated without one."""

    on: str | None
    replacement: str | None
    source: str
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An affected index, and what embedding it again takes.

    ``tokens`` is an upper bound: the number of chunks times their largest size, since a token has at least one
    character. ``cost`` is its price in USD with ``priced_by``. ``None`` is not known.
    """

    urn: str
    name: str
    platform: str | None
    owners: tuple[str, ...]
    chunks: int | None
    tokens: int | None
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A column that the SQL of a job uses. If ``used_in`` is empty, the job does not say what it does with it."""

    column: str
    job: str
    job_name: str
    index: str | None
    used_in: tuple[str, ...]
    not_confirmed_since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Impact(Result):
    """What an asset affects. ``owners`` are those of everything affected, by URN."""

    urn: str
    name: str
    type: str
    subtype: str | None
    platform: str | None
    ends: tuple[End, ...]
    indexes: tuple[Index, ...]
    jobs: tuple[Node, ...]
    prompts: tuple[Node, ...]
    others: tuple[Node, ...]
    applications: tuple[Affected, ...]
    owners: tuple[str, ...]
    uses: tuple[Use, ...] = ()
    """What jobs do with the column, and with those that its values reach, besides passing their values on."""
    indirect: tuple[str, ...] = ()
    """URNs of what is affected through these uses only: no value of the column reaches it."""
    not_known: tuple[Use, ...] = ()
    """Jobs and views that read a table of the column and do not say what they do with it. ``job`` may be a view."""
    priced_by: str | None = None
    """The model whose price was taken: the replacement if it has one, else the model itself."""

    @override
    def to_obj(self) -> dict[str, Any]:
        """Return the impact as plain JSON."""
        return {
            "urn": self.urn,
            "name": self.name,
            "type": self.type,
            "subtype": self.subtype,
            "platform": self.platform,
            "ends": [asdict(one) for one in self.ends],
            "indexes": [{**asdict(one), "owners": list(one.owners)} for one in self.indexes],
            **{
                name: [_node(one) for one in nodes]
                for name, nodes in (("jobs", self.jobs), ("prompts", self.prompts), ("others", self.others))
            },
            "applications": [asdict(one) for one in self.applications],
            "owners": list(self.owners),
            "uses": [{**asdict(one), "used_in": list(one.used_in)} for one in self.uses],
            "indirect": list(self.indirect),
            "not_known": [{**asdict(one), "used_in": list(one.used_in)} for one in self.not_known],
            "priced_by": self.priced_by,
        }


def impact_of(catalog: FullCatalog, urn: str, lifecycles: Lifecycles, *, now: datetime) -> Impact:
    """Walk downstream of ``urn``.

    From a column it goes on behind the jobs whose SQL joins, filters, groups or sorts by it.

    Raises:
        UnknownAssetError: the catalog does not know it.
        CatalogError: the catalog cannot answer.
    """
    values = catalog.lineage(urn, "down", HOPS)
    uses, not_known = _uses(catalog, urn, values)
    walk = _with_indirect(catalog, values, uses)
    direct = {node.urn for node in values.nodes}
    root = next(node for node in walk.nodes if node.urn == urn)
    reached = [node for node in walk.nodes if node.urn != urn]
    indexes = [node for node in reached if node.subtype == INDEX]
    held = catalog.aspects_of([urn, *(node.urn for node in indexes)], ["deprecation", "structuredProperties"])
    newest = catalog.latest_of([node.urn for node in indexes])
    ends = _ends(urn, held.get(urn, {}).get("deprecation", {}), lifecycles)
    model = urn if root.type == "mlModel" else None
    price, priced_by = _price(model, ends, lifecycles)
    others = [node for node in reached if node.subtype not in (INDEX, JOB, PROMPT) and node.type != "mlModel"]
    users = users_of(catalog, walk, now)
    named = {one.urn for one in users}
    return Impact(
        urn=urn,
        name=root.name,
        type=root.type,
        subtype=root.subtype,
        platform=root.platform,
        ends=ends,
        indexes=tuple(
            _index(node, held.get(node.urn, {}), newest.get(node.urn, {}), price) for node in indexes
        ),
        jobs=tuple(node for node in reached if node.subtype == JOB),
        prompts=tuple(node for node in reached if node.subtype == PROMPT),
        others=tuple(node for node in others if node.urn not in named and node.type != "dataProcessInstance"),
        applications=users,
        owners=tuple(sorted({owner for node in reached for owner in node.owners})),
        uses=uses,
        indirect=tuple(node.urn for node in reached if node.urn not in direct),
        not_known=not_known,
        priced_by=priced_by,
    )


def _uses(catalog: FullCatalog, urn: str, values: Lineage) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
    """What jobs do with a column and those that its values reach, and the jobs that do not say."""
    if asset_of(urn) == urn:
        return (), ()
    reached = {urn, *(pair.downstream for edge in values.edges for pair in edge.columns)}
    passed = {node.urn for node in values.nodes}
    found = uses_of(catalog, reached)
    nodes = {node.urn: node for node in catalog.nodes(one.job for one in found)}
    shown = [
        Use(
            column=one.column,
            job=one.job,
            job_name=nodes[one.job].name,
            index=one.index,
            used_in=one.used_in,
            not_confirmed_since=one.not_confirmed_since,
        )
        for one in found
        if one.job in nodes
        and nodes[one.job].subtype != APPLICATION  # An application reads rows, not by SQL.
    ]
    silent = [one for one in shown if not one.used_in and one.job not in passed]
    return tuple(one for one in shown if one.used_in), (*silent, *_views(catalog, reached, passed))


def _views(catalog: FullCatalog, columns: Iterable[str], passed: Set[str]) -> Iterator[Use]:
    """The views over the tables of columns that no value reaches: their lineage does not say what they join by."""
    for column in sorted(columns):
        try:
            walk = catalog.lineage(asset_of(column), "down", 1)
        except UnknownAssetError:
            continue  # It was removed.
        for node in walk.nodes:
            if node.hops and node.subtype in VIEWS and node.urn not in passed:
                yield Use(column=column, job=node.urn, job_name=node.name, index=None, used_in=())


def _with_indirect(catalog: FullCatalog, values: Lineage, uses: Iterable[Use]) -> Lineage:
    """The walk with the jobs that use the column, their indexes, and everything downstream of these."""
    nodes = {node.urn: node for node in values.nodes}
    edges = {(edge.upstream, edge.downstream, edge.aspect): edge for edge in values.edges}
    wanted = {one.job for one in uses}
    for index in sorted({one.index for one in uses if one.index is not None}):
        try:
            walk = catalog.lineage(index, "down", HOPS)
        except UnknownAssetError:
            continue  # It was removed.
        for node in walk.nodes:
            nodes.setdefault(node.urn, node)
        for edge in walk.edges:
            edges.setdefault((edge.upstream, edge.downstream, edge.aspect), edge)
    for node in catalog.nodes(sorted(wanted - nodes.keys())):
        nodes[node.urn] = node
    return replace(values, nodes=tuple(nodes.values()), edges=tuple(edges.values()))


def _ends(urn: str, deprecation: Aspect, lifecycles: Lifecycles) -> tuple[End, ...]:
    stated = [
        End(on=one.on.isoformat(), replacement=one.replacement, source=one.source, link=one.link)
        for one in lifecycles.of(urn)
    ]
    if deprecation.get("deprecated") is True:
        at = time_of(deprecation.get("decommissionTime"))
        own = End(
            on=at.date().isoformat() if at else None,
            replacement=text(deprecation.get("replacement")),
            source="the catalog",
        )
        stated.insert(0, own)
    return tuple(stated)


def _price(model: str | None, ends: Sequence[End], lifecycles: Lifecycles) -> tuple[float | None, str | None]:
    """Return the price of a million tokens of what would embed next, and its name."""
    if model is None:
        return None, None
    replacement = next((one.replacement for one in ends if one.replacement), None)
    if replacement is not None:
        successor = replacement if replacement.startswith("urn:li:") else _sibling(model, replacement)
        return lifecycles.price(successor), replacement
    return lifecycles.price(model), None


def _sibling(model: str, name: str) -> str:
    """Return the URN of another model of the same provider."""
    before, _, rest = model.partition(",")
    return f"{before},{name},{rest.rpartition(',')[2]}"


def _index(
    node: Node, held: Mapping[str, Aspect], newest: Mapping[str, Aspect], price: float | None
) -> Index:
    wanted = {f"{PROPERTY_PREFIX}chunk_size": "chunk_size"}
    sizes = read_properties(held.get("structuredProperties", {}), wanted).get("chunk_size", ())
    largest = next((round(size) for size in sizes if isinstance(size, (int, float))), None)
    chunks = whole(newest.get("datasetProfile", {}).get("rowCount"))
    tokens = chunks * largest if chunks is not None and largest else None
    return Index(
        urn=node.urn,
        name=node.name,
        platform=node.platform,
        owners=node.owners,
        chunks=chunks,
        tokens=tokens,
        cost=round(tokens * price / 1e6, 6) if tokens is not None and price is not None else None,
    )


def _node(node: Node) -> dict[str, Any]:
    return {
        "urn": node.urn,
        "name": node.name,
        "type": node.type,
        "subtype": node.subtype,
        "platform": node.platform,
        "owners": list(node.owners),
    }
