"""What another server's JSON is read as: the examples are the tests."""

from __future__ import annotations

import doctest

from datahub_llmops import answers


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(answers)
    assert result.attempted >= 3
    assert result.failed == 0
