"""Compares what the catalog has of the application by its hooks with what another one has by its spans alone.

python examples/demo/agree.py demo/catalog.db demo/spans.db
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from datahub_llmops.catalog.local.catalog import LocalCatalog

RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,docs-bot.VectorStoreRetriever,PROD)"
APPLICATION = "urn:li:dataJob:(urn:li:dataFlow:(langchain,docs-bot,PROD),docs-bot)"


def edges(path: str) -> dict[tuple[str, str], str]:
    """The application's and its retriever's edges, with how each was found."""
    with closing(LocalCatalog(Path(path))) as catalog:
        aspects = catalog.aspects_of([RETRIEVER, APPLICATION])
    upstreams = aspects[RETRIEVER]["upstreamLineage"]["upstreams"]
    inputs = aspects[APPLICATION]["dataJobInputOutput"]["inputDatasetEdges"]
    read = {("VectorStoreRetriever", one["dataset"]): one["properties"]["found_by"] for one in upstreams}
    used = {("docs-bot", one["destinationUrn"]): one["properties"]["found_by"] for one in inputs}
    # Prompts that only the text of a template tells, and what LlamaIndex did, are not on these spans.
    return read | {edge: way for edge, way in used.items() if edge[1] == RETRIEVER}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/demo/agree.py CATALOG_OF_HOOKS CATALOG_OF_SPANS")
    by_hooks, by_spans = edges(sys.argv[1]), edges(sys.argv[2])
    for edge in sorted(by_hooks.keys() | by_spans.keys()):
        hooks, spans = (found.get(edge, "nothing") for found in (by_hooks, by_spans))
        print(f"{edge[0]} <- {edge[1].split(',')[1]}: hooks say {hooks}, spans say {spans}")
    if by_hooks.keys() != by_spans.keys():
        sys.exit("They do not agree.")
    print("They agree.")


if __name__ == "__main__":
    main()
