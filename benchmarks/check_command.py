"""Measures `check` of one index and `affected` of one model in a local catalog with a million edges.

    python benchmarks/check_command.py [--edges 1000000] [--indexes 200] [--catalog FILE]

The catalog is that of upstream_walk.py, with indexes on top: each is filled by a job that reads a table of the last
layer and uses one of ten models. A walk of five hops from an index reaches about two hundred assets.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import upstream_walk

from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.encoding import json_text
from datahub_llmops.catalog.local.spool import Change, Op
from datahub_llmops.catalog.local.writer import Writer
from datahub_llmops.governance.facts import gather
from datahub_llmops.governance.impact import impact_of
from datahub_llmops.governance.verdict import default_policy, report

HOPS = 6
"""Five hops of tables above the job."""
ROUNDS = 50
MODELS = 10


def index(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.index_{number},PROD)"


def job(number: int) -> str:
    return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed_{number})"


def model(number: int) -> str:
    return f"urn:li:mlModel:(urn:li:dataPlatform:openai,model-{number % MODELS},PROD)"


def indexes(count: int, width: int) -> Iterator[Change]:
    now = round(time.time() * 1000)
    for number in range(count):
        table = upstream_walk.urn(upstream_walk.LAYERS - 1, number % width)
        written: dict[tuple[str, str], object] = {
            (index(number), "subTypes"): {"typeNames": ["Vector Collection"]},
            (index(number), "datasetProperties"): {
                "name": f"index_{number}",
                "lastModified": {"time": now},
                "customProperties": {},
            },
            (job(number), "dataJobInfo"): {
                "name": f"embed_{number}",
                "type": {"string": "EMBEDDING"},
                "customProperties": {"schedule": "@daily"},
            },
            (job(number), "subTypes"): {"typeNames": ["Embedding Job"]},
            (job(number), "dataJobInputOutput"): {
                "inputDatasets": [],
                "outputDatasets": [],
                "inputDatasetEdges": [{"destinationUrn": table}],
                "outputDatasetEdges": [{"destinationUrn": index(number)}],
                "fineGrainedLineages": [
                    {
                        "upstreamType": "FIELD_SET",
                        "upstreams": [upstream_walk.column(table, "id")],
                        "downstreamType": "FIELD",
                        "downstreams": [upstream_walk.column(index(number), "id")],
                    }
                ],
            },
        }
        for (urn, name), aspect in written.items():
            yield Change(op=Op.UPSERT, urn=urn, aspect=name, body=json_text(aspect))
    for number in range(MODELS):
        jobs = [job(other) for other in range(number, count, MODELS)]
        properties = {"name": f"model-{number}", "downstreamJobs": jobs, "customProperties": {}, "tags": []}
        yield Change(op=Op.UPSERT, urn=model(number), aspect="mlModelProperties", body=json_text(properties))


def add_indexes(path: Path, count: int, width: int) -> None:
    connection = file.open_writer(path)
    writer = Writer(connection)
    for change in indexes(count, width):
        writer.apply(change)
    writer.finish()
    file.commit(connection)
    file.close(connection)


def show(what: str, once: Callable[[int], int], rounds: int) -> None:
    walls, assets = [], []
    for number in range(rounds):
        begun = time.perf_counter()
        assets.append(once(number))
        walls.append((time.perf_counter() - begun) * 1000)
    middle = statistics.median(walls)
    print(f"{what:22} {middle:7.2f} ms (slowest {max(walls):.2f}), {statistics.median(assets):.0f} assets")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--indexes", type=int, default=200)
    parser.add_argument("--catalog", type=Path)
    options = parser.parse_args()
    width = options.edges // ((upstream_walk.LAYERS - 1) * upstream_walk.FED_BY)
    with tempfile.TemporaryDirectory() as folder:
        path = options.catalog or Path(folder) / "catalog.db"
        if not path.exists():
            upstream_walk.build(path, options.edges)
            add_indexes(path, options.indexes, width)
        policy, now = default_policy(), datetime.now(UTC)
        with LocalCatalog(path) as catalog:

            def check(number: int) -> int:
                facts = gather(catalog, index(number % options.indexes), now=now, hops=HOPS)
                assert len(report(facts, policy, ()).findings) == 7
                return len(facts.upstream.nodes)

            def affected(number: int) -> int:
                found = impact_of(catalog, model(number % MODELS), policy.lifecycles, now=now)
                return len(found.indexes)

            show("check of an index", check, ROUNDS)
            show("affected of a model", affected, ROUNDS)


if __name__ == "__main__":
    main()
