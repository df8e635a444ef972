"""Writes outputs-0.1.0.json: what the command prints over the files of this folder.

    python tests/wire/catalog/record.py

Run with the release that made the files (which imports ``main`` from ``datahub_llmops.cli``), never with a later one:
the outputs are what later ones are compared with.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

HERE = Path(__file__).parent
COMMANDS = (
    ("show", "chroma:default_database.docs", "--json"),
    ("show", "sqlite:main.maintainers", "--json"),
    ("show", "langchain:docs-bot.answers", "--json"),
    ("lineage", "langchain:docs-bot.answers", "--hops", "10", "--json"),
    ("lineage", "sqlite:main.maintainers#email", "--down", "--hops", "10", "--json"),
    ("search", "entry", "--json"),
    ("explain", "01a227b06e97c2e09814770a7453", "--json"),
    ("answers", "--since", "99999d", "--json"),
)


def restore(folder: Path) -> None:
    """Make the catalog and the answer store out of their dumps."""
    for name in ("catalog", "answers"):
        database = sqlite3.connect(folder / f"{name}.db")
        database.executescript((HERE / f"{name}-0.1.0.sql").read_text("utf-8"))
        database.close()


def outputs(folder: Path) -> dict[str, object]:
    """The parsed output of each command, by its arguments."""
    from datahub_llmops.cli.main import main

    found: dict[str, object] = {}
    for command in COMMANDS:
        store = ["--store", str(folder / "answers.db")] if command[0] in ("explain", "answers") else []
        done = CliRunner().invoke(main, ["--catalog", str(folder / "catalog.db"), *command, *store])
        assert done.exit_code == 0, done.output
        found[" ".join(command)] = json.loads(done.output)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        restore(Path(made))
        text = json.dumps(outputs(Path(made)), indent=1, sort_keys=True)
        (HERE / "outputs-0.1.0.json").write_text(text + "\n", "utf-8")
        sys.stdout.write("written\n")
