"""Which catalog a recipe reads: the one it names, else the server it runs against, else the file it writes."""

from __future__ import annotations

from datahub.ingestion.api.common import PipelineContext

from datahub_llmops.catalog.open import open_catalog
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
    if where is None:
        if ctx.graph is not None:
            return ServerCatalog(ctx.graph)
        where = _sink_path(ctx)
    if where is None:
        return None
    try:
        return open_catalog(where)
    except NoCatalogError:
        return None


def _sink_path(ctx: PipelineContext) -> str | None:
    sink = ctx.pipeline_config.sink if ctx.pipeline_config else None
    if sink is None or sink.type != LOCAL_SINK:
        return None
    config = sink.config if isinstance(sink.config, dict) else {}
    return str(config.get("path") or default_path())
