"""Run recipes one after the other through DataHub's own pipeline, with a line or two for each.

The same as ``datahub ingest -c RECIPE`` for each of them, without its check for a newer DataHub, which waits for
the network. Ends with exit code 1 when a recipe reported a failure; the recipes before it stand.

    python examples/demo/ingest.py RECIPE...
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

# Before DataHub is imported, which reads it then.
os.environ.setdefault("DATAHUB_TELEMETRY_ENABLED", "false")

from datahub.configuration.common import ConfigurationError
from datahub.configuration.config_loader import load_config_file
from datahub.ingestion.run.pipeline import Pipeline, PipelineInitError

from datahub_llmops.errors import LlmopsError

EXPECTED = {
    "Failed to get default db and schema names for view": (
        "expected: DataHub's sqlalchemy source says so of every SQLite view, whose name has two parts and not three;"
        " the view's lineage is read all the same"
    ),
}


def notices(kind: str, entries: Sequence[Any]) -> list[str]:
    """What a report says of failures or warnings, a line each."""
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
    """Run one recipe; whether it is whole, and what its sink says."""
    started = time.monotonic()
    recipe = load_config_file(path, resolve_env_vars=True)
    pipeline = Pipeline.create(recipe)
    pipeline.run()
    source, sink = pipeline.source.get_report(), pipeline.sink.get_report()
    stored = sink.as_obj()
    told = ", ".join(
        f"{stored[word]} {word}" for word in ("changed", "unchanged", "removed") if word in stored
    )
    took = time.monotonic() - started
    print(
        f"{path} ({recipe['source']['type']}): {told or f'{sink.total_records_written} records'}, {took:.1f} s"
    )
    failures = [*source.failures, *sink.failures]
    for line in [*notices("failure", failures), *notices("warning", [*source.warnings, *sink.warnings])]:
        print(line)
    sys.stdout.flush()
    return not failures, stored


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/demo/ingest.py RECIPE...")
    # What matters of the log is in the reports, which are printed.
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
