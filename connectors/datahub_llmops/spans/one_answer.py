"""One answer by its id or the id of its trace, read from the place that a recipe of ``llm-spans`` names.

A sealed segment of the hooks has more of an answer than spans do, so it is taken first.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from datahub.configuration.config_loader import load_config_file

from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError, UnreadableError
from datahub_llmops.ingestion.applications.rollup import Rollup
from datahub_llmops.ingestion.id_probe import StoreProbe
from datahub_llmops.lineage import provenance
from datahub_llmops.lineage.schema_lookup import NoCatalog
from datahub_llmops.spans.assemble import assemble
from datahub_llmops.spans.config import SpansConfig
from datahub_llmops.spans.doors.door import Door, HoldsAnswers, Problem, ReadCounts
from datahub_llmops.spans.doors.opening import assemble_options, open_door
from datahub_llmops.spans.report import SpansReport
from datahub_llmops.spans.resolve import SpanNames
from datahub_llmops.spans.settling import Settling

SOURCE: Final = "llm-spans"
_SHOWN: Final = 10
_MLFLOW: Final = "tr-"
"""What MLflow writes before the id of a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer with the indexes of its retrievals, and what is missing in it."""

    answer: RecordedAnswer
    gaps: tuple[str, ...]


def is_recipe_of_spans(recipe: Path) -> bool:
    """Whether a file is a recipe of ``llm-spans``; false if it cannot be read as one."""
    try:
        return bool(_read(recipe).get("source", {}).get("type") == SOURCE)
    except (RecipeError, AttributeError):
        return False


def read_config(recipe: Path) -> SpansConfig:
    """Read the options of a recipe of ``llm-spans``, with its variables.

    Raises:
        RecipeError: it cannot be read, or is not valid.
    """
    source = _read(recipe).get("source")
    given = source.get("config") or {} if isinstance(source, dict) else {}
    return valid_config(SpansConfig, given, of=str(recipe))


def _read(recipe: Path) -> dict[str, Any]:
    try:
        found = load_config_file(recipe, allow_remote=False)
    except Exception as error:
        # The text of DataHub's error may quote the recipe.
        raise RecipeError(
            f"{recipe} cannot be read as a recipe ({type(error).__name__}): check the path, and set its variables"
        ) from error
    return found if isinstance(found, dict) else {}


def read_answer(config: SpansConfig, identity: str, at: datetime | None, catalog: Catalog | None) -> Found:
    """Read the answer with an id, or the only one of the trace with this id.

    Args:
        config: where the spans are, and how indexes are found.
        identity: id of a trace, or of an answer.
        at: a time at which it ran: then only spans recorded around that time are read.
        catalog: where indexes are looked up.

    Raises:
        ConnectorError: the place cannot be read, or holds no such answer; the message says what to do.
        CatalogError: the catalog cannot answer.
    """
    gaps: dict[str, None] = {}
    identity = identity.strip().removeprefix(_MLFLOW)

    def tell(problem: Problem) -> None:
        gaps.setdefault(f"{problem.title.lower()}: {problem.context}")

    with closing(open_door(config, tell, ReadCounts())) as door:
        sealed = _find_sealed(door, identity, at, gaps)
        spans = door.trace(identity, at) if sealed is None else []
        answers = assemble(spans, assemble_options(config)).answers if sealed is None else [sealed]
        chosen = [one for one in answers if one.id == identity] or list(answers)
        if sealed is None and len(chosen) == 1 and chosen[0].recorded_on is not None:
            # A host has it too. If it was sealed here, the segment has what spans do not show.
            chosen = [_find_sealed(door, chosen[0].id, at, gaps) or chosen[0]]
    if not chosen:
        where = "it has no answer" if spans else "nothing has this id, or it is not the whole id"
        around = " around this time" if at is not None else ""
        raise UnreadableError(
            f"no answer of the trace or answer {identity[:64]} can be shown: {where}{around}. Look at `files` or "
            "`clickhouse` of the recipe, at `max_days`, and at --at"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"{one.id} ({one.application})" for one in chosen[:_SHOWN])
        raise UnreadableError(f"the trace has {len(chosen)} answers: {listed}. Give the id of one")
    return _with_indexes(config, chosen[0], catalog, gaps)


def _find_sealed(
    door: Door, answer_id: str, at: datetime | None, gaps: dict[str, None]
) -> RecordedAnswer | None:
    if not isinstance(door, HoldsAnswers):
        return None
    found, failed = door.sealed(answer_id, at)
    if failed:
        gaps.setdefault(f"{len(failed)} segments could not be read, such as {failed[0]}")
    return found


def _with_indexes(
    config: SpansConfig, answer: RecordedAnswer, catalog: Catalog | None, gaps: dict[str, None]
) -> Found:
    names = SpanNames(
        Resolver(config.instances, env=config.env, catalog=catalog),
        data_sources=config.data_source_ids,
        rules=config.indexes,
    )
    framework = answer.framework or "langchain"
    searched = [
        None
        if one.composite
        else names.searched(
            one, names.retriever(one.retriever, answer.application, framework), answer.application
        )
        for one in answer.retrievals
    ]
    report = SpansReport()
    with closing(StoreProbe(config.stores, seconds=config.probe_seconds)) as probe:
        decided = Settling(
            probe=probe,
            known={},
            today=datetime.now(UTC).date(),
            source_rules=provenance.compile_rules(provenance.ProvenanceConfig(), env=config.env),
            lookup=NoCatalog(),
            report=report,
        ).decide(Rollup(), names)
        for recipe, problem in probe.problems.items():
            gaps.setdefault(f"the store of {recipe} was not asked for ids: {problem}")
    for text in report.indexes_not_known:
        gaps.setdefault(f"index not known: {text}")
    retrievals = []
    for one, index in zip(answer.retrievals, searched, strict=True):
        urn = decided.get(index, index) if index is not None else None
        retrievals.append(replace(one, index={"urn": urn}) if urn is not None else one)
    return Found(answer=replace(answer, retrievals=tuple(retrievals)), gaps=tuple(gaps))
