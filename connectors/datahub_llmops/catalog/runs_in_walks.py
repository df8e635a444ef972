"""Leaves runs of jobs out of walks: in DataHub's lineage they are next to their jobs. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from datahub_llmops.catalog.protocol import Lineage

RUN: Final = "dataProcessInstance"


def without_runs(walk: Lineage) -> Lineage:
    """The walk without runs of jobs, which say nothing that their job does not; with them where only they lead on."""
    runs = {node.urn for node in walk.nodes if node.type == RUN} - {walk.root}
    edges = tuple(edge for edge in walk.edges if not {edge.upstream, edge.downstream} & runs)
    up = walk.direction == "up"
    onward: dict[str, list[str]] = {}
    for edge in edges:
        here, there = (edge.downstream, edge.upstream) if up else (edge.upstream, edge.downstream)
        onward.setdefault(here, []).append(there)
    reached, waiting = {walk.root}, [walk.root]
    while waiting:
        fresh = set(onward.get(waiting.pop(), ())) - reached
        reached |= fresh
        waiting += fresh
    nodes = tuple(node for node in walk.nodes if node.urn not in runs)
    if any(node.urn not in reached for node in nodes):
        return walk
    return replace(walk, nodes=nodes, edges=edges)
