"""Measures `llm-langfuse` over 1,000 prompts with 20 versions each, at 30 ms a request, against a bare pool of threads.

The stand-in runs in a process of its own and waits before each answer. A bare pool sends the same requests and reads
nothing of the answers. Both use 8 threads.

    python benchmarks/langfuse_20000.py [--prompts 1000] [--versions 20] [--milliseconds 30]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import urllib3

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.append(str(TESTS))

WORKERS = 8


def serve(prompts: int, versions: int, milliseconds: float) -> None:
    """Answer until the process is terminated; the first line of the output is the address."""
    from prompt_registries.langfuse.service import LangfuseService, prompt
    from support.stub import Call, Reply

    texts = [f"Answer {{{{question}}}} in way {number}." for number in range(versions)]
    with LangfuseService(*(prompt(f"folder/p-{number:05d}", *texts) for number in range(prompts))) as service:
        answer = service.answer

        def wait(call: Call) -> Reply:
            service.calls.clear()
            time.sleep(milliseconds / 1000)
            return answer(call)

        service.answer = wait
        print(service.url, flush=True)
        service.closing.wait()


@contextmanager
def served(arguments: argparse.Namespace) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve"]
    command += [f"--{name}={getattr(arguments, name)}" for name in ("prompts", "versions", "milliseconds")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def read_bare(url: str, prompts: int, versions: int) -> float:
    """Return the seconds that a pool of threads needs for one request a version."""
    from prompt_registries.langfuse.service import authorization

    pool = urllib3.PoolManager(maxsize=WORKERS, headers={"Authorization": authorization()})
    paths = [
        f"{url}/api/public/v2/prompts/folder%2Fp-{prompt:05d}?version={version + 1}&resolve=false"
        for prompt in range(prompts)
        for version in range(versions)
    ]
    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as threads:
        for response in threads.map(lambda path: pool.request("GET", path), paths):
            assert response.status == 200
    return time.perf_counter() - start


def read_prompts(url: str) -> tuple[float, int]:
    """Return the seconds that the reader needs, and the number of versions that it read."""
    from datahub_llmops.ingestion.source import _read_in_order
    from prompt_registries.langfuse.service import open_at

    start = time.perf_counter()
    with closing(open_at(url, workers=WORKERS)) as reader:
        names = list(reader.names())
        found = 0
        for _, prompt in _read_in_order(reader, names, WORKERS):
            assert not isinstance(prompt, Exception), prompt
            found += len(prompt.versions)
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--milliseconds", type=float, default=30)
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.prompts, arguments.versions, arguments.milliseconds)
        return
    with served(arguments) as url:
        seconds, versions = read_prompts(url)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        bare = read_bare(url, arguments.prompts, arguments.versions)
    print(
        json.dumps(
            {
                "versions": versions,
                "reader_seconds": round(seconds, 1),
                "bare_pool_seconds": round(bare, 1),
                "times": round(seconds / bare, 2),
                "peak_mb": round(peak),
            }
        )
    )


if __name__ == "__main__":
    main()
