"""The source ``llm-lifecycle``: it writes on the models of a catalog when they retire, and what replaces them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final, Self

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.common import PipelineContext
from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.api.source import CapabilityReport
from pydantic import Field, model_validator
from typing_extensions import override

from datahub_llmops.catalog.open import open_catalog
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.catalog.urn_text import full_name, platform
from datahub_llmops.errors import CatalogError, PatternError, RecipeError
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.health.lifecycles import LifecycleOptions, load_lifecycles
from datahub_llmops.ingestion.emitter import Emission
from datahub_llmops.ingestion.options import check_patterns
from datahub_llmops.ingestion.recipe_catalog import recipe_catalog
from datahub_llmops.ingestion.report import CleanReport
from datahub_llmops.ingestion.source import PatchingSource, TestedSource, no_connection
from datahub_llmops.lineage.patterns import is_allowed
from datahub_llmops.mapping.lifecycles import deprecation, is_ours

_AT_ONCE: Final = 500


class LifecycleConfig(LifecycleOptions):
    """Recipe options of `llm-lifecycle`."""

    catalog: str | None = Field(
        default=None,
        description="Catalog whose models are read: a local file such as `./catalog.db`, or a server's URL. Default: "
        "the server of the recipe's sink, else the file of its `llm-local` sink.",
    )
    model_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Models to look up, as `provider/model`, for example `{allow: ['openai/.*']}`.",
    )

    @model_validator(mode="after")
    def _patterns_compile(self) -> Self:
        check_patterns(self)
        return self


@dataclass
class LifecycleReport(CleanReport):
    """The report of a run."""

    event_not_produced_warn: bool = False
    models_seen: int = 0
    models_filtered: int = 0
    models_with_an_end: int = 0
    models_not_known: int = 0
    """Models for which no list has a date, and no list of the user's says that they live on."""
    written: int = 0
    taken_back: int = 0
    left_to_others: int = 0
    """Models that somebody else deprecated."""


@platform_name("Model lifecycles", id="datahub")
@config_class(LifecycleConfig)
@support_status(SupportStatus.ALPHA)
class LifecycleSource(PatchingSource, TestedSource):
    """Writes when models retire."""

    config_type: ClassVar[type[LifecycleConfig]] = LifecycleConfig
    report: LifecycleReport

    def __init__(self, config: LifecycleConfig, ctx: PipelineContext) -> None:
        super().__init__(ctx)
        self.config = config
        self.report = LifecycleReport()

    @override
    def emissions(self) -> Iterator[Emission]:
        try:
            lifecycles = load_lifecycles(self.config)
            catalog = recipe_catalog(self.ctx, self.config.catalog).catalog
            if catalog is None:
                self.report.failure(
                    title="No catalog to read",
                    message="Name an existing one with the option `catalog`, or run this recipe after those that fill "
                    "it, with a `datahub-rest` or `llm-local` sink.",
                    context=self.config.catalog,
                )
                return
            for problem in lifecycles.problems:
                self.report.failure(
                    title="A list of model lifecycles cannot be read",
                    message="Dates are written, and none is removed.",
                    context=problem,
                )
            with closing(catalog):
                yield from self._deprecations(catalog, lifecycles)
        except (CatalogError, RecipeError, PatternError) as error:
            self.report.failure(
                title="Cannot read", message="Models that were not read stay as they are.", context=str(error)
            )

    def _deprecations(self, catalog: FullCatalog, lifecycles: Lifecycles) -> Iterator[Emission]:
        models = self._models(catalog)
        while part := list(islice(models, _AT_ONCE)):
            present = catalog.aspects_of(part, ["deprecation"])
            for model in part:
                held = present.get(model, {}).get("deprecation", {})
                stated = lifecycles.of(model)
                self.report.models_with_an_end += bool(stated)
                self.report.models_not_known += not lifecycles.knows(model)
                if held.get("deprecated") is True and not is_ours(held):
                    self.report.left_to_others += 1
                if not stated and lifecycles.problems:
                    continue  # The list that could not be read may have its date.
                proposal = deprecation(model, stated, held)
                if proposal is not None:
                    self.report.written += bool(stated)
                    self.report.taken_back += not stated
                    yield Emission(proposal, primary=False)

    def _models(self, catalog: FullCatalog) -> Iterator[str]:
        for model in catalog.models():
            self.report.models_seen += 1
            if is_allowed(self.config.model_pattern, f"{platform(model)}/{full_name(model)}"):
                yield model
            else:
                self.report.models_filtered += 1

    @classmethod
    @override
    def try_connection(cls, config: LifecycleConfig) -> CapabilityReport:
        """Test whether the catalog of the option can be read, and count its models."""
        if config.catalog is None:
            return no_connection("name the catalog to test with the option `catalog`")
        try:
            problems = load_lifecycles(config).problems
            with closing(open_catalog(config.catalog)) as catalog:
                seen = sum(1 for _ in catalog.models())
        except (CatalogError, RecipeError) as error:
            return no_connection(str(error))
        if problems:
            return no_connection(problems[0])
        return CapabilityReport(capable=True, mitigation_message=f"Works, sees {seen} models.")
