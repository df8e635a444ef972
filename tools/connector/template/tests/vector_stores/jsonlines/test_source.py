"""`llm-jsonlines`: the contracts of every connector, then what is particular to this store."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from datahub_llmops.vector_stores.jsonlines.reader import JsonLinesReader
from datahub_llmops.vector_stores.jsonlines.source import JsonLinesSource
from typing_extensions import override

from datahub_llmops.errors import UnreadableError
from datahub_llmops.testing import Config, KnownIds, OpenReader, SourceContract, StoreContract

SECRET = "planted-secret-5ec7e7"
POINT = {
    "vector": [0.1, 0.9],
    "payload": {"text": "Fold the corner.", "page": 3, "source": "s3://kb/guides.pdf"},
}


def open_folder(folder: Path) -> JsonLinesReader:
    return JsonLinesReader(folder, provenance_fields=["source"], max_values=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "vectors"
    found.mkdir()
    for name in ("guides", "notes"):
        points = [{"id": f"{name}-{number}", **POINT} for number in range(3)]
        (found / f"{name}.jsonl").write_text("".join(f"{json.dumps(point)}\n" for point in points))
    return found


class TestContract(StoreContract):
    source = JsonLinesSource

    @pytest.fixture
    def open_reader(self, folder: Path) -> OpenReader:
        return lambda: open_folder(folder)

    @pytest.fixture
    def known_ids(self) -> KnownIds:
        return {("guides",): ["guides-0", "guides-2"]}

    @pytest.fixture
    def open_faulty(self, folder: Path) -> OpenReader:
        (folder / "guides.jsonl").write_text('{"id": ')
        return lambda: open_folder(folder)


class TestSource(SourceContract):
    source = JsonLinesSource
    system = "jsonlines"
    collections = frozenset({"guides", "notes"})
    filters = {"collection_pattern": {"deny": ["notes"]}}  # noqa: RUF012
    kept = frozenset({"guides"})
    filtered = 1
    job = {"index": "guides", "fields": {"url": "source"}}  # noqa: RUF012
    job_edges = frozenset({("body", "vector"), ("url", "source")})
    wrong_recipes = (({"folder": "./vectors", "foldr": SECRET}, "foldr"),)
    secrets = (SECRET,)
    provenance_fields = ("source",)
    rule = "kb:guides"

    @pytest.fixture
    def recipe(self, folder: Path) -> Config:
        return {"folder": str(folder)}

    @pytest.fixture
    @override
    def away(self, tmp_path: Path) -> Config:
        return {"folder": str(tmp_path / "nowhere")}

    @pytest.fixture
    def refused(self, folder: Path) -> Config:
        if os.geteuid() == 0:
            pytest.skip("root may list every folder")
        folder.chmod(0)
        return {"folder": str(folder)}

    @pytest.fixture
    def telling(self, folder: Path) -> Config:
        point = {"vector": [0.1, 0.9], "payload": {"text": SECRET, "source": "kb:guides"}}
        (folder / "guides.jsonl").write_text(f"{json.dumps(point)}\n")
        (folder / "notes.jsonl").write_text(f'{{"payload": {{"text": "{SECRET}"\n')
        return {"folder": str(folder)}


def test_all_facts_are_read(folder: Path) -> None:
    found = open_folder(folder).read(("guides",))
    assert found.count == 3
    assert found.vectors[0].native_type == "vector(2)"
    assert {field.path: field.type for field in found.fields} == {
        "text": "string",
        "page": "integer",
        "source": "string",
    }
    assert found.provenance[0].values == {"s3://kb/guides.pdf": 3}


def test_a_broken_line_is_named_and_not_shown(folder: Path) -> None:
    (folder / "notes.jsonl").write_text(f'{{"payload": {{"text": "{SECRET}"}}\n')
    with pytest.raises(UnreadableError, match="line 1") as caught:
        open_folder(folder).read(("notes",))
    assert SECRET not in str(caught.value)
