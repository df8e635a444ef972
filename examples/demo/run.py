"""The main job on one machine: a warehouse, an embedding job, recipes, and the way from the index to its columns.

Every step is a command that it prints first, to be typed again by hand.

    python examples/demo/run.py
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CATALOG = "./demo/catalog.db"
RECIPES = (
    "examples/demo/recipes/glossary.dhub.yaml",
    "examples/demo/recipes/warehouse.dhub.yaml",
    "examples/demo/recipes/owners-and-terms.dhub.yaml",
    "recipes/chroma.dhub.yaml",
    "recipes/propagation.dhub.yaml",
)
COMMAND = ("datahub-llmops", "--catalog", CATALOG)

NEXT = f"""\
What to type next (put .venv/bin on your PATH, or write it in front):

  datahub-llmops --catalog {CATALOG} show chroma:default_database.docs
  datahub-llmops --catalog {CATALOG} lineage sqlite:main.maintainers --down --columns
  datahub-llmops --catalog {CATALOG} lineage chroma:default_database.docs --up --json
  datahub-llmops --catalog {CATALOG} search entry
  datahub-llmops --catalog {CATALOG} export demo/metadata.json   # to replay into a DataHub server

The recipes that ran are recipes/chroma.dhub.yaml and recipes/propagation.dhub.yaml, and those of DataHub's own
sources in examples/demo/recipes/. Against a server: recipes/chroma.rest.dhub.yaml; see docs/index.md.
The recipe names openai/text-embedding-3-small as the model; here a local hashing embedding stood in for it."""


def step(title: str, *command: str) -> None:
    """Say what comes, run it, stop where it fails."""
    print(f"\n== {title}\n$ {shlex.join(command)}", flush=True)
    # The interpreter that runs this script, so that a `python` elsewhere on the PATH does not matter.
    program = [sys.executable, *command[1:]] if command[0] == "python" else list(command)
    finished = subprocess.run(program, cwd=ROOT, check=False)
    if finished.returncode:
        sys.exit(f"That step failed (exit code {finished.returncode}); the steps before it stand.")


def main() -> None:
    started = time.monotonic()
    step("1. A warehouse: the docstrings of Python's standard library, with invented maintainers",
         "python", "examples/demo/warehouse.py", "demo/warehouse.db")  # fmt: skip
    step("2. An embedding job: a query over a view, chunks, vectors in a Chroma collection",
         "python", "examples/demo/embed.py", "demo/warehouse.db", "demo/chroma")  # fmt: skip
    step("3. Five recipes into the catalog, as `datahub ingest -c RECIPE` would run them one by one",
         "python", "examples/demo/ingest.py", *RECIPES)  # fmt: skip
    step("4. Which tables and columns feed the index, who owns them, what their terms say",
         *COMMAND, "lineage", "chroma:default_database.docs", "--up", "--columns")  # fmt: skip
    step("5. Where the personal data of one column goes",
         *COMMAND, "lineage", "sqlite:main.maintainers", "--down", "--columns")  # fmt: skip
    print(f"\n{NEXT}\n\nDone in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
