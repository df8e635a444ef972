"""``llm-local`` is a DataHub sink that writes the output of any source to one local file, in one transaction per run.

The pipeline builds the sink, writes records and stale removals, closes the source, calls ``flush`` and then commits
checkpoints: so ``flush`` raises where the run cannot be stored, and ``close`` without it drops the run. The states of
the run that belong into the same file are stored in the same transaction.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from avrogen.dict_wrapper import DictWrapper
from datahub.configuration.common import ConfigModel
from datahub.emitter.aspect import JSON_CONTENT_TYPE, JSON_PATCH_CONTENT_TYPE, TIMESERIES_ASPECT_MAP
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import Sink, SinkReport, WriteCallback
from datahub.metadata.schema_classes import (
    KEY_ASPECTS,
    GenericAspectClass,
    MetadataChangeEventClass,
    MetadataChangeProposalClass,
    UsageAggregationClass,
)
from datahub.utilities.lossy_collections import LossyList
from pydantic import Field
from typing_extensions import override

from datahub_llmops.answer_store.location import default_catalog
from datahub_llmops.aspects.generated import register
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.local import file, pipeline_runs
from datahub_llmops.catalog.local.checkpoint import LocalCheckpointProvider
from datahub_llmops.catalog.local.encoding import (
    InvalidAspectError,
    aspect_text,
    json_text,
    normal_text,
)
from datahub_llmops.catalog.local.legacy_usage import usage_statistics
from datahub_llmops.catalog.local.outcome import ask_for_outcome
from datahub_llmops.catalog.local.pipeline_runs import PipelineRun, RunOutcome
from datahub_llmops.catalog.local.spool import Change, Op, RefusedError, Spool
from datahub_llmops.catalog.local.writer import UNFIT, Outcome, Writer
from datahub_llmops.catalog.pipeline_config import pipeline_config
from datahub_llmops.errors import CatalogError, SinkError
from datahub_llmops.net.shown import clean

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds to wait for another run before the outcome of this one is left out."""
_SHOWN = 500
"""Characters of a URN in a message."""
_DEEPEST_URN = 50
"""The largest number of URNs in a URN. A column of a dataset is one in one."""
_OPS = {"UPSERT": Op.UPSERT, "UPDATE": Op.UPSERT, "CREATE": Op.CREATE, "CREATE_ENTITY": Op.CREATE_ENTITY}


class LocalSinkConfig(ConfigModel):
    """Options of the sink."""

    path: Path = Field(
        default_factory=default_catalog,
        description="The catalog's file. Default: what `DATAHUB_LLMOPS_CATALOG` says, else one file in the user's "
        "data folder, the same that the command reads.",
    )
    lock_timeout_seconds: float = Field(
        default=file.LOCK_TIMEOUT,
        ge=0,
        description="How long to wait for another run that is being stored in the same file.",
    )


@dataclass
class LocalSinkReport(SinkReport):
    """The changes of a run to the catalog, in addition to DataHub's own counters."""

    catalog: str = ""
    changed: int = 0
    """Aspects and time series records that are new or say something new."""
    unchanged: int = 0
    """Those that say what the catalog held already; audit times do not count."""
    removed: int = 0
    """Assets that were soft-deleted or deleted."""
    refused: int = 0
    """Records that could not be applied; each is a failure too."""
    changed_aspects: dict[str, int] = field(default_factory=dict)
    removed_assets: LossyList[str] = field(default_factory=LossyList)


