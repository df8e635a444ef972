"""What another server's JSON is read as: the examples are the tests."""

from __future__ import annotations

import doctest

from datahub_llmops.net import json_values


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(json_values)
    assert result.attempted >= 3
    assert result.failed == 0
