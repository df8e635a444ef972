"""The edges of a declared job, with who declares each and since when it is not confirmed.

Several recipes may declare one job, and one recipe may declare it for several indexes. Each edge names its
declarations, so that a run changes and retracts only what its own recipe declared. Edges of hooks and of an
orchestrator's plugin stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from datahub.metadata.schema_classes import EdgeClass
from datahub.specific.datajob import DataJobPatchBuilder

from datahub_llmops import urns
from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, read_uses, write_uses
from datahub_llmops.catalog.confirmation import NOT_CONFIRMED_SINCE
from datahub_llmops.catalog.untraced import UNTRACED_TABLES, read_untraced, write_untraced
from datahub_llmops.catalog.urn_text import asset_of, full_name
from datahub_llmops.lineage.declared_jobs import ColumnEdge, Input, JobLineage, JobUses
from datahub_llmops.mapping.edge_properties import (
    PAYLOAD_NOT_CONFIRMED_SINCE,
    SEEN,
    column_edges,
    counted,
    edge_properties,
    fine_grained,
    found_by,
    keep_payload,
)
from datahub_llmops.mapping.embedding_jobs import declared_properties
from datahub_llmops.mapping.proposals import Proposal
from datahub_llmops.net.json_values import mapping

DECLARED_BY: Final = "declared_by"
"""Property of an edge, as JSON: recipe (``pipeline_name``) -> URN of the index -> since when it is not confirmed."""

DECLARES: Final = "declares"
"""Property of an edge to an index, as JSON: recipe -> what it states about the vectors, as structured properties."""

_ALSO: Final = "drawn_by_others"
"""Property of an edge that was there without us before a recipe declared it too. It stays when we take ours back."""

_OURS: Final = frozenset({"found_by", "chunks", PAYLOAD_NOT_CONFIRMED_SINCE, UNTRACED_TABLES, _ALSO})

Facts: TypeAlias = Mapping[str, str | float]
"""What a recipe states about the vectors of an index: structured properties without their namespace."""


@dataclass(frozen=True, slots=True, order=True)
class Declaration:
    """One declaration of a job: by which recipe, and for which index."""

    recipe: str
    index: str


_Owners: TypeAlias = dict[Declaration, str]
"""Declaration -> since when it is not confirmed; empty if it is."""

_UNREADABLE: Final = Declaration("not known", "")
"""The owner of an edge whose owners cannot be read: nobody takes it back."""


@dataclass(slots=True)
class _Edge:
    """One dataset edge. ``properties`` are those that do not depend on its owners, others are by recipe."""

    properties: dict[str, str]
    owners: _Owners
    facts: dict[str, Facts] = field(default_factory=dict)
    uses: dict[str, StatedUses] = field(default_factory=dict)

    @classmethod
    def read(cls, edge: Mapping[str, Any]) -> _Edge:
        properties = dict(mapping(edge.get("properties")))
        properties.pop(NOT_CONFIRMED_SINCE, None)
        owners = _read_owners(properties.pop(DECLARED_BY, None))
        uses = read_uses(properties) or {}
        properties.pop(USED_COLUMNS, None)
        return cls(properties, owners, _read_facts(properties.pop(DECLARES, None)), uses)

    @property
    def ways(self) -> tuple[str, ...]:
        return found_by({"properties": self.properties})

    @property
    def not_confirmed_since(self) -> str | None:
        """Since when no declaration confirms the edge; ``None`` while one does, or if nobody declares it."""
        return max(self.owners.values()) if self.owners and all(self.owners.values()) else None

    def rendered(self) -> dict[str, str]:
        properties = dict(self.properties)
        if self.owners:
            named: dict[str, dict[str, str]] = {}
            for who, instant in self.owners.items():
                named.setdefault(who.recipe, {})[who.index] = instant
            properties[DECLARED_BY] = json.dumps(named, sort_keys=True, ensure_ascii=False)
            if facts := {recipe: stated for recipe, stated in self.facts.items() if recipe in named}:
                properties[DECLARES] = json.dumps(facts, sort_keys=True, ensure_ascii=False)
            # A recipe of an earlier release says nothing of uses, and then what others say is not all.
            if named.keys() <= self.uses.keys():
                properties[USED_COLUMNS] = write_uses({recipe: self.uses[recipe] for recipe in named})
        if since := self.not_confirmed_since:
            properties[NOT_CONFIRMED_SINCE] = since
        return dict(sorted(properties.items()))

    def undeclared(self) -> bool:
        """Take back what declarations found. Returns whether anything else keeps the edge."""
        seen, also = [way for way in self.ways if way in SEEN], _ALSO in self.properties
        rest = {key: text for key, text in self.properties.items() if key not in _OURS}
        self.properties = edge_properties(seen, None, rest) if seen else rest
        return bool(seen) or also


def _read_owners(text: str | None) -> _Owners:
    if text is None:
        return {}
    try:
        named = json.loads(text)
        return {
            Declaration(recipe, index): str(since)
            for recipe, indexes in named.items()
            for index, since in indexes.items()
        }
    except (ValueError, AttributeError):
        return {_UNREADABLE: ""}


def _read_facts(text: str | None) -> dict[str, Facts]:
    try:
        named = json.loads(text or "{}")
        return {
            recipe: {name: value for name, value in stated.items() if isinstance(value, str | float | int)}
            for recipe, stated in named.items()
        }
    except (ValueError, AttributeError, RecursionError):
        return {}


def stated_by_recipes(present: Mapping[str, Any], index: str) -> dict[str, Facts | None]:
    """Map each recipe that declares a job for an index to what it states about the index.

    ``present`` is the job's ``dataJobInputOutput``. ``None`` is not known: an earlier release wrote the edge.
    """
    edge = _read_edges(present, "outputDatasetEdges").get(index)
    return {who.recipe: edge.facts.get(who.recipe) for who in edge.owners} if edge else {}


class JobEdges:
    """The edges of one job during a run. Every change is one method; ``proposals`` writes what changed."""

    def __init__(self, job: str, present: Mapping[str, Any], *, foreign: bool, retired: bool = False) -> None:
        """``present`` is the job's ``dataJobInputOutput`` in the catalog, and empty without a catalog.

        ``foreign`` tells a job that the orchestrator's plugin describes: what it has beside ours is the plugin's.
        Nobody declares the edges of a ``retired`` job any more.
        """
        self._job = job
        self.foreign = foreign
        self._inputs = _read_edges(present, "inputDatasetEdges")
        self._outputs = _read_edges(present, "outputDatasetEdges")
        self._columns = column_edges(present, foreign=foreign)
        self._written = (_rendered(self._inputs), _rendered(self._outputs), set(self._columns))
        self._seen_in_payload: set[str] = set()
        self.stated_before: Final = self.stated
        """What the declarations stated before this run."""
        if retired:
            self._inputs = {urn: edge for urn, edge in self._inputs.items() if edge.undeclared()}
            self._outputs = {urn: edge for urn, edge in self._outputs.items() if edge.undeclared()}
            self._columns = set()
            for edge in (*self._inputs.values(), *self._outputs.values()):
                edge.owners.clear()

    @property
    def declarations(self) -> set[Declaration]:
        """Everybody who declares the job."""
        return {who for edge in self._outputs.values() for who in edge.owners}

    @property
    def not_confirmed_since(self) -> str | None:
        """Since when some declaration of the job is not confirmed."""
        return min(
            (since for edge in self._outputs.values() for since in edge.owners.values() if since),
            default=None,
        )

    @property
    def stated(self) -> dict[str, frozenset[str | float]]:
        """What the declarations state about the vectors: structured property -> its values."""
        found: dict[str, set[str | float]] = {}
        for edge in self._outputs.values():
            for recipe in {who.recipe for who in edge.owners}:
                for name, value in edge.facts.get(recipe, {}).items():
                    found.setdefault(name, set()).add(value)
        return {name: frozenset(values) for name, values in found.items()}

    def payload_for(self, who: Declaration) -> tuple[Input, ...]:
        """The inputs that the payload named and that only this declaration holds, with their chunks."""
        return tuple(
            Input(urn=urn, found_by=("payload",), chunks=counted(edge.properties))
            for urn, edge in sorted(self._inputs.items())
            if edge.owners.keys() == {who} and "payload" in edge.ways
        )

    def columns_into(self, index: str) -> frozenset[ColumnEdge]:
        """The column edges into an index."""
        return frozenset(
            ColumnEdge(dataset=asset_of(up), column=full_name(up), field=full_name(down))
            for up, down in self._columns
            if asset_of(down) == index
        )

    def unowned(self) -> set[str]:
        """The outputs that an earlier release declared without saying for whom, or that others drew."""
        return {urn for urn, edge in self._outputs.items() if not edge.owners and "hook" not in edge.ways}

    def kept_by_others(self, recipe: str, is_ours: Callable[[str], bool]) -> bool:
        """Whether an output would be left if ``recipe`` took back everything of its own.

        ``is_ours`` tells whether an index belongs to the store of the recipe: an output without an owner is then its
        own.
        """
        return any(
            "hook" in edge.ways
            or (any(who.recipe != recipe for who in edge.owners) if edge.owners else not is_ours(urn))
            for urn, edge in self._outputs.items()
        )

    def declare(self, who: Declaration, lineage: JobLineage, payload_unseen_since: str | None = None) -> None:
        """Make the edges of one declaration those of ``lineage``, all of them confirmed.

        ``payload_unseen_since`` is the instant of a run that did not see the whole payload of the index. What an
        earlier run found in it then stays on the edges, marked.
        """
        self._adopt(who)
        wanted = {source.urn: source for source in lineage.inputs}
        for urn, source in wanted.items():
            before = self._inputs[urn].properties if urn in self._inputs else {}
            self._own(self._inputs, urn, who, source.found_by, source.chunks)
            self._note_payload(urn, who, before, source, payload_unseen_since)
        self._own(self._outputs, who.index, who, (), None)
        stated = declared_properties(lineage.job).items()
        self._outputs[who.index].facts[who.recipe] = {
            name: value for name, value in stated if value is not None
        }
        self._outputs[who.index].uses[who.recipe] = _stated(lineage.uses)
        self._note_untraced(who, lineage.untraced)
        self._release(self._inputs, who, keep=wanted.keys())
        pairs = {
            (urns.schema_field(edge.dataset, edge.column), urns.schema_field(who.index, edge.field))
            for edge in lineage.columns
        }
        if self._outputs[who.index].owners.keys() == {who}:
            self._columns = {pair for pair in self._columns if asset_of(pair[1]) != who.index}
        self._columns |= pairs

    def mark(self, who: Declaration, since: str) -> bool:
        """Mark the edges of a declaration as not confirmed. Returns whether it has any."""
        self._adopt(who)
        if who not in self._outputs.get(who.index, _Edge({}, {})).owners:
            return False
        for edge in (*self._inputs.values(), *self._outputs.values()):
            if who in edge.owners:
                edge.owners[who] = edge.owners[who] or since
        return True

    def withdraw(self, who: Declaration) -> None:
        """Take the edges of a declaration back."""
        self._release(self._inputs, who)
        self._release(self._outputs, who)
        output = self._outputs.get(who.index)
        if output is None or not output.owners:
            self._columns = {pair for pair in self._columns if asset_of(pair[1]) != who.index}

    def proposals(self) -> Iterator[Proposal]:
        """Patch the job so that its edges are these."""
        patch = DataJobPatchBuilder(self._job)
        inputs, outputs = _rendered(self._inputs), _rendered(self._outputs)
        old_inputs, old_outputs, old_columns = self._written
        _patch(old_inputs, inputs, patch.add_input_dataset, patch.remove_input_dataset)
        _patch(old_outputs, outputs, patch.add_output_dataset, patch.remove_output_dataset)
        for up, down in sorted(old_columns - self._columns):
            patch.remove_fine_grained_lineage(fine_grained([up], down))
        added: dict[str, list[str]] = {}
        for up, down in sorted(self._columns):
            if (up, down) not in old_columns or self._outputs.get(asset_of(down), _Edge({}, {})).owners:
                added.setdefault(down, []).append(up)
        for down, ups in added.items():
            patch.add_fine_grained_lineage(fine_grained(ups, down))
        self._written = (inputs, outputs, set(self._columns))
        yield from patch.build()

    def _own(
        self, edges: dict[str, _Edge], urn: str, who: Declaration, ways: Iterable[str], chunks: int | None
    ) -> None:
        """Add ``who`` to the owners of an edge, which ``ways`` found."""
        edge = edges.get(urn)
        if edge is None:
            edge = edges[urn] = _Edge({}, {})
        elif self.foreign and not edge.owners and not edge.ways:
            edge.properties[_ALSO] = "true"
        others = edge.owners.keys() - {who}
        edge.owners[who] = ""
        kept = {way for way in edge.ways if way in SEEN or others}
        named = {*ways, *kept}
        if chunks is None and others:
            chunks = counted(edge.properties)
        if edges is self._outputs and not named:
            return
        if edges is self._outputs:
            named.add("declared")
        edge.properties = edge_properties(named, chunks, edge.properties)

    def _note_payload(
        self, urn: str, who: Declaration, before: Mapping[str, str], source: Input, unseen_since: str | None
    ) -> None:
        """Keep and mark what the payload told before, if this run did not see it; take the mark away if it did."""
        edge = self._inputs[urn]
        counts = source.chunks is not None or unseen_since is None or counted(before) is None
        if "payload" in source.found_by and counts:
            self._seen_in_payload.add(urn)
        alone = all(one.recipe == who.recipe for one in edge.owners)
        if urn in self._seen_in_payload or (unseen_since is None and edge.owners.keys() == {who}):
            edge.properties.pop(PAYLOAD_NOT_CONFIRMED_SINCE, None)
        elif unseen_since is not None and alone:
            # What another recipe found is for that recipe to confirm.
            edge.properties = keep_payload(edge.properties, before, unseen_since)

    def _note_untraced(self, who: Declaration, tables: Iterable[str]) -> None:
        """Name the tables whose columns could not be traced on the edge to the index, beside those of others."""
        output = self._outputs[who.index]
        before = output.properties.pop(UNTRACED_TABLES, None)
        others = read_untraced({UNTRACED_TABLES: before}) if output.owners.keys() - {who} else ()
        if untraced := {*tables, *others}:
            output.properties[UNTRACED_TABLES] = write_untraced(untraced)

    def _release(self, edges: dict[str, _Edge], who: Declaration, keep: Iterable[str] = ()) -> None:
        for urn in edges.keys() - set(keep):
            edge = edges[urn]
            if edge.owners.pop(who, None) is not None and not edge.owners and not edge.undeclared():
                del edges[urn]

    def _adopt(self, who: Declaration) -> None:
        """Take over what an earlier release wrote for a declaration without naming it.

        Inputs are taken over only if no other output could have brought them.
        """
        output = self._outputs.get(who.index)
        if output is not None and not output.owners and not self.foreign and "hook" not in output.ways:
            output.owners[who] = ""
        mine = all(
            urn == who.index or "hook" in edge.ways or any(one.recipe == who.recipe for one in edge.owners)
            for urn, edge in self._outputs.items()
        )
        if output is None or not mine:
            return
        for edge in self._inputs.values():
            if not edge.owners and "declared" in edge.ways:
                edge.owners[who] = ""


def _stated(uses: JobUses) -> StatedUses:
    columns: dict[str, dict[str, list[str]]] = {}
    for one in uses.columns:
        columns.setdefault(one.dataset, {}).setdefault(one.column, []).append(one.use)
    return StatedUses(columns=columns, hidden=uses.hidden)


def _read_edges(present: Mapping[str, Any], field: str) -> dict[str, _Edge]:
    return {edge["destinationUrn"]: _Edge.read(edge) for edge in present.get(field) or []}


def _rendered(edges: Mapping[str, _Edge]) -> dict[str, dict[str, str]]:
    return {urn: edge.rendered() for urn, edge in edges.items()}


def _patch(
    old: Mapping[str, dict[str, str]],
    new: Mapping[str, dict[str, str]],
    add: Callable[[EdgeClass], Any],
    remove: Callable[[str], Any],
) -> None:
    for urn in sorted(old.keys() - new.keys()):
        remove(urn)
    for urn, properties in sorted(new.items()):
        # What is declared is written in every run: another tool may have replaced the aspect in the meantime.
        if old.get(urn) != properties or DECLARED_BY in properties:
            add(EdgeClass(destinationUrn=urn, properties=properties))
