"""Tests mirror the package: ``tests/<room>/test_<file>.py`` tests ``<room>/<file>.py``, or is listed here."""

from __future__ import annotations

from collections import defaultdict

from support.paths import ROOT, TESTS

PACKAGE = ROOT / "connectors" / "datahub_llmops"

NOT_ABOUT_ONE_FILE: dict[str, set[str]] = {
    ".": {"examples", "imports", "inventory", "rooms"},
    "aspects": {"generated_files", "round_trips"},
    "catalog": {"earlier_release"},
    "catalog/local": {"crashes", "properties"},
    "cli": {"action", "applications"},
    "contracts": {"names", "registry_contract", "same_walk", "store_contract"},
    "faults": {"matrix"},
    "fuzz": {"answers", "catalog", "http", "readers", "sources"},
    "governance": {"estate", "replay"},
    "health": {"bad_input", "server_requests"},
    "hooks": {
        *(
            "attach",
            "both_frameworks",
            "cells",
            "deployment",
            "faults",
            "full_disk",
            "mistakes",
            "privacy",
            "probes",
        ),
        *("real_stores", "shortcuts", "shutdown", "stamps_only", "tracers", "trees", "writes"),
    },
    "ingestion": {"names", "prompt_server", "server_run", "server_typed"},
    "journeys": {"demo", "docs", "new_connector", "troubleshooting"},
    "lineage/sql": {"oracle"},
    "prompt_registries/langfuse": {"service"},
    "prompt_registries/langsmith": {"service"},
    "prompt_registries/weave": {"service"},
    "propagation": {"local", "server"},
    "spans/doors": {"faults", "properties"},
    "runs": {"chain", "copies", "daily_totals", "incidents", "served_models", "server", "typed"},
    "spans/doors/clickhouse": {"source"},
    "spans": {"edges", "faults", "instrumentations"},
    "report/browser": {"pages"},
    "vector_stores/chroma": {"typed"},
    "vector_stores/milvus": {"hooks"},
    "vector_stores/search": {"elasticsearch_source", "opensearch_source"},
}
"""Tests of a whole room, or across rooms."""


def test_a_test_file_has_the_name_of_what_it_tests() -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        folder = path.parent.relative_to(TESTS)
        name = path.stem.removeprefix("test_")
        if not (PACKAGE / folder / f"{name}.py").is_file() and not (PACKAGE / folder / name).is_dir():
            found[folder.as_posix()].add(name)
    assert found == NOT_ABOUT_ONE_FILE
