"""Counts the steps that the hooks take in one LangChain or LlamaIndex call: calls and bytecode instructions.

``python benchmarks/hooks/steps.py {langchain,langchain-async,llama-index} [--calls 40] [--functions] [--span]``

The counts hardly differ between runs or on a busy machine, so they compare two versions of the hooks where times
cannot. They leave out what C code does, and the recorder's thread. With ``--span`` each call is made inside a recorded
span of the OpenTelemetry SDK, which the hooks stamp; steps of the SDK that our code calls are counted by themselves.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import threading
from types import FrameType
from typing import Any, Final

import overhead

PACKAGE: Final = "datahub_llmops"


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["langchain", "langchain-async", "llama-index"])
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--functions", action="store_true", help="each function by itself")
    parser.add_argument("--span", action="store_true", help="inside a span of OpenTelemetry")
    options = parser.parse_args()
    calls: collections.Counter[str] = collections.Counter()
    instructions: collections.Counter[str] = collections.Counter()
    frameworks = telemetry = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal frameworks, telemetry
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        _, ours, inside = frame.f_code.co_filename.partition(f"{PACKAGE}/")
        if event == "opcode" and not ours:
            frameworks += 1
            telemetry += "/opentelemetry/" in frame.f_code.co_filename
        elif ours:
            counts = instructions if event == "opcode" else calls if event == "call" else None
            if counts is not None:
                counts[f"{inside} {frame.f_code.co_name}"] += 1
        return trace

    with tempfile.TemporaryDirectory() as folder:
        overhead.set_up("ours", options.work, "", folder)
        call = overhead.caller("ours", options.work)
        if options.span:
            call = overhead.in_span(call)
        for _ in range(30):
            call()
        # Threads that are there already, such as the recorder's, are not traced.
        threading.settrace(trace)
        sys.settrace(trace)
        for _ in range(options.calls):
            call()
        sys.settrace(None)
        threading.settrace(None)
    if options.functions:
        for name, count in instructions.most_common():
            print(
                f"{count / options.calls:8,.1f} instructions {calls[name] / options.calls:6.1f} calls  {name}"
            )
    steps, made = sum(instructions.values()) / options.calls, sum(calls.values()) / options.calls
    print(f"{options.work}: {steps:,.0f} instructions in {made:,.0f} calls of ours")
    if telemetry:
        print(
            f"beside {telemetry / options.calls:,.0f} instructions of OpenTelemetry, with those of the span itself"
        )
    print(f"beside {frameworks / options.calls:,.0f} instructions of the frameworks")


if __name__ == "__main__":
    main()
