"""Measures what a tool's source takes for what it saw of 100 applications on 30 days: 27,000 rows.

Each application has, for each day, one row of its answers, two of models and six of versions of prompts. They go
through the pipeline of DataHub into a local catalog. A run without applications is measured too: the difference is what
the rows take. Each load runs in its own process, so that peaks do not mix.

    python benchmarks/applications_27000.py [--applications 100] [--days 30] [--versions 6]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.run.pipeline import Pipeline
from typing_extensions import override

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.assets.usage import Tokens
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.ingestion.prompt_registry_config import WithApplications

_PROMPTS = 100


class Busy(PromptRegistryConfig, WithApplications):
    """How much a tool saw."""

    count: int = 100
    versions: int = 6


class BusyReader:
    """Has a hundred prompts, and saw each application use some versions of one on every day."""

    def __init__(self, config: Busy) -> None:
        self._config = config

    def names(self) -> Iterable[Name | FailedListing]:
        return [(f"prompt-{number}",) for number in range(_PROMPTS)]

    def mark(self, name: Name) -> str | None:
        return "1"

    def read(self, name: Name) -> Prompt:
        text = Template(
            messages=(Message(role="user", text=f"Answer {{{{question}}}} {name[0]}"),), format="mustache"
        )
        numbers = range(1, self._config.versions + 1)
        return Prompt(
            name=name, versions=tuple(PromptVersion(version=str(number), template=text) for number in numbers)
        )

    def observed(self, window: Window) -> Iterable[Observed | FailedListing]:
        for number in range(self._config.count):
            for later in range((window.last - window.first).days + 1):
                day = window.first + timedelta(days=later)
                row = partial(
                    Observed,
                    application=f"application-{number}",
                    day=day,
                    errors=1,
                    tokens=Tokens(input=1000, output=100),
                    cost=0.5,
                    milliseconds=900.0,
                    last=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                )
                yield row(calls=10)
                for model in ("openai/gpt-4o", f"openai/model-{number % 10}"):
                    yield row(calls=10, model=model)
                for version in range(1, self._config.versions + 1):
                    yield row(
                        calls=2, prompt=PromptRef(name=f"prompt-{number % _PROMPTS}", version=str(version))
                    )

    def close(self) -> None:
        pass


@platform_name("Busy", id="busy")
@config_class(Busy)
@support_status(SupportStatus.ALPHA)
class BusySource(PromptRegistrySource[Busy]):
    """The source over the tool that saw much."""

    platform = "busy"
    config_type = Busy

    @classmethod
    @override
    def open(cls, config: Busy) -> PromptReader:
        return BusyReader(config)


def run_source(options: argparse.Namespace) -> dict[str, Any]:
    """Run the source through DataHub's pipeline into a catalog in the folder."""
    catalog = f"{options.folder}/catalog.db"
    state = {"type": "llm-local", "config": {"path": catalog}}
    recipe = {
        "pipeline_name": "busy",
        "source": {
            # By the file's name as a module, because a pipeline imports it.
            "type": "applications_27000.BusySource",
            "config": {
                "count": options.applications,
                "versions": options.versions,
                "applications": {"first_days": options.days} if options.load == "applications" else False,
                "stateful_ingestion": {"enabled": True, "state_provider": state},
            },
        },
        "sink": {"type": "llm-local", "config": {"path": catalog}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    started = time.perf_counter()
    pipeline.run()
    pipeline.raise_from_status()
    report: Any = pipeline.source.get_report()
    sink: Any = pipeline.sink.get_report()
    return {
        "applications": report.applications_observed,
        "rows": options.applications * report.days_observed * (3 + options.versions),
        "seconds": round(time.perf_counter() - started, 1),
        "aspects": sink.changed,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Run each load in a process of its own, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--applications", type=int, default=100)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--versions", type=int, default=6)
    parser.add_argument("--load", choices=["applications", "none"])
    parser.add_argument("--folder")
    options = parser.parse_args()
    if options.load:
        print(json.dumps(run_source(options)))
        return
    for load in ("none", "applications"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, *sys.argv[1:], "--load", load, "--folder", folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(load, done.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