class LocalSink(Sink[LocalSinkConfig, LocalSinkReport]):
    """Collects a run in a spool, and applies it in ``flush``. It touches no file before the first record."""

    @classmethod
    @override
    def create(cls, config_dict: dict[str, Any], ctx: PipelineContext) -> Self:
        """
        Raises:
            PipelineInitError: options are wrong.
        """
        return cls(ctx, pipeline_config(LocalSinkConfig, config_dict, of="sink llm-local"))

    @override
    def __post_init__(self) -> None:
        # Lineage is read by the annotations of registered aspects when it is written.
        register()
        self._path = self.config.path.expanduser()
        self._spool = Spool()
        self._broken: Exception | None = None
        self._flushed = False
        self._began: int | None = None
        self._outcome: RunOutcome = "FAILURE"
        self.report.catalog = str(self._path)

        ask_for_outcome(self.ctx.pipeline_config)

    @override
    def configured(self) -> str:
        return f"local catalog {self._path}"

    @override
    def write_record_async(self, record_envelope: RecordEnvelope[Any], write_callback: WriteCallback) -> None:
        try:
            self._spool.add(*_changes(record_envelope.record))
        except UNFIT as error:
            shown = _refusal(error)
            self._refuse(_name_of(record_envelope.record), shown)
            if write_callback:
                write_callback.on_failure(record_envelope, shown, {})
            return
        except OSError as error:
            self._broken = error
            self.report.report_failure(
                f"local catalog {self._path}: the run cannot be gathered ({error.strerror})"
            )
            if write_callback:
                write_callback.on_failure(record_envelope, error, {})
            return
        self.report.report_record_written(record_envelope)
        if write_callback:
            write_callback.on_success(record_envelope, {})

    def _refuse(self, what: str, error: Exception) -> None:
        self.report.refused += 1
        self.report.report_failure(f"{clean(what[:_SHOWN])}: {clean(str(error))}")

    @override
    def flush(self) -> None:
        """Store everything written since the last flush, or nothing.

        Raises:
            SinkError: it cannot be stored; the catalog is as it was.
        """
        if self._broken is not None:
            raise self._not_gathered() from self._broken
        if self._spool.count:
            refused, outcome = self._store()
            for what, error in refused:
                self._refuse(what, error)
            self._count(outcome)
            self._spool.clear()
        self._flushed = True

    def _not_gathered(self) -> SinkError:
        return SinkError(
            f"local catalog {self._path}: the run could not be gathered in a temporary file, nothing of it was stored; "
            f"make room in {tempfile.gettempdir()} and run again"
        )

    def _store(self) -> tuple[list[tuple[str, RefusedError]], Outcome]:
        try:
            connection = file.open_writer(self._path, self.config.lock_timeout_seconds)
        except CatalogError as error:
            raise SinkError(f"{error}; nothing of the run was stored") from error
        try:
            with file.explaining(self._path):
                try:
                    result = self._apply(Writer(connection), apart=False)
                except UNFIT:
                    # A change cannot be applied, and no check foresaw it. Finding it costs a savepoint for each.
                    file.begin_again(connection, self._path)
                    result = self._apply(Writer(connection), apart=True)
                states = self._states()
                for provider in states:
                    provider.write(connection)
                file.commit(connection)
                for provider in states:
                    provider.note_stored()
        except CatalogError as error:
            raise SinkError(f"{error}; nothing of the run was stored") from error
        except OSError as error:
            raise self._not_gathered() from error
        finally:
            file.close(connection)
        return result

    def _states(self) -> list[LocalCheckpointProvider]:
        """The checkpoint providers of the pipeline that keep their states in the catalog's file."""
        return [
            provider
            for _, provider in self.ctx.get_committables()
            if isinstance(provider, LocalCheckpointProvider) and provider.is_in(self._path)
        ]

    def _apply(self, writer: Writer, *, apart: bool) -> tuple[list[tuple[str, RefusedError]], Outcome]:
        """Apply all changes, with ``apart`` each by itself, and return those that were refused."""
        refused: list[tuple[str, RefusedError]] = []
        apply = writer.apply_apart if apart else writer.apply
        for change in self._spool.changes():
            try:
                apply(change)
            except RefusedError as error:
                refused.append((f"{change.urn} {change.aspect}", error))
        return refused, writer.finish()

    def _count(self, outcome: Outcome) -> None:
        self.report.changed += outcome.changed.total()
        self.report.unchanged += outcome.unchanged
        self.report.removed += outcome.removed
        for name, count in sorted(outcome.changed.items()):
            self.report.changed_aspects[name] = self.report.changed_aspects.get(name, 0) + count
        for urn in outcome.removed_sample:
            self.report.removed_assets.append(urn)

    @override
    def close(self) -> None:
        """Drop what was not flushed. What reporters write during the close, after a flush, is stored."""
        super().close()
        try:
            if self._flushed and self._broken is None:
                self.flush()
        finally:
            self._spool.clear()
            self._note_run()

    def begin_run(self) -> None:
        """Take note of the time. A run that ends without a word has failed before it began."""
        self._began = _now()

    def end_run(self, outcome: RunOutcome) -> None:
        """Take note of how the run ended."""
        self._outcome = outcome

    def _note_run(self) -> None:
        """Store how the run ended. A catalog that no run has written yet is not begun for that."""
        config = self.ctx.pipeline_config
        if self._began is None or config is None or not self._path.exists():
            return
        began, self._began, now = self._began, None, _now()
        options = config.source.config if isinstance(config.source.config, dict) else {}
        run = PipelineRun(
            pipeline=config.pipeline_name or "",
            source=config.source.type,
            instance=str(options.get("platform_instance") or ""),
            run_id=self.ctx.run_id,
            began=began,
            ended=now,
            outcome=self._outcome,
            succeeded=now if self._outcome == "SUCCESS" else None,
        )
        try:
            pipeline_runs.note(self._path, run, min(self.config.lock_timeout_seconds, _PATIENCE))
        except CatalogError as error:
            logger.warning("%s; how this run ended is not noted in it", error)


