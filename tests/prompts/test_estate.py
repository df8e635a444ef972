from __future__ import annotations

import pytest

from datahub_llmops.prompts.estate import split_version


@pytest.mark.parametrize(
    ("whole", "name", "expected"),
    [
        ("support/answer.v3", "support/answer", ("support/answer", "3")),
        ("eu.support/answer.v3", "support/answer", ("eu.support/answer", "3")),
        ("a.v1.v2", "a.v1", ("a.v1", "2")),
        ("a.v1.v2", "a", ("a", "1.v2")),
        # Named by somebody else: what hooks wrote before a registry described it.
        ("answer.v3", "answer.v3", ("answer", "3")),
        ("answer.v3", "Answering", ("answer", "3")),
        ("answer", "answer", ("answer", "")),
    ],
)
def test_a_name_in_a_urn_is_split_by_the_name_of_the_prompt(
    whole: str, name: str, expected: tuple[str, str]
) -> None:
    assert split_version(whole, name) == expected
