"""Opens the door that a recipe names. Packages that only one door needs are loaded with it."""

from __future__ import annotations

from datahub_llmops.assets.extras import not_installed
from datahub_llmops.hooks.chunk_sources import PICKED
from datahub_llmops.spans.assemble import AssembleOptions
from datahub_llmops.spans.assembler import Assembler
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.config import SpansConfig
from datahub_llmops.spans.doors.door import Door, ReadCounts, Tell


def assemble_options(config: SpansConfig) -> AssembleOptions:
    """Return how answers are put together, by the recipe."""
    return AssembleOptions(application=config.application.attribute, default=config.application.default)


def open_door(config: SpansConfig, tell: Tell, counts: ReadCounts) -> Door:
    """Open the files or the server of a recipe. Nothing is read yet.

    Raises:
        AccessError: a package that the door needs is missing, or its address cannot be used.
    """
    selection = Selection(PICKED, config.application.attribute)
    made = Assembler(assemble_options(config))
    if config.clickhouse is not None:
        from datahub_llmops.spans.doors.clickhouse import ClickHouseDoor, ClickHouseOptions

        given = config.clickhouse
        return ClickHouseDoor(
            ClickHouseOptions(
                url=given.url,
                database=given.database,
                table=given.table,
                user=given.user,
                password=given.password.get_secret_value() or None,
                columns=given.columns,
                timeout_sec=given.timeout_sec,
                retry_max_times=given.retry_max_times,
                ca_certificate_path=given.ca_certificate_path,
                disable_ssl_verification=given.disable_ssl_verification,
                max_days=config.max_days,
            ),
            selection=selection,
            assemble=made,
            tell=tell,
            application=config.application.attribute,
            counts=counts,
        )
    try:
        from datahub_llmops.spans.doors.files import FilesDoor
        from datahub_llmops.spans.doors.options import FilesOptions
    except ImportError as error:
        raise not_installed("Reading files of spans", "spans", error) from error
    return FilesDoor(
        FilesOptions(files=config.patterns, storage=config.storage, max_days=config.max_days),
        selection=selection,
        assemble=made,
        tell=tell,
        counts=counts,
    )
