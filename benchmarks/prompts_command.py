"""How long ``datahub-llmops prompts`` takes over many versions: the whole process, against a process that only starts.

    python benchmarks/prompts_command.py                          1,000 prompts x 20 versions, in a catalog made for it
    python benchmarks/prompts_command.py --catalog catalog.db     a catalog of your own

Each round runs both commands, one after the other. The figures are the medians in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from datahub.ingestion.api.common import PipelineContext, RecordEnvelope
from datahub.ingestion.api.sink import NoopWriteCallback

from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.catalog.local.sink import LocalSink
from datahub_llmops.mapping import applications, observed_edges
from datahub_llmops.mapping.prompts import place_prompt, version_proposals, version_urn
from datahub_llmops.urns import Deployment

DEPLOYMENT = Deployment(platform="langfuse")


def make(catalog: Path, prompts: int, versions: int) -> None:
    """Write what a registry's source writes of each version, and an application for every tenth prompt."""
    sink = LocalSink.create({"path": str(catalog)}, PipelineContext(run_id="benchmark"))

    def put(proposal: object) -> None:
        sink.write_record_async(RecordEnvelope(proposal, {}), NoopWriteCallback())

    for number in range(prompts):
        name = f"team-{number % 20}/prompt-{number}"
        item = Prompt(
            name=(name,), versions=tuple(version(number, one, versions) for one in range(1, versions + 1))
        )
        placed = place_prompt(item, DEPLOYMENT)
        for one in item.versions:
            for proposal in version_proposals(placed, one, "Answer {{question}}."):
                put(proposal)
        if number % 10 == 0:
            _, job, _ = applications.application_urns(f"bot-{number}", "langchain", "PROD")
            for proposal in applications.application_proposals(f"bot-{number}", "langchain", "PROD"):
                put(proposal)
            used = {version_urn(DEPLOYMENT, name, str(versions)): time.time()}
            for proposal in observed_edges.job_edges(job, used, {}, {}, time.time()):
                put(proposal)
    sink.flush()
    sink.close()
    assert not sink.get_report().failures


def version(number: int, one: int, last: int) -> PromptVersion:
    text = Message(role="user", text=f"Answer {{{{question}}}}, as {number} in version {one}.")
    return PromptVersion(
        version=str(one),
        template=Template(messages=(text,), format="mustache"),
        labels=("production",) if one == last - 1 else ("latest",) if one == last else (),
        author="ada",
        message=f"change {one}",
        model="openai/gpt-4o",
        parameters={"temperature": "0.2"},
    )


def run(catalog: Path, *arguments: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "datahub_llmops.cli.main", "--catalog", str(catalog), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--catalog", type=Path)
    parser.add_argument("--prompts", type=int, default=1_000)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        catalog = options.catalog or Path(folder) / "catalog.db"
        if options.catalog is None:
            make(catalog, options.prompts, options.versions)
            print(f"{options.prompts:,} prompts x {options.versions} versions")
        rounds = [(run(catalog, "prompts"), run(catalog, "--version")) for _ in range(options.rounds)]
    whole, start = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"prompts: {whole:.0f} ms, of which {start:.0f} ms are the start of any command")


if __name__ == "__main__":
    main()
