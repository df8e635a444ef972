"""Keys of rows, counted by a real store: how many there are leaves the process, and the keys do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from datahub.ingestion.run.pipeline import Pipeline

from catalog.local.local_runs import dataset
from datahub_llmops.assets.collections import Collection, ProvenanceCount
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.ingestion.key_counts import separate_keys


def _count(field: str, values: dict[str, int], **more: Any) -> ProvenanceCount:
    return ProvenanceCount(field=field, values=values, **{"rows_scanned": 5, "rows_total": 5, **more})


def test_keys_become_numbers_and_sources_stay() -> None:
    source, key = _count("source", {"a": 5}), _count("metadata.dh_source_key", {"1": 2, "2": 2})
    found = separate_keys(
        Collection(name=("a",), count=5, provenance=(source, key)), ["dh_source_key"], ["source"]
    )
    assert found.provenance == (source,)
    ((field, distinct, chunks),) = [(one.field, one.distinct, one.chunks) for one in found.keys]
    assert (field, distinct, chunks) == ("metadata.dh_source_key", 2, 4)


@pytest.mark.parametrize(
    "item",
    [
        Collection(name=("a",), count=5, provenance=(_count("k", {"1": 2}, rows_scanned=4),)),
        Collection(name=("a",), count=5, provenance=(_count("k", {"1": 2}, rows_total=None),)),
        Collection(name=("a",), count=5, provenance=(_count("k", {"1": 2}, values_dropped=1),)),
        Collection(name=("a",), count=5, count_is_estimate=True, provenance=(_count("k", {"1": 2}),)),
        Collection(name=("a",), count=5, hidden="rows", provenance=(_count("k", {"1": 2}),)),
        Collection(name=("a",), provenance=(_count("k", {"1": 2}),)),
    ],
)
def test_what_was_not_counted_completely_is_no_count(item: Collection) -> None:
    assert separate_keys(item, ["k"], []).keys == ()
    assert separate_keys(item, ["k"], []).provenance == ()


def test_the_profile_of_an_index_has_the_number_of_keys(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(str(tmp_path / "chroma"))
    docs = client.create_collection("docs")
    docs.add(
        ids=["1", "2", "3", "4"],
        embeddings=np.full((4, 2), 0.1, dtype=np.float32),
        metadatas=[
            {"dh_source_key": "secret-one"},
            {"dh_source_key": "secret-one"},
            {"dh_source_key": "secret-two"},
            {"page": 1},
        ],
    )
    catalog = tmp_path / "catalog.db"
    pipeline = Pipeline.create(
        {
            "source": {"type": "llm-chroma", "config": {"path": str(tmp_path / "chroma")}},
            "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
        }
    )
    pipeline.run()
    pipeline.raise_from_status()
    with LocalCatalog(catalog) as opened:
        profile = opened.latest(dataset("default_database.docs", "chroma"))["datasetProfile"]
    assert profile["rowCount"] == 4
    assert profile["fieldProfiles"] == [{"fieldPath": "dh_source_key", "uniqueCount": 2, "nullCount": 1}]
    assert b"secret" not in catalog.read_bytes()
