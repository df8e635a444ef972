"""What a user does first, with nothing but the installed package: run in an empty folder by ``check.py``.

Loads everything that is registered, reads a LanceDB folder and a folder of prompt files into a local catalog by
recipes, and asks the command about them. It raises where something is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

COMMANDS = Path(sysconfig.get_path("scripts"))
CATALOG = Path.cwd() / "catalog.db"

PROMPT = """---
name: answer
model:
  api: chat
---
system:
Answer with {{context}}.
"""

RECIPE = """\
pipeline_name: {name}
source:
  type: llm-{name}
  config: {config}
sink:
  type: llm-local
  config: {{}}
"""


def run(command: str, *arguments: str) -> str:
    """Return what a command of the environment printed.

    Raises:
        SystemExit: the command failed.
    """
    env = os.environ | {"DATAHUB_TELEMETRY_ENABLED": "false", "DATAHUB_LLMOPS_CATALOG": str(CATALOG)}
    done = subprocess.run(
        [str(COMMANDS / command), *arguments], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{command} {' '.join(arguments)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
    return done.stdout


def ingest(name: str, config: dict[str, Any]) -> None:
    """Run a recipe the way a user does."""
    recipe = Path(f"{name}.dhub.yaml")
    recipe.write_text(RECIPE.format(name=name, config=json.dumps(config)))
    run("datahub", "ingest", "run", "-c", str(recipe))


def main() -> None:
    package = distribution("datahub-llmops")
    plugins = [entry for entry in package.entry_points if entry.group.startswith("datahub.")]
    for entry in plugins:
        entry.load()

    import lancedb

    lancedb.connect("lance").create_table("docs", [{"vector": [0.1, 0.2], "text": "one"}])
    Path("prompts").mkdir()
    Path("prompts/answer.prompty").write_text(PROMPT)
    ingest("lancedb", {"path": "./lance"})
    ingest("prompt-files", {"path": "prompts"})

    assert package.version in run("datahub-llmops", "--version")
    found = json.loads(run("datahub-llmops", "search", "docs", "--json"))
    assert "docs" in {node["name"] for node in found["nodes"]}, found
    prompts = json.loads(run("datahub-llmops", "prompts", "--json"))
    assert [prompt["name"] for prompt in prompts] == ["answer"], prompts
    print(f"Python {sys.version.split()[0]}: {len(plugins)} plugins load, and two recipes end in a catalog")


if __name__ == "__main__":
    main()
