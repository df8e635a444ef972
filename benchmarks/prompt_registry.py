"""Measures a registry's source over 1,000 prompts of 20 versions, one request of 30 ms a version.

A bare thread pool with as many workers is the measure: reader and source may take 1.5 times as long. A first run and a
second one over the unchanged registry, through DataHub's pipeline into a local catalog, are measured too: the second
may ask for 1 % of what the first one asked for. The registry is a stand-in that waits. Each load runs in its own
process, so that peaks do not mix.

    python benchmarks/prompt_registry.py [--prompts 1000] [--versions 20] [--milliseconds 30] [--workers 8]
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
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from datahub.ingestion.api.decorators import SupportStatus, config_class, platform_name, support_status
from datahub.ingestion.run.pipeline import Pipeline
from typing_extensions import override

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.assets.templates import Message, Template
from datahub_llmops.errors import VanishedError
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource

_TEXT = (
    "You answer mails of {{customer}} about {{product}}. " + "Be brief, be kind, and name your sources. " * 40
)


class Registry(PromptRegistryConfig):
    """A registry that waits."""

    prompts: int = 1_000
    versions: int = 20
    milliseconds: float = 30.0


class WaitingReader:
    """Reads each version with one request, in a pool that all prompts share."""

    requests: ClassVar[int] = 0

    def __init__(self, config: Registry) -> None:
        self._config = config
        self._pool = ThreadPoolExecutor(max_workers=config.max_workers)

    def names(self) -> Iterable[Name | FailedListing]:
        for number in range(self._config.prompts):
            if number % 100 == 0:
                self._wait()
            yield (f"team-{number % 20}/prompt-{number}",)

    def mark(self, name: Name) -> str | None:
        return "1"

    def read(self, name: Name) -> Prompt:
        if not name[0].startswith("team-"):
            raise VanishedError("there is none")
        numbers = range(1, self._config.versions + 1)
        return Prompt(
            name=name, versions=tuple(self._pool.map(lambda number: self._version(name, number), numbers))
        )

    def _version(self, name: Name, number: int) -> PromptVersion:
        self._wait()
        last = number == self._config.versions
        return PromptVersion(
            version=str(number),
            template=Template(
                messages=(Message(role="system", text=f"{_TEXT}{name[0]} {number}"),),
                format="mustache",
                is_chat=True,
            ),
            labels=("production",) if last else (),
            created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number),
            author="API",
            message=f"Change {number}",
            model="openai/gpt-5",
            parameters={"temperature": "0.2"},
        )

    def _wait(self) -> None:
        type(self).requests += 1
        time.sleep(self._config.milliseconds / 1000)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


@platform_name("Waiting", id="waiting")
@config_class(Registry)
@support_status(SupportStatus.ALPHA)
class WaitingSource(PromptRegistrySource[Registry]):
    """The source over the registry that waits."""

    platform = "waiting"
    config_type = Registry

    @classmethod
    @override
    def open(cls, config: Registry) -> PromptReader:
        return WaitingReader(config)


def run_bare(options: argparse.Namespace) -> dict[str, Any]:
    """Wait as often as the first run asks, in a bare pool."""
    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        started = time.perf_counter()
        count = options.prompts * options.versions
        for _ in pool.map(lambda _: time.sleep(options.milliseconds / 1000), range(count)):
            pass
        return {"seconds": time.perf_counter() - started, "requests": count}


def run_source(options: argparse.Namespace) -> dict[str, Any]:
    """Run the source through DataHub's pipeline into the catalog of the folder."""
    catalog = f"{options.folder}/catalog.db"
    state = {"type": "llm-local", "config": {"path": catalog}}
    recipe = {
        "pipeline_name": "waiting",
        "source": {
            # By the file's name as a module, because a pipeline imports it.
            "type": "prompt_registry.WaitingSource",
            "config": {
                "prompts": options.prompts,
                "versions": options.versions,
                "milliseconds": options.milliseconds,
                "max_workers": options.workers,
                "stateful_ingestion": {"enabled": True, "state_provider": state},
            },
        },
        "sink": {"type": "llm-local", "config": {"path": catalog}},
    }
    pipeline = Pipeline.create(recipe, no_progress=True, report_to=None)
    started = time.perf_counter()
    processor = time.process_time()
    if options.load == "source":
        source: Any = pipeline.source
        events = sum(1 for _ in source.emissions())
        source.close()
    else:
        pipeline.run()
        pipeline.raise_from_status()
        sink: Any = pipeline.sink.get_report()
        events = sink.changed
    return {
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - processor,
        "requests": sys.modules["prompt_registry"].WaitingReader.requests,
        "events": events,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Run each load in a process of its own, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=1_000)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--milliseconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--load", choices=("bare", "source", "pipeline"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps((run_bare if options.load == "bare" else run_source)(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        loads = (
            ("bare pool", "bare"),
            ("source", "source"),
            ("first run", "pipeline"),
            ("second run", "pipeline"),
        )
        for title, load in loads:
            command = [sys.executable, __file__, *sys.argv[1:], "--load", load, "--folder", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[title] = json.loads(done.stdout.splitlines()[-1])
            figures = ", ".join(f"{name} {value:,.1f}" for name, value in found[title].items())
            print(f"{title}: {figures}", flush=True)
    print(f"source / bare pool: {found['source']['seconds'] / found['bare pool']['seconds']:.2f}")
    print(
        f"requests of the second run: {found['second run']['requests'] / found['first run']['requests']:.2%}"
    )


if __name__ == "__main__":
    main()
