"""Reads earlier records of time series, where the newest one does not tell enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datahub_llmops.catalog.protocol import Aspect, FullCatalog
from datahub_llmops.errors import TooManyRecordsError


def read_profiles(catalog: FullCatalog, since: Mapping[str, int]) -> Mapping[str, Sequence[Aspect]]:
    """Read the profiles of datasets, each from a time on, in milliseconds since 1970, oldest first.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return {urn: catalog.series(urn, "datasetProfile", begin) for urn, begin in since.items()}


def read_operations(catalog: FullCatalog, since: Mapping[str, int]) -> Mapping[str, Sequence[Aspect] | None]:
    """Read the operations on datasets that were reported from a time on; ``None`` where there are too many.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    return {urn: _operations(catalog, urn, begin) for urn, begin in since.items()}


def _operations(catalog: FullCatalog, urn: str, since: int) -> Sequence[Aspect] | None:
    try:
        return catalog.series(urn, "operation", since)
    except TooManyRecordsError:
        return None
