"""One run of a vector store's recipe through DataHub's pipeline into a catalog file, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from datahub.ingestion.run.pipeline import Pipeline

from datahub_llmops import urns
from datahub_llmops.catalog.local.catalog import LocalCatalog

Graph: TypeAlias = dict[tuple[str, str], Any]
"""Aspects by URN and name."""


def ingest(folder: Path, system: str, **config: Any) -> Pipeline:
    """One run of ``llm-<system>``, with stale removal, into the catalog of ``folder``."""
    return run(folder, f"llm-{system}", config)


def run(folder: Path, source: str, config: Mapping[str, Any]) -> Pipeline:
    """One run of a source, with stale removal, into the catalog of ``folder``."""
    catalog = str(folder / "catalog.db")
    state = {"type": "llm-local", "config": {"path": catalog}}
    stateful = {"enabled": True, "state_provider": state}
    recipe = {
        "pipeline_name": source,
        "source": {"type": source, "config": {"stateful_ingestion": stateful, **config}},
        "sink": {"type": "llm-local", "config": {"path": catalog}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    pipeline.run()
    return pipeline


def live(folder: Path, system: str) -> set[str]:
    """Collections in the catalog that are not soft-deleted, by their full names."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        found = [node.urn for node in catalog.search(system, limit=1000) if node.type == "dataset"]
        mine = [urn for urn in found if f"dataPlatform:{system}," in urn]
        return {
            catalog.aspects(urn, ["datasetProperties"])["datasetProperties"]["qualifiedName"] for urn in mine
        }


def aspect(folder: Path, urn: str, name: str) -> dict[str, Any]:
    """One aspect as the catalog has it now, empty where there is none."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return dict(catalog.aspects(urn, [name]).get(name, {}))


def report(pipeline: Pipeline) -> Any:
    return pipeline.source.get_report()


def failures(pipeline: Pipeline) -> list[str]:
    return [str(context) for entry in report(pipeline).failures for context in entry.context]


def outputs(folder: Path, system: str, config: dict[str, Any]) -> list[str]:
    """Everything that a run writes, with either sink: reports and files, as text."""
    shown: list[str] = []
    for sink in ("llm-local", "file"):
        target = folder / f"{sink}-{len(list(folder.iterdir()))}"
        option = {"path": str(target)} if sink == "llm-local" else {"filename": str(target)}
        recipe = {
            "source": {"type": f"llm-{system}", "config": config},
            "sink": {"type": sink, "config": option},
        }
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        pipeline.run()
        shown.append(pipeline.source.get_report().as_string() + pipeline.sink.get_report().as_string())
        shown.append(target.read_bytes().decode("utf-8", "replace"))
    return shown


def graph_of(folder: Path) -> Graph:
    """Every aspect of the catalog, without the times of the runs and what the state of a run is."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return {
            (record.urn, record.name): _timeless(json.loads(json.dumps(record.aspect)))
            for record in catalog.records()
            if record.name != "datahubIngestionCheckpoint"
        }


def _timeless(value: Any) -> Any:
    clocks = ("timestampMillis", "lastUpdatedTimestamp", "auditStamp", "time", "created", "lastModified")
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in clocks}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def live_graph(folder: Path) -> Graph:
    """The same of what is not soft-deleted.

    And without what says again what the URN says, the key and a platform without an instance: a server adds both.
    """
    graph = graph_of(folder)
    removed = {urn for (urn, name), aspect in graph.items() if name == "status" and aspect.get("removed")}
    return {
        (urn, name): aspect
        for (urn, name), aspect in graph.items()
        if urn not in removed
        and name != "datasetKey"
        and (name != "dataPlatformInstance" or aspect.get("instance"))
    }


def assigned(folder: Path, asset: str) -> dict[str, Any]:
    """Structured properties by their short names."""
    return assigned_in(
        {(asset, "structuredProperties"): aspect(folder, asset, "structuredProperties")}, asset
    )


def assigned_in(graph: Graph, asset: str) -> dict[str, Any]:
    """The same, in a graph."""
    found = graph.get((asset, "structuredProperties"), {}).get("properties", [])
    return {
        item["propertyUrn"].rpartition(".")[2]: next(iter(item["values"][0].values()))
        if isinstance(item["values"][0], dict)
        else item["values"][0]
        for item in found
    }


def column_edges(folder: Path, job: str) -> set[tuple[str, str]]:
    """Columns and the fields that a declared job, in a flow of its own name, puts them into."""
    urn = urns.job(urns.flow("custom", job, env="PROD"), job)
    lineage = aspect(folder, urn, "dataJobInputOutput")["fineGrainedLineages"]
    return {
        (_column(edge["upstreams"][0]), _column(down)) for edge in lineage for down in edge["downstreams"]
    }


def _column(urn: str) -> str:
    return urn.rpartition(",")[2].rstrip(")")
