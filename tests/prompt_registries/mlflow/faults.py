"""How `llm-mlflow` is put through the fault matrix."""

from __future__ import annotations

from typing import Final

from faults.matrix import SECRET, At, over_http, version_less
from prompt_registries.mlflow.engine import ABSENT
from support.stub import Call, Stub, forward

PROMPTS: Final = ["classify-ticket", "support-answer", "with-a-gap"]


def _is_read(call: Call) -> bool:
    """Whether a request is about one of the prompts: its versions, or itself."""
    return "registered-models/search" not in call.path and "support-answer" in str(call.query)


FAULTS = (
    over_http(
        title="MLflow",
        system="mlflow",
        store="MLflow at 127.0.0.1",
        fixture="mlflow",
        stub=lambda engine, **options: Stub(forward(engine.url), missing=ABSENT, **options),
        recipe=lambda url: {
            "url": url,
            "username": "user",
            "password": SECRET,
            "prompt_pattern": {"allow": PROMPTS},
            # Findings about use change from the first run to the second, whatever fails.
            "production_labels": [],
            "evaluations": False,
        },
        listing=At(requests=lambda call: call.path.endswith("registered-models/search")),
        reading=At(requests=_is_read, item="support-answer"),
        observing=At(requests=lambda call: call.path.endswith("traces/metrics")),
        item_of=version_less,
        # What did not change is not read again, unless an option of the recipe did.
        again={"retry_max_times": 2},
    ),
)
