"""Measures upstream walks of five hops and two hundred assets in a local catalog with a million edges.

    python benchmarks/upstream_walk.py [--edges 1000000] [--catalog FILE]

The sink's own writer creates the catalog once, in a temporary folder or in FILE: layers of datasets, each fed
by five of the layer above, each with a name, an owner, a term and column edges. It prints the median and the slowest
of many walks from different roots, in a warm file and in a new connection, as wall time and CPU time.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from datahub_llmops.catalog.local import file
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.local.encoding import json_text
from datahub_llmops.catalog.local.spool import Change, Op
from datahub_llmops.catalog.local.writer import Writer

LAYERS = 6
FED_BY = 5
HOPS = 5
NODES = 200


def urn(layer: int, number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:postgres,shop.layer_{layer}.table_{number},PROD)"


def column(table: str, name: str) -> str:
    return f"urn:li:schemaField:({table},{name})"


def upstreams(layer: int, number: int, width: int) -> list[int]:
    """List near neighbours of a table in the layer above, so that a walk of five hops reaches about two hundred."""
    spread = random.Random(layer * 1_000_003 + number)
    near = [(number + offset) % width for offset in range(FED_BY)]
    far = spread.randrange(width)
    return sorted({*near[:-1], far if number % 3 == 0 else near[-1]})


def changes(layer: int, number: int, width: int) -> Iterator[Change]:
    table = urn(layer, number)
    stamp = {"time": 0, "actor": "urn:li:corpuser:datahub"}
    owner = {"owner": f"urn:li:corpuser:{number % 50}", "type": "DATAOWNER"}
    written: dict[str, object] = {
        "datasetProperties": {
            "name": f"table_{number}",
            "description": f"Table {number}",
            "customProperties": {},
        },
        "ownership": {
            "owners": [owner],
            "lastModified": stamp,
        },
        "glossaryTerms": {"terms": [{"urn": f"urn:li:glossaryTerm:{number % 20}"}], "auditStamp": stamp},
    }
    if layer:
        above = [urn(layer - 1, near) for near in upstreams(layer, number, width)]
        written["upstreamLineage"] = {
            "upstreams": [{"dataset": up, "type": "TRANSFORMED", "auditStamp": stamp} for up in above],
            "fineGrainedLineages": [
                {
                    "upstreamType": "FIELD_SET",
                    "upstreams": [column(above[0], "id")],
                    "downstreamType": "FIELD",
                    "downstreams": [column(table, "id")],
                }
            ],
        }
    for name, aspect in written.items():
        yield Change(op=Op.UPSERT, urn=table, aspect=name, body=json_text(aspect))


def build(path: Path, edges: int) -> None:
    width = edges // ((LAYERS - 1) * FED_BY)
    connection = file.open_writer(path)
    writer = Writer(connection)
    for layer in range(LAYERS):
        for number in range(width):
            for change in changes(layer, number, width):
                writer.apply(change)
    writer.finish()
    file.commit(connection)
    file.close(connection)


Timed: TypeAlias = tuple[list[float], list[float], list[int], list[int]]
"""Of each walk: wall and CPU time in ms, assets, edges."""


def timed(walk: Callable[[str], tuple[int, int]], roots: list[str]) -> Timed:
    walls, cpus, nodes, edges = [], [], [], []
    for root in roots:
        wall, cpu = time.perf_counter(), time.process_time()
        found_nodes, found_edges = walk(root)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
        nodes.append(found_nodes)
        edges.append(found_edges)
    return walls, cpus, nodes, edges


def show(what: str, measured: Timed) -> None:
    walls, cpus, nodes, edges = measured
    print(
        f"{what:28} {statistics.median(walls):7.2f} ms wall (slowest {max(walls):.2f}), "
        f"{statistics.median(cpus):6.2f} ms CPU, "
        f"{statistics.median(nodes):.0f} assets, {statistics.median(edges):.0f} edges"
    )


def walks(path: Path, roots: list[str]) -> None:
    with LocalCatalog(path) as catalog:

        def warm(root: str) -> tuple[int, int]:
            found = catalog.lineage(root, "up", HOPS)
            return len(found.nodes), len(found.edges)

        timed(warm, roots[:20])
        show("one connection", timed(warm, roots))

    def fresh(root: str) -> tuple[int, int]:
        with LocalCatalog(path) as opened:
            found = opened.lineage(root, "up", HOPS)
            return len(found.nodes), len(found.edges)

    show("opened for each walk", timed(fresh, roots))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--catalog", type=Path, help="catalog file to keep, and to use again if it exists")
    parser.add_argument("--walks", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.catalog or Path(folder) / "catalog.db"
        if not path.exists():
            began = time.perf_counter()
            build(path, options.edges)
            print(f"made in {time.perf_counter() - began:.0f} s")
        width = options.edges // ((LAYERS - 1) * FED_BY)
        chosen = random.Random(7)
        roots = [urn(LAYERS - 1, chosen.randrange(width)) for _ in range(options.walks)]
        size = path.stat().st_size / 2**20
        print(f"{options.edges} edges, {size:.0f} MB; target: {HOPS} hops, {NODES} assets under 10 ms")
        walks(path, roots)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
