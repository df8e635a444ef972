"""What every connector keeps to, as classes that its tests inherit.

``ReaderContract`` is for any reader. ``StoreContract`` is for the reader of a vector store: the facts that it reads are
those that its source declares. ``SourceContract`` is for the whole source, through DataHub's pipeline.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest
from pydantic import ValidationError

from datahub_llmops import urns
from datahub_llmops.assets.collections import Collection, Container, FailedListing, Name
from datahub_llmops.errors import ConnectorError, VanishedError
from datahub_llmops.ingestion.capabilities import Fact, present_facts
from datahub_llmops.ingestion.reader import Reader
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from datahub_llmops.testing.runs import assigned, column_edges, failures, ingest, live, outputs, report
from datahub_llmops.urns import Deployment

OpenReader: TypeAlias = Callable[[], Reader[Any]]
Config: TypeAlias = dict[str, Any]

NO_SUCH = "no-such-item-7f3a"
_STAND_INS = frozenset({"", "unknown", "none", "null", "n/a", "undefined", "nan"})
_MAY_SAY_UNKNOWN = frozenset({"type", "native_type"})
_COUNTS_FROM_ONE = frozenset({"dimension", "size_bytes"})


class ReaderContract:
    """Each method is one check. The fixture ``open_reader`` opens readers of one system, which holds several items."""

    def test_lists_something(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            assert _names(reader)

    def test_names_are_paths_of_words(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                assert isinstance(name, tuple)
                assert name
                assert all(isinstance(part, str) and part for part in name)
                assert isinstance(name, Hashable)

    def test_names_are_unique(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            names = _names(reader)
            assert len(set(names)) == len(names)

    def test_listing_twice_gives_the_same(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            first = _names(reader)
            assert _names(reader) == first
        with closing(open_reader()) as other:
            assert _names(other) == first

    def test_what_is_listed_reads_back_under_its_name(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                assert reader.read(name).name == name

    def test_reads_without_listing(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            expected = {name: reader.read(name) for name in _names(reader)}
        with closing(open_reader()) as other:
            assert {name: other.read(name) for name in reversed(expected)} == expected

    def test_a_missing_item_has_vanished(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            name = _names(reader)[0]
            for missing in (
                (*name[:-1], NO_SUCH),
                (*name[:-1], f"{name[-1]}x"),
                tuple(NO_SUCH for _ in name),
            ):
                with pytest.raises(VanishedError):
                    reader.read(missing)

    def test_odd_names_raise_connector_errors_only(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            name = _names(reader)[0]
            odd: list[Name] = [(), ("a",), (*name, "more", "parts")]
            odd += [
                (*name[:-1], part)
                for part in ("../..", "a/b?c#d", "'\"`", "é漢 字", "%2e", "x" * 5000, "a\x00b")
            ]
            for missing in odd:
                with pytest.raises(ConnectorError):
                    reader.read(missing)

    def test_what_is_not_said_is_absent(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for name in _names(reader):
                for path, value in _leaves(reader.read(name)):
                    assert not _is_stand_in(path, value), f"{path} = {value!r} in {name}"

    def test_field_paths_are_unique(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for item in _collections(reader):
                paths = [field.path for field in item.fields] + [vector.name for vector in item.vectors]
                assert len(set(paths)) == len(paths)

    def test_the_text_field_is_a_field(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            for item in _collections(reader):
                assert item.text_field is None or item.text_field in {field.path for field in item.fields}

    def test_neighbours_share_their_containers(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            seen: dict[Name, tuple[Container, ...]] = {}
            for item in _collections(reader):
                assert seen.setdefault(item.name[:-1], item.containers) == item.containers

    def test_threads_read_what_one_reads(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            names = _names(reader)
            alone = [reader.read(name) for name in names]
            with ThreadPoolExecutor(max_workers=8) as pool:
                assert list(pool.map(reader.read, names * 4)) == alone * 4

    def test_closes_twice(self, open_reader: OpenReader) -> None:
        reader = open_reader()
        names = _names(reader)
        reader.close()
        reader.close()
        # After that it may refuse, or open itself anew: but in the words of the contract.
        with suppress(ConnectorError):
            reader.read(names[0])


class StoreContract(ReaderContract):
    """The system has to hold an example of every fact that the connector declares."""

    source: ClassVar[type[VectorStoreSource[Any]]]
    missing_facts: ClassVar[frozenset[Fact]] = frozenset()
    """Declared facts that this reader does not read, where another reader of the connector does."""

    def test_tells_what_its_source_declares(self, open_reader: OpenReader) -> None:
        with closing(open_reader()) as reader:
            seen = {fact for item in _collections(reader) for fact in present_facts(item)}
        declared = set(self.source.declares) - self.missing_facts
        assert seen == declared, f"undeclared: {sorted(seen - declared)}; not read: {sorted(declared - seen)}"


class SourceContract:
    """What the recipe of a connector does, over a system whose collections are datasets of its own.

    Fixtures are recipes, made for each test: ``recipe`` reads the system, ``refused`` is denied access, ``away`` has an
    address where nothing listens, ``telling`` contains a secret and reads an item that fails.
    """

    source: ClassVar[type[VectorStoreSource[Any]]]
    system: ClassVar[str]
    """``llm-<system>`` is the type in a recipe; for a connector without an entry point, the path of its class."""
    collections: ClassVar[frozenset[str]]

    filters: ClassVar[Config]
    kept: ClassVar[frozenset[str]]
    """The collections that pass ``filters``; ``filtered`` is the number of those that do not."""
    filtered: ClassVar[int]

    job: ClassVar[Config]
    """Options of a declared job over ``body`` and ``url``: ``index``, a collection with one vector, and ``fields``."""
    job_edges: ClassVar[frozenset[tuple[str, str]]]

    wrong_recipes: ClassVar[Sequence[tuple[Config, str]]]
    """Each with a pattern that the error message matches."""
    secrets: ClassVar[tuple[str, ...]]
    """Secrets of ``telling`` and ``wrong_recipes``, and words of payload values. No output may contain them."""
    provenance_fields: ClassVar[Sequence[str]]
    rule: ClassVar[str] = "kb:[^:]+:0"
    """A pattern that a value of one of these fields matches."""

    @pytest.fixture
    def away(self, recipe: Config) -> Iterator[Config]:
        with _refused_url() as url:
            yield {**recipe, "url": url, "retry_max_times": 0}

    def test_a_second_run_changes_nothing(self, recipe: Config, tmp_path: Path) -> None:
        assert failures(ingest(tmp_path, self.system, **recipe)) == []
        assert live(tmp_path, self.source.platform) == self.collections
        second: Any = ingest(tmp_path, self.system, **recipe).sink.get_report()
        assert (second.changed, second.removed) == (0, 0)

    def test_what_the_filters_leave_out_is_counted_and_not_written(
        self, recipe: Config, tmp_path: Path
    ) -> None:
        pipeline = ingest(tmp_path, self.system, **recipe, **self.filters)
        assert failures(pipeline) == []
        assert live(tmp_path, self.source.platform) == self.kept
        assert report(pipeline).items_filtered == self.filtered

    def test_a_declared_job_reaches_text_vector_and_fields(self, recipe: Config, tmp_path: Path) -> None:
        job = {
            "name": "embed-notes",
            "upstream": {"platform": "sqlite", "sql": "select n.body, n.url from notes n"},
            "text_columns": ["body"],
            "embedding_model": "openai/text-embedding-3-small",
            **self.job,
        }
        assert failures(ingest(tmp_path, self.system, **recipe, embedding_jobs=[job])) == []
        assert column_edges(tmp_path, "embed-notes") == self.job_edges
        index = urns.collection(Deployment(platform=self.source.platform), (job["index"],))
        assert assigned(tmp_path, index)["embedding_model"] == "openai/text-embedding-3-small"

    def test_a_connection_that_works_says_what_it_sees(self, recipe: Config) -> None:
        seen = f"True: Works, sees {len(self.collections)} {self.source.noun}s."
        assert self._verdict(recipe) == seen

    def test_a_connection_that_is_refused_says_so(self, refused: Config) -> None:
        assert self._verdict(refused).startswith("False: Not allowed: ")

    def test_a_connection_to_nobody_says_so(self, away: Config) -> None:
        assert self._verdict(away).startswith("False: Cannot reach: ")

    def _verdict(self, config: Config) -> str:
        found = self.source.test_connection(config).basic_connectivity
        assert found is not None
        return f"{found.capable}: {found.mitigation_message or found.failure_reason}"

    def test_a_wrong_recipe_says_what_is_wrong(self) -> None:
        for config, message in self.wrong_recipes:
            with pytest.raises(ValidationError, match=message) as caught:
                self.source.config_type.model_validate(config)
            assert not self._told(str(caught.value))

    def test_no_secret_and_no_payload_in_logs_report_or_events(
        self,
        telling: Config,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        rules = [{"match": self.rule, "urn": "urn:li:dataset:(urn:li:dataPlatform:s3,known,PROD)"}]
        provenance = {"fields": [*self.provenance_fields], "rules": rules}
        (tmp_path / "out").mkdir()
        shown = outputs(tmp_path / "out", self.system, {**telling, "provenance": provenance})
        # The item that fails is named.
        assert all("Could not be read" in told for told in shown[::2])
        # The value that a rule matches became an edge to the dataset that the rule names.
        assert all("s3,known" in events for events in shown[1::2])
        said = capfd.readouterr()
        for text in (*shown, caplog.text, said.out, said.err):
            assert not self._told(text)

    def _told(self, text: str) -> list[str]:
        return [word for word in self.secrets if word in text]


@contextmanager
def _refused_url() -> Iterator[str]:
    """An address at which nothing listens as long as the block lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


CHECKS = frozenset(name for name in vars(ReaderContract) if name.startswith("test_"))


def _names(reader: Reader[Any]) -> list[Name]:
    entries = list(reader.names())
    return [entry for entry in entries if not isinstance(entry, FailedListing)]


def _collections(reader: Reader[Any]) -> Iterator[Collection]:
    for name in _names(reader):
        item = reader.read(name)
        if isinstance(item, Collection):
            yield item


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every plain value below a dataclass with its path."""
    if is_dataclass(value):
        for item in fields(value):
            yield from _leaves(getattr(value, item.name), f"{path}.{item.name}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}[{key}]")
    elif isinstance(value, (tuple, list)):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _is_stand_in(path: str, value: object) -> bool:
    word = path.rpartition(".")[2]
    if isinstance(value, str):
        return value.strip().lower() in _STAND_INS and word not in _MAY_SAY_UNKNOWN
    if isinstance(value, datetime):
        return value.tzinfo is None or value < datetime(1990, 1, 1, tzinfo=UTC)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value < (1 if word in _COUNTS_FROM_ONE else 0)
    return False
