"""How spans end."""

from __future__ import annotations

from datahub_llmops.hooks import runtime
from datahub_llmops.spans.status import CONTROL_FLOW


def test_control_flow_is_what_the_hooks_call_so() -> None:
    assert CONTROL_FLOW == runtime._CONTROL_FLOW
