"""What the recipe of every connector keeps to, through DataHub's pipeline, as classes that its tests inherit.

``SourceContract`` is for the source of a vector store, ``RegistrySourceContract`` for that of a registry of prompts.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError
from typing_extensions import override

from datahub_llmops import urns
from datahub_llmops.ingestion.prompt_registry import PromptRegistrySource
from datahub_llmops.ingestion.source import CatalogSource
from datahub_llmops.ingestion.vector_store import VectorStoreSource
from datahub_llmops.testing.contracts import Config
from datahub_llmops.testing.runs import (
    assigned,
    column_edges,
    failures,
    graph_of,
    ingest,
    live,
    outputs,
    report,
)
from datahub_llmops.urns import Deployment


class RecipeContract:
    """What the recipe of any connector does.

    Fixtures are recipes, made for each test: ``recipe`` reads the system, ``refused`` is denied access, ``away`` has an
    address where nothing listens, ``telling`` contains a secret and reads an item that fails.
    """

    source: ClassVar[type[CatalogSource[Any, Any]]]
    system: ClassVar[str]
    """``llm-<system>`` is the type in a recipe; for a connector without an entry point, the path of its class."""

    filters: ClassVar[Config]
    kept: ClassVar[frozenset[str]]
    """The datasets that pass ``filters``; ``filtered`` is the number of items that do not."""
    filtered: ClassVar[int]

    wrong_recipes: ClassVar[Sequence[tuple[Config, str]]]
    """Each with a pattern that the error message matches."""
    secrets: ClassVar[tuple[str, ...]]
    """Secrets of ``telling`` and ``wrong_recipes``, and words of payload values. No output may contain them."""

    def datasets(self) -> frozenset[str]:
        """The full names of all datasets that ``recipe`` describes."""
        raise NotImplementedError

    def items(self) -> int:
        """How many items ``recipe`` reads."""
        return len(self.datasets())

    @pytest.fixture
    def away(self, recipe: Config) -> Iterator[Config]:
        with _refused_url() as url:
            yield {**recipe, "url": url, "retry_max_times": 0}

    def test_a_second_run_changes_nothing(self, recipe: Config, tmp_path: Path) -> None:
        assert failures(ingest(tmp_path, self.system, **recipe)) == []
        assert live(tmp_path, self.source.platform) == self.datasets()
        second: Any = ingest(tmp_path, self.system, **recipe).sink.get_report()
        assert (second.changed, second.removed) == (0, 0)

    def test_what_the_filters_leave_out_is_counted_and_not_written(
        self, recipe: Config, tmp_path: Path
    ) -> None:
        pipeline = ingest(tmp_path, self.system, **recipe, **self.filters)
        assert failures(pipeline) == []
        assert live(tmp_path, self.source.platform) == self.kept
        assert report(pipeline).items_filtered == self.filtered

    def test_a_connection_that_works_says_what_it_sees(self, recipe: Config) -> None:
        seen = f"True: Works, sees {self.items()} {self.source.noun}s."
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

    def telling_options(self) -> Config:
        """What else the recipe that must not tell anything says."""
        return {}

    def test_no_secret_and_no_payload_in_logs_report_or_events(
        self,
        telling: Config,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        (tmp_path / "out").mkdir()
        shown = outputs(tmp_path / "out", self.system, {**telling, **self.telling_options()})
        # The item that fails is named.
        assert all("could not be read" in told.lower() for told in shown[::2])
        self.check_events(shown[1::2])
        said = capfd.readouterr()
        for text in (*shown, caplog.text, said.out, said.err):
            assert not self._told(text)

    def check_events(self, events: Sequence[str]) -> None:
        """Check what a run over ``telling`` wrote."""

    def _told(self, text: str) -> list[str]:
        return [word for word in self.secrets if word in text]


class SourceContract(RecipeContract):
    """What the recipe of a vector store does, over a system whose collections are datasets of its own."""

    source: ClassVar[type[VectorStoreSource[Any]]]
    collections: ClassVar[frozenset[str]]

    job: ClassVar[Config]
    """Options of a declared job over ``body`` and ``url``: ``index``, a collection with one vector, and ``fields``."""
    job_edges: ClassVar[frozenset[tuple[str, str]]]

    provenance_fields: ClassVar[Sequence[str]]
    rule: ClassVar[str] = "kb:[^:]+:0"
    """A pattern that a value of one of these fields matches."""

    @override
    def datasets(self) -> frozenset[str]:
        return self.collections

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

    @override
    def telling_options(self) -> Config:
        rules = [{"match": self.rule, "urn": "urn:li:dataset:(urn:li:dataPlatform:s3,known,PROD)"}]
        return {"provenance": {"fields": [*self.provenance_fields], "rules": rules}}

    @override
    def check_events(self, events: Sequence[str]) -> None:
        # The value that a rule matches became an edge to the dataset that the rule names.
        assert all("s3,known" in event for event in events)


class RegistrySourceContract(RecipeContract):
    """What the recipe of a registry of prompts does."""

    source: ClassVar[type[PromptRegistrySource[Any]]]
    versions: ClassVar[frozenset[str]]
    """The full names of all versions, ``support/answer.v3``."""
    prompts: ClassVar[int]
    """The number of prompts."""
    text: ClassVar[str]
    """Words of a template that the registry holds."""

    @override
    def datasets(self) -> frozenset[str]:
        return self.versions

    @override
    def items(self) -> int:
        return self.prompts

    def test_the_text_of_a_template_is_in_its_definition_only(self, recipe: Config, tmp_path: Path) -> None:
        pipeline = ingest(tmp_path, self.system, **recipe)
        found = {name for (_, name), aspect in graph_of(tmp_path).items() if self.text in json.dumps(aspect)}
        assert found == {"viewProperties"}
        assert self.text not in report(pipeline).as_string()

    def test_without_text_there_is_none(self, recipe: Config, tmp_path: Path) -> None:
        assert failures(ingest(tmp_path, self.system, **recipe, include_text=False)) == []
        assert live(tmp_path, self.source.platform) == self.versions
        assert self.text not in json.dumps(list(graph_of(tmp_path).values()))


@contextmanager
def _refused_url() -> Iterator[str]:
    """An address at which nothing listens as long as the block lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