def _now() -> int:
    return int(time.time() * 1000)


def _refusal(error: Exception) -> Exception:
    """Return the error to show: others than ours carry values, and DataHub hands errors on to its logs."""
    if isinstance(error, (RefusedError, InvalidAspectError)):
        return error
    if isinstance(error, UnicodeEncodeError):
        return RefusedError("a text is not valid Unicode")
    if isinstance(error, RecursionError):
        return RefusedError("it is nested too deeply")
    return RefusedError(f"it cannot be read ({type(error).__name__})")


def _name_of(record: object) -> str:
    urn = getattr(record, "entityUrn", None) or getattr(
        getattr(record, "proposedSnapshot", None), "urn", None
    )
    return f"{urn or type(record).__name__} {getattr(record, 'aspectName', None) or ''}".strip()


def _changes(record: object) -> Iterator[Change]:
    """
    Raises:
        RefusedError: the record is of a kind, or asks for a change, that no catalog of this kind can take.
        InvalidAspectError: an aspect does not fit its schema.
    """
    if isinstance(record, (MetadataChangeProposalWrapper, MetadataChangeProposalClass)):
        yield _of_proposal(record)
    elif isinstance(record, MetadataChangeEventClass):
        if record.proposedDelta is not None:
            raise RefusedError("a MetadataChangeEvent with a delta cannot be stored")
        snapshot = record.proposedSnapshot
        # All of them before the first is passed on: an event is taken whole or not at all.
        yield from [_of_aspect(Op.UPSERT, snapshot.urn, aspect) for aspect in snapshot.aspects]
    elif isinstance(record, UsageAggregationClass):
        yield _of_aspect(Op.UPSERT, record.resource, usage_statistics(record))
    else:
        raise RefusedError(f"a record of type {type(record).__name__} cannot be stored")


