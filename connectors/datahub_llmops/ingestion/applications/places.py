"""Where the catalog has an application. One that hooks and tools see is one asset, whoever was first."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.mapping.applications import application_urns

_FRAMEWORKS: Final = (urns.DEFAULT_FRAMEWORK, "llama-index")
"""The platforms on which the hooks draw applications. The options of both recipes may name another one."""


class Places:
    """The frameworks that applications of one environment are drawn on; without a catalog it knows of none.

    Every method raises ``CatalogError`` if the catalog cannot answer. All but ``platform`` raise ``InvalidUrnError`` if
    the application's name cannot be part of a URN.
    """

    def __init__(self, catalog: Catalog | None, env: str) -> None:
        self._catalog = catalog
        self._env = env
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, application: str) -> tuple[str, ...]:
        """List the frameworks on which the catalog has an application of this name, sorted."""
        if application not in self._known:
            jobs = {
                application_urns(application, framework, self._env)[1]: framework for framework in _FRAMEWORKS
            }
            found = self._catalog.nodes(jobs) if self._catalog is not None else ()
            self._known[application] = tuple(sorted(jobs[node.urn] for node in found))
        return self._known[application]

    def joined(self, application: str, own: str) -> str:
        """Return ``own``, unless the application is drawn on another framework only: then that one."""
        found = self.of(application)
        return found[0] if len(found) == 1 else own

    def platform(self, answer: RecordedAnswer) -> str:
        """Return the platform that the application of an answer is drawn on; its framework, if no URN can name it."""
        own = answer.framework or urns.DEFAULT_FRAMEWORK
        with suppress(InvalidUrnError):
            return self.joined(answer.application, own)
        return own
