"""Runs the whole demo: a warehouse, an embedding job, recipes, an application, and the way back from its
answers to columns, owners and terms.

Every step is a command. The script prints it first, so that you can repeat it by hand.

    python examples/demo/run.py
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
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
ANSWERS = "./demo/answers.db"
PROMPTS = "examples/demo/recipes/prompts.dhub.yaml"
SPANS = "examples/demo/recipes/spans.dhub.yaml"
CHANGES = "examples/demo/recipes/changes.dhub.yaml"
LATER_RUNS = "examples/demo/recipes/later-runs.dhub.yaml"
LATER = ("datahub-llmops", "--catalog", "./demo/later.db")
CHECK = (*LATER, "check", "docs", "--policy", "examples/demo/policy.yaml")
NOT_OK = (1, 2)
"""Exit codes of a check that found something, or that could not see everything."""
AFTERWARDS = ("recipes/runs.dhub.yaml", "recipes/propagation.dhub.yaml")
PAGE = "./demo/lineage.html"
ASKED = 4
"""Number of answers that examples/demo/ask.py gives."""
COMMAND = ("datahub-llmops", "--catalog", CATALOG)

NEXT = """\
== What to type next

{command} --catalog {catalog} explain {answer} --store {answers} --json
{command} --catalog {catalog} show langchain:docs-bot.answers
{command} --catalog {catalog} show chroma:default_database.docs
{command} --catalog {catalog} lineage sqlite:main.entries --down --columns
{command} --catalog {catalog} lineage 'sqlite:main.maintainers#email' --down --columns --hops 10
{command} --catalog {catalog} prompts show prompt-files:answer-from-docs
{command} answers usage --by model --store {answers}
{command} --catalog {catalog} lineage chroma:default_database.docs --up --json
{command} --catalog {catalog} search entry
{command} --catalog {catalog} report docs-bot --up --format md
{command} --catalog {catalog} export demo/metadata.json

Open {page} in a browser: it has the lineage, a page for each asset, and the answers.
The last command writes a file that DataHub's own `file` source can load into a server. You can also run the recipes
against the server: see docs/index.md. The demo's files are in demo/; delete the folder when you are done.

The recipe names openai/text-embedding-3-small as its model, as yours would. In the demo a local hashing embedding
replaces it, and a local model that only quotes gives the answers, so it needs no key and no download.
"""


def step(title: str, *command: str, expected: Collection[int] = (0,)) -> None:
    """Announce and run a command, and exit unless it ends with one of the expected codes."""
    _run(title, command, None, expected)


def step_read(title: str, *command: str) -> str:
    """Run a command like ``step``, and return what it printed."""
    printed = _run(title, command, subprocess.PIPE).stdout
    print(printed, end="", flush=True)
    return printed


def _run(
    title: str, command: Sequence[str], output: int | None, expected: Collection[int] = (0,)
) -> subprocess.CompletedProcess[str]:
    print(f"\n== {title}\n$ {shlex.join(command)}", flush=True)
    # Use the environment of this script, not the first one on the PATH.
    program = str(Path(sys.executable).with_name(command[0]))
    finished = subprocess.run([program, *command[1:]], cwd=ROOT, check=False, stdout=output, text=True)
    if finished.returncode not in expected:
        sys.exit(f"That step failed (exit code {finished.returncode}); the steps before it stand.")
    return finished


def main() -> None:
    started = time.monotonic()
    step("1. A warehouse: the docstrings of Python's standard library, with invented maintainers",
         "python", "examples/demo/warehouse.py", "demo/warehouse.db")  # fmt: skip
    step("2. An embedding job: a query over a view, chunks, vectors in a Chroma collection",
         "python", "examples/demo/embed.py", "demo/warehouse.db", "demo/chroma", ANSWERS)  # fmt: skip
    step("3. Five recipes into the catalog, as `datahub ingest -c RECIPE` would run them one by one",
         "python", "examples/demo/ingest.py", *RECIPES)  # fmt: skip
    step("4. Which tables and columns feed the index, who owns them, what their terms say",
         *COMMAND, "lineage", "chroma:default_database.docs", "--up", "--columns")  # fmt: skip
    step("5. Where the personal data of one column goes",
         *COMMAND, "lineage", "sqlite:main.maintainers#email", "--down", "--columns")  # fmt: skip
    step("6. An application on the index: LangChain, and once LlamaIndex, with one line that records its answers",
         "python", "examples/demo/ask.py", "demo/chroma", ANSWERS)  # fmt: skip
    step("7. What was recorded goes into the catalog, as on a schedule",
         "python", "examples/demo/ingest.py", *AFTERWARDS)  # fmt: skip
    answers = step_read("8. The answers, newest first",
                        "datahub-llmops", "answers", "--limit", str(ASKED), "--store", ANSWERS)  # fmt: skip
    answer = answers.splitlines()[-1].partition(" ")[0]
    step("9. Why the first question got its answer: prompt, rows, tables, owners, terms, job, model",
         *COMMAND, "explain", answer, "--store", ANSWERS)  # fmt: skip
    step("10. The whole chain, from the application's answers to the tables",
         *COMMAND, "lineage", "langchain:docs-bot.answers", "--up", "--hops", "10")  # fmt: skip
    step("11. The application's prompt as a team keeps it: a file in git, in two versions",
         "python", "examples/demo/prompt_repository.py", "demo/prompts")  # fmt: skip
    step("12. The file's history into the catalog, and the application's spans into one of their own",
         "python", "examples/demo/ingest.py", PROMPTS, SPANS)  # fmt: skip
    step("13. Every prompt: its versions and labels, and who runs it, also by a copy in the code",
         *COMMAND, "prompts")  # fmt: skip
    step("14. What changed between the version in production and the newest",
         *COMMAND, "prompts", "diff", "prompt-files:answer-from-docs", "production", "latest")  # fmt: skip
    step("15. OpenInference traced the same answers: what the hooks saw, and what its spans show",
         "python", "examples/demo/agree.py", CATALOG, "./demo/spans.db")  # fmt: skip
    step("16. Later: a table is loaded again, and the provider names the last day of the embedding model",
         "python", "examples/demo/later.py", "demo")  # fmt: skip
    step("17. What the warehouse's connector reports of its tables",
         "python", "examples/demo/ingest.py", CHANGES)  # fmt: skip
    step("18. Can the index be trusted? It is older than what it was made from, and its model ends",
         *CHECK, expected=NOT_OK)  # fmt: skip
    step("19. Who must be told of the model's end",
         *LATER, "affected", "openai/text-embedding-3-small", "--policy", CHECK[-1])  # fmt: skip
    step("20. The repair: the embedding job runs again, here over rows that are the same",
         "python", "examples/demo/embed.py", "demo/warehouse.db", "demo/chroma", ANSWERS)  # fmt: skip
    step("21. Its run goes into the catalog, and the warehouse's connector looks at the tables once more",
         "python", "examples/demo/ingest.py", LATER_RUNS, CHANGES)  # fmt: skip
    step("22. The index is fresh again; the model still ends",
         *CHECK, expected=NOT_OK)  # fmt: skip
    step("23. All of it as one page to look at, with the answers",
         *COMMAND, "report", "--answers", str(ASKED), "--store", ANSWERS, "--out", PAGE, "--force")  # fmt: skip
    installed = os.path.relpath(Path(sys.executable).with_name("datahub-llmops"), ROOT)
    print("\n" + NEXT.format(command=installed, catalog=CATALOG, answer=answer, answers=ANSWERS, page=PAGE))
    print(f"Done in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
