"""What lies beside the assets of a report: their direct neighbours, and where pages link to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from datahub_llmops.report.model import Edge, Report


class Neighbours:
    """Edges by their ends, and the places of assets and prompts in the file."""

    def __init__(self, report: Report) -> None:
        self.place = {asset.urn: place for place, asset in enumerate(report.assets)}
        """The number of an asset's page, by URN."""
        self.prompt = {prompt.name: place for place, prompt in enumerate(report.prompts)}
        """The number of a prompt's page, by its name."""
        self._up: defaultdict[str, list[Edge]] = defaultdict(list)
        self._down: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in report.edges:
            self._up[edge.downstream].append(edge)
            self._down[edge.upstream].append(edge)

    def up(self, urn: str) -> Sequence[Edge]:
        """The edges that enter an asset."""
        return self._up.get(urn, ())

    def down(self, urn: str) -> Sequence[Edge]:
        """The edges that leave an asset."""
        return self._down.get(urn, ())
