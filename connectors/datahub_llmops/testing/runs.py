"""Runs of a recipe through DataHub's pipeline into a catalog file, and what they wrote."""

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


def ingest(folder: Path, /, system: str, **config: Any) -> Pipeline:
    """Run ``llm-<system>`` once, with stale removal, into the catalog of ``folder``.

    ``system`` may be the dotted path of a class instead.
    """
    return run(folder, source_type(system), config)


def source_type(system: str) -> str:
    """The type of a connector in a recipe: ``llm-<system>``, or the path of a class as it is."""
    return system if "." in system else f"llm-{system}"


def run(folder: Path, source: str, config: Mapping[str, Any]) -> Pipeline:
    """Run a source once, with stale removal, into the catalog of ``folder``."""
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
    """Full names of the collections in the catalog that are not soft-deleted."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        found = [node.urn for node in catalog.search(system, limit=1000) if node.type == "dataset"]
        mine = [urn for urn in found if f"dataPlatform:{system}," in urn]
        return {
            catalog.aspects(urn, ["datasetProperties"])["datasetProperties"]["qualifiedName"] for urn in mine
        }


def aspect(folder: Path, urn: str, name: str) -> dict[str, Any]:
    """One aspect in the catalog; empty if it has none."""
    with closing(LocalCatalog(folder / "catalog.db")) as catalog:
        return dict(catalog.aspects(urn, [name]).get(name, {}))


def report(pipeline: Pipeline) -> Any:
    return pipeline.source.get_report()


def failures(pipeline: Pipeline) -> list[str]:
    return [str(context) for entry in report(pipeline).failures for context in entry.context]


def outputs(folder: Path, system: str, config: dict[str, Any]) -> list[str]:
    """Everything that a run writes, with either sink, as text: the reports, then the file, of each."""
    shown: list[str] = []
    for sink in ("llm-local", "file"):
        target = folder / f"{sink}-{len(list(folder.iterdir()))}"
        option = {"path": str(target)} if sink == "llm-local" else {"filename": str(target)}
        recipe = {
            "source": {"type": source_type(system), "config": config},
            "sink": {"type": sink, "config": option},
        }
        pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
        pipeline.run()
        shown.append(pipeline.source.get_report().as_string() + pipeline.sink.get_report().as_string())
        shown.append(target.read_bytes().decode("utf-8", "replace"))
    return shown


def graph_of(folder: Path) -> Graph:
    """Every aspect of the catalog, without the times and the state of runs."""
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
    """The same without soft-deleted assets.

    Keys and platforms without an instance are left out too: they repeat the URN, and a server adds both.
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
    """Structured properties of an asset by their short names."""
    return assigned_in(
        {(asset, "structuredProperties"): aspect(folder, asset, "structuredProperties")}, asset
    )


def assigned_in(graph: Graph, asset: str) -> dict[str, Any]:
    """Structured properties of an asset in a graph."""
    found = graph.get((asset, "structuredProperties"), {}).get("properties", [])
    return {
        item["propertyUrn"].rpartition(".")[2]: next(iter(item["values"][0].values()))
        if isinstance(item["values"][0], dict)
        else item["values"][0]
        for item in found
    }


def column_edges(folder: Path, job: str) -> set[tuple[str, str]]:
    """Pairs of a column and the field that a declared job puts it into; the job's flow has the same name."""
    urn = urns.job(urns.flow("custom", job, env="PROD"), job)
    lineage = aspect(folder, urn, "dataJobInputOutput")["fineGrainedLineages"]
    return {
        (_column(edge["upstreams"][0]), _column(down)) for edge in lineage for down in edge["downstreams"]
    }


def _column(urn: str) -> str:
    return urn.rpartition(",")[2].rstrip(")")
