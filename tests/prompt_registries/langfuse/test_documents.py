"""Sources of documents in the metadata of recorded searches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from datahub_llmops.assets.collections import FailedListing
from datahub_llmops.assets.observations import Observed, RetrievedSource, Window
from prompt_registries.langfuse.service import LangfuseService, open_at

MONTH = Window(first=date(2026, 11, 1), last=date(2026, 11, 30))
LAST = datetime(2026, 11, 29, 1, 45, 24, 451000, UTC)


@pytest.fixture
def service() -> Iterator[LangfuseService]:
    with LangfuseService() as server:
        yield server


def read(service: LangfuseService, **options: Any) -> list[RetrievedSource | FailedListing]:
    options = {"document_keys": ["document_ids"], "sample_rows": 1000, **options}
    with closing(open_at(service.url, **options)) as reader:
        return [item for item in reader.observed(MONTH) if not isinstance(item, Observed)]


def source(value: str, chunks: int) -> RetrievedSource:
    return RetrievedSource(
        application="support-bot", field="document_ids", value=value, chunks=chunks, last=LAST
    )


def test_sources_are_counted_by_application(service: LangfuseService) -> None:
    assert read(service) == [
        source("s3://acme-kb/returns.md", 2),
        source("s3://acme-kb/warranty.md", 2),
        source("postgres://crm.public.faq/17", 1),
    ]
    (asked,) = (call.query for call in service.calls if call.path.endswith("/observations"))
    # Of searches alone, without what they were asked and answered.
    assert asked["type"] == ["RETRIEVER"]
    assert asked["fields"] == ["core,basic,metadata,trace_context"]


def test_no_search_is_read_unless_the_recipe_asks_for_it(service: LangfuseService) -> None:
    with closing(open_at(service.url, document_keys=["document_ids"])) as reader:
        assert all(isinstance(item, Observed) for item in reader.observed(MONTH))
    assert not service.count("observations")


def test_only_so_many_searches_are_read_and_the_rest_is_told(service: LangfuseService) -> None:
    told, *found = read(service, sample_rows=1)
    assert isinstance(told, FailedListing)
    assert not told.is_item
    assert "the newest 1 searches" in str(told.error)
    assert {item.chunks for item in found if isinstance(item, RetrievedSource)} == {1}


def test_one_text_is_one_source(service: LangfuseService) -> None:
    for row in service.rows["observations"]:
        row["metadata"] = {"document_ids": "s3://kb/one.md", "other": "s3://kb/two.md"}
    assert read(service) == [source("s3://kb/one.md", 2)]


@pytest.mark.parametrize("value", [None, 3, {"a": "b"}, [1, None], ""])
def test_what_is_no_text_is_no_source(service: LangfuseService, value: object) -> None:
    for row in service.rows["observations"]:
        row["metadata"] = {"document_ids": value}
    assert read(service) == []


def test_searches_of_experiments_are_nobodys(service: LangfuseService) -> None:
    for row in service.rows["observations"]:
        row["environment"] = "sdk-experiment"
    assert read(service) == []


def test_a_server_in_the_form_of_langfuse_3_says_that_documents_are_missing(service: LangfuseService) -> None:
    service.mode = "legacy"
    (told,) = read(service)
    assert isinstance(told, FailedListing)
    assert "documents cannot be read" in str(told.error)
