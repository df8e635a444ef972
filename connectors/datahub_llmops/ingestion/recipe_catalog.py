"""The catalog that a recipe reads: the one it names, else the server it runs against, else the file it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datahub.ingestion.api.common import PipelineContext

from datahub_llmops.answer_store.location import default_catalog
from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.server.catalog import ServerCatalog
from datahub_llmops.errors import NoCatalogError

LOCAL_SINK = "llm-local"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCatalog:
    """The catalog that a recipe's lookups read."""

    catalog: FullCatalog | None = None
    """``None`` if the recipe has none, or if no run into its local file has ended yet."""
    unwritten: bool = False
    """It is a local file that the first run has yet to write, so it certainly holds nothing."""
    is_new: bool = False
    """It is unwritten, and this recipe's own sink writes it, so nothing that is there can be overwritten."""


def recipe_catalog(ctx: PipelineContext, where: str | None) -> RecipeCatalog:
    """Open the catalog that a recipe reads.

    ``where`` is the recipe's own ``catalog`` option, a path or URL. Without it: the pipeline's graph (a
    ``datahub-rest`` sink or ``datahub_api``), else the file of an ``llm-local`` sink.

    Raises:
        CatalogError: there is a catalog and it cannot be opened.
    """
    if where is None and ctx.graph is not None:
        return RecipeCatalog(catalog=ServerCatalog(ctx.graph))
    location = where or _sink_path(ctx)
    if location is None:
        return RecipeCatalog()
    try:
        return RecipeCatalog(catalog=open_catalog(location))
    except NoCatalogError:
        sink = _sink_path(ctx)
        is_new = sink is not None and Path(sink).absolute() == Path(location).absolute()
        return RecipeCatalog(unwritten=True, is_new=is_new)


def _sink_path(ctx: PipelineContext) -> str | None:
    sink = ctx.pipeline_config.sink if ctx.pipeline_config else None
    if sink is None or sink.type != LOCAL_SINK:
        return None
    config = sink.config if isinstance(sink.config, dict) else {}
    return str(config.get("path") or default_catalog())
