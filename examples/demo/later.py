"""What happens later: a table is loaded again, and the provider names the last day of the embedding model.

It copies the catalog, so that the first one stays as it is. It writes what DataHub's connectors of a warehouse report
of their tables (``operation``), for recipes/changes.dhub.yaml, and a list of models for policy.yaml.

    python examples/demo/later.py demo
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY = 86_400_000
RETIRES_IN = timedelta(days=60)


def operation(table: str, when: int) -> dict[str, object]:
    """Return the record that a table was written at ``when``, in milliseconds since 1970."""
    return {
        "entityType": "dataset",
        "entityUrn": f"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.{table},PROD)",
        "changeType": "UPSERT",
        "aspectName": "operation",
        "aspect": {
            "json": {"timestampMillis": when, "operationType": "UPDATE", "lastUpdatedTimestamp": when}
        },
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/demo/later.py FOLDER")
    folder, now = Path(sys.argv[1]), round(time.time() * 1000)
    (folder / "later.db").unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(folder / "catalog.db")) as catalog,
        closing(sqlite3.connect(folder / "later.db")) as copy,
    ):
        catalog.backup(copy)
    earlier = now - 30 * DAY
    changes = [operation("entries", now), operation("modules", earlier), operation("maintainers", earlier)]
    (folder / "changes.json").write_text(json.dumps(changes, indent=1))
    last_day = (datetime.now(UTC) + RETIRES_IN).date()
    (folder / "models.yaml").write_text(
        "models:\n"
        f"  openai/text-embedding-3-small: {{retires: {last_day}, replacement: text-embedding-3-large}}\n"
    )
    print(f"{folder}/changes.json: main.entries was written now, the other tables 30 days ago")
    print(f"{folder}/models.yaml: openai/text-embedding-3-small retires in {RETIRES_IN.days} days")


if __name__ == "__main__":
    main()
