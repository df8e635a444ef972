"""What an import brings with it, seen in a running process.

The contracts of pyproject.toml, which `make imports` checks, see the source only.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.paths import ROOT


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in ``sys.modules`` of a fresh interpreter after ``statement``."""
    program = f"{statement}\nimport sys\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "datahub_llmops",
        "datahub_llmops.errors",
        "datahub_llmops.assets.collections",
        "datahub_llmops.assets.platforms",
        "datahub_llmops.ingestion",
        "datahub_llmops.ingestion.reader",
        "datahub_llmops.ingestion.sampling",
        "datahub_llmops.catalog.protocol",
        "datahub_llmops.catalog.local.catalog",
        "datahub_llmops.api",
        "datahub_llmops.cli.main",
        "datahub_llmops.hooks",
    ],
)
def test_loads_neither_datahub_nor_a_vendor_sdk(module: str) -> None:
    # import-linter reads the source and misses what is imported lazily or by name.
    loaded = loaded_by(f"import {module}")
    assert "datahub_llmops" in loaded
    assert loaded.isdisjoint({"datahub", "chromadb", "sqlglot", "pydantic", "requests"})


@pytest.mark.parametrize(
    "module", ["ingestion.prompt_registry", "prompt_registries.langfuse.source", "runs.source"]
)
def test_a_source_without_sql_loads_no_parser_of_it(module: str) -> None:
    # It takes a second and 30 MB.
    loaded = loaded_by(f"import datahub_llmops.{module}")
    assert "pydantic" in loaded
    assert "sqlglot" not in loaded


def test_every_module_imports_without_a_vendor_sdk() -> None:
    package = ROOT / "connectors" / "datahub_llmops"
    paths = (path.relative_to(package.parent).with_suffix("") for path in sorted(package.rglob("*.py")))
    modules = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    assert "datahub_llmops.vector_stores.chroma.source" in modules
    # Those that the import hook imports, once the application has imported the framework itself.
    adapters = {"datahub_llmops.hooks.langchain.handler", "datahub_llmops.hooks.llamaindex.handlers"}
    assert adapters <= set(modules)
    modules = [module for module in modules if module not in adapters]
    loaded = loaded_by("\n".join(f"import {module}" for module in modules))
    assert loaded.isdisjoint({"chromadb", "langchain_core", "langchain_text_splitters", "llama_index"})