def _of_proposal(record: MetadataChangeProposalWrapper | MetadataChangeProposalClass) -> Change:
    urn, change_type = record.entityUrn, str(record.changeType)
    if not urn:
        raise RefusedError("a proposal without entityUrn cannot be stored; DataHub's builders give one")
    if change_type == "DELETE":
        return _deletion(urn, record.aspectName)
    aspect, name = record.aspect, record.aspectName
    if aspect is None or not name:
        raise RefusedError(f"{change_type} without an aspect")
    quietly = (record.headers or {}).get("If-None-Match") == "*"
    if not isinstance(aspect, GenericAspectClass):
        return _of_aspect(_op(change_type), urn, aspect, quietly=quietly)
    _check_entity(urn, name)
    # DataHub's file sink writes every aspect as plain JSON, patches too.
    wanted = [JSON_PATCH_CONTENT_TYPE, JSON_CONTENT_TYPE] if change_type == "PATCH" else [JSON_CONTENT_TYPE]
    if aspect.contentType not in wanted:
        raise RefusedError(f"{change_type} with content type {aspect.contentType}; it takes {wanted[0]}")
    if change_type == "PATCH":
        if name in TIMESERIES_ASPECT_MAP:
            raise RefusedError("a time series takes no PATCH")
        return Change(op=Op.PATCH, urn=urn, aspect=name, body=json_text(_parsed(aspect.value)))
    op = Op.SERIES if name in TIMESERIES_ASPECT_MAP else _op(change_type)
    return Change(op=op, urn=urn, aspect=name, body=normal_text(name, _parsed(aspect.value)), quietly=quietly)


def _of_aspect(op: Op, urn: str, aspect: DictWrapper, *, quietly: bool = False) -> Change:
    name = aspect.get_aspect_name()  # type: ignore[attr-defined]  # every aspect class has it, the base has not
    _check_entity(urn, name)
    if aspect.get_aspect_type() == "timeseries":  # type: ignore[attr-defined]  # likewise
        op = Op.SERIES
    return Change(op=op, urn=urn, aspect=name, body=aspect_text(aspect), quietly=quietly)


def _op(change_type: str) -> Op:
    if change_type not in _OPS:
        raise RefusedError(
            f"the change type {change_type} is not supported for a single aspect, as on a server"
        )
    return _OPS[change_type]


def _deletion(urn: str, aspect: str | None) -> Change:
    key = KEY_ASPECTS.get(urn_text.entity_type(urn))
    if aspect and (key is None or aspect != key.ASPECT_NAME):
        raise RefusedError("DELETE is supported for a whole entity only, by its key aspect, as on a server")
    return Change(op=Op.DELETE, urn=urn, aspect=aspect or "", body="null")


def _check_entity(urn: str, aspect: str) -> None:
    """Check that DataHub's registry allows its aspects on this entity. Custom aspects may go anywhere."""
    kind = urn_text.entity_type(urn)
    if not kind or not urn_text.key_parts(urn):
        raise RefusedError("its entityUrn is not a URN")
    if urn.count("(") > _DEEPEST_URN:
        raise RefusedError(f"its entityUrn holds more than {_DEEPEST_URN} others")
    allowed = _allowed(kind)
    if allowed is not None and aspect in _CORE_ASPECTS and aspect not in allowed:
        raise RefusedError(f"DataHub knows no aspect {aspect} on an entity of type {kind}")


def _allowed(kind: str) -> frozenset[str] | None:
    key = KEY_ASPECTS.get(kind)
    return None if key is None else _aspects_of(key)


def _aspects_of(key: type[DictWrapper]) -> frozenset[str]:
    if key not in _ASPECTS_OF:
        info: dict[str, Any] = getattr(key, "ASPECT_INFO", {})
        _ASPECTS_OF[key] = frozenset((*info.get("entityAspects", ()), getattr(key, "ASPECT_NAME", "")))
    return _ASPECTS_OF[key]


_ASPECTS_OF: dict[type[DictWrapper], frozenset[str]] = {}
_CORE_ASPECTS: frozenset[str] = frozenset().union(*(_aspects_of(key) for key in KEY_ASPECTS.values()))


def _parsed(value: bytes | str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        raise RefusedError("the aspect is not JSON") from None
