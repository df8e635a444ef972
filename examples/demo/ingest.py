"""Runs recipes one after the other through DataHub's own pipeline, and prints a line or two for each.

It does the same as ``datahub ingest -c RECIPE`` for each of them, but does not look for a newer DataHub, which would
wait for the network. It exits with code 1 if a recipe reports a failure; the results of the recipes before it stay.

    python examples/demo/ingest.py RECIPE...
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

# DataHub reads this variable when it is imported.
os.environ.setdefault("DATAHUB_TELEMETRY_ENABLED", "false")

from datahub.configuration.common import ConfigurationError
from datahub.configuration.config_loader import load_config_file
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError

from datahub_llmops.errors import LlmopsError

EXPECTED = {
    "Failed to get default db and schema names for view": (
        "expected: DataHub's sqlalchemy source warns about SQLite views, whose names have two parts instead of three;"
        " it still reads the lineage of the view"
    ),
}


def notices(kind: str, entries: Sequence[Any]) -> list[str]:
    """Format the failures or warnings of a report, one line for each."""
    lines = []
    for entry in entries:
        message = getattr(entry, "message", None) or str(entry)
        explained = EXPECTED.get(message)
        if explained:
            lines.append(f"   {kind} ({explained})")
            continue
        title = getattr(entry, "title", None)
        context = "; ".join(getattr(entry, "context", None) or ())
        text = ": ".join(part for part in (title, message) if part)
        lines.append(f"   {kind}: {text}{f' [{context}]' if context else ''}")
    return lines


def run(path: str) -> tuple[bool, Mapping[str, Any]]:
    """Run one recipe. Returns whether it had no failures, and the report of its sink."""
    started = time.monotonic()
    recipe = load_config_file(path, resolve_env_vars=True)
    pipeline = Pipeline.create(recipe)
    pipeline.run()
    source, sink = pipeline.source.get_report(), pipeline.sink.get_report()
    stored = sink.as_obj()
    counts = ", ".join(
        f"{stored[word]} {word}" for word in ("changed", "unchanged", "removed") if word in stored
    )
    took = time.monotonic() - started
    print(
        f"{path} ({recipe['source']['type']}): {counts or f'{sink.total_records_written} records'}, {took:.1f} s"
    )
    failures = [*source.failures, *sink.failures]
    for line in [*notices("failure", failures), *notices("warning", [*source.warnings, *sink.warnings])]:
        print(line)
    sys.stdout.flush()
    return not failures, stored


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/demo/ingest.py RECIPE...")
    # The reports, which are printed, contain everything important of the log.
    logging.disable(logging.WARNING)
    changes = 0
    for path in sys.argv[1:]:
        try:
            whole, stored = run(path)
        except (ConfigurationError, PipelineInitError, LlmopsError) as error:
            sys.exit(f"{path} did not run: {error}")
        if not whole:
            sys.exit(f"{path} is not whole: see the failures above.")
        changes += stored.get("changed", 1) + stored.get("removed", 0)
    if not changes:
        print("Nothing changed: the catalog already held all of it.")


if __name__ == "__main__":
    main()
