"""Which URNs a server refuses for their length."""

from __future__ import annotations

import pytest

from datahub_llmops.assets.urn_length import is_too_long

TAG = "urn:li:tag:"  # 17 bytes in URL encoding


@pytest.mark.parametrize(
    ("urn", "too_long"),
    [
        (TAG + "a" * 495, False),
        (TAG + "a" * 496, True),
        (TAG + "." * 495, False),
        (TAG + "*" * 495, False),
        (TAG + " " * 495, False),
        (TAG + "," * 165, False),
        (TAG + "," * 166, True),
        (TAG + "~" * 166, True),
        (TAG + "\u00e9" * 82, False),
        (TAG + "\u00e9" * 83, True),
        (TAG + "\U0001f600" * 42, True),
        (f"urn:li:schemaField:({TAG},{'a' * 600})", False),
        (f"urn:li:schemaField:({TAG}{'a' * 496},id)", True),
    ],
)
def test_its_length_counts_in_url_encoding(urn: str, too_long: bool) -> None:
    assert is_too_long(urn) is too_long
