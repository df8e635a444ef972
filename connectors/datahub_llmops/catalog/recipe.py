"""Which catalog a recipe reads: the one it names, else the server it runs against, else the file it writes."""

from __future__ import annotations

from datahub.ingestion.api.common import PipelineContext

from datahub_llmops.catalog.open import is_url, open_catalog
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.server import ServerCatalog
from datahub_llmops.catalog.store import default_path
from datahub_llmops.errors import NoCatalogError

LOCAL_SINK = "llm-local"


def recipe_catalog(ctx: PipelineContext, where: str | None) -> FullCatalog | None:
    """Open the catalog that a recipe looks things up in.

    ``where`` is the recipe's own ``catalog`` option, a path or URL. Without it: the pipeline's graph (a
    ``datahub-rest`` sink or ``datahub_api``), else the file of an ``llm-local`` sink. ``None`` when there is
    neither, or when no run has ended in the local file yet.

    Raises:
        CatalogError: there is a catalog and it cannot be opened.
    """
    if where is None and ctx.graph is not None:
        return ServerCatalog(ctx.graph)
    place = where or _sink_path(ctx)
    if place is None:
        return None
    try:
        return open_catalog(place)
    except NoCatalogError:
        return None


def is_unwritten(ctx: PipelineContext, where: str | None) -> bool:
    """Is the recipe's catalog a local file that its first run has yet to write? Then nothing is in it for certain.

    Raises:
        CatalogError: there is a catalog and it cannot be opened.
    """
    if where is None and ctx.graph is not None:
        return False
    place = where or _sink_path(ctx)
    if place is None or is_url(place):
        return False
    try:
        open_catalog(place).close()
    except NoCatalogError:
        return True
    return False


def _sink_path(ctx: PipelineContext) -> str | None:
    sink = ctx.pipeline_config.sink if ctx.pipeline_config else None
    if sink is None or sink.type != LOCAL_SINK:
        return None
    config = sink.config if isinstance(sink.config, dict) else {}
    return str(config.get("path") or default_path())
