"""Shipping: a child process runs the recipe; nothing is built inside the application's process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from datahub_llmops.catalog.local import LocalCatalog
from hooks.test_faults import ENVIRONMENT

LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,support-bot.answers,PROD)"
PROGRAM = """
import sys
import datahub_llmops.hooks as lineage
from hooks.parts import Model
handle = lineage.attach("support-bot", store=sys.argv[1], ship=sys.argv[2], ship_every=3600)
Model().invoke("q")
assert not {"datahub"} & {name.partition(".")[0] for name in sys.modules}
"""


def test_a_recipe_is_run_at_exit(tmp_path: Path) -> None:
    store, catalog, recipe = (tmp_path / name for name in ("answers.db", "catalog.db", "runs.json"))
    recipe.with_suffix(".yaml").write_text(
        json.dumps(
            {
                "source": {"type": "llm-runs", "config": {"store": str(store)}},
                "sink": {"type": "llm-local", "config": {"path": str(catalog)}},
            }
        )
    )
    command = [sys.executable, "-c", PROGRAM, str(store), str(recipe.with_suffix(".yaml"))]
    subprocess.run(command, check=True, env=ENVIRONMENT, timeout=60)
    deadline = time.monotonic() + 60
    while not catalog.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert catalog.exists(), (tmp_path / "answers.db.ship.log").read_text()
    opened = LocalCatalog(catalog)
    assert [node.subtype for node in opened.nodes([LOG])] == ["Answer Log"]
    opened.close()
