"""Regular expressions that never end, and that the others match as Python's own library does."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from datahub.configuration.common import AllowDenyPattern
from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops.errors import PatternError
from datahub_llmops.lineage import patterns
from datahub_llmops.lineage.patterns import full_match, is_allowed

HOPELESS = r"(?P<p>(a|aa)+)$b"
UNLUCKY = [
    (r"kb/(?P<p>([\w-]+/?)+)\.pdf", "kb/" + "a" * 60 + "!"),
    (r"(?P<p>(a+)+)b", "a" * 60),
    (HOPELESS, "a" * 80),
    (r"(?P<p>(.*)*)x", "a" * 60),
    (r"(?P<p>(?=(a+)+b)a)", "a" * 60),
    (r"(?P<p>([a-z]+)*\d)", "a" * 60),
]


@pytest.mark.parametrize(("pattern", "text"), UNLUCKY)
def test_no_expression_takes_for_ever(pattern: str, text: str) -> None:
    # Without a limit these run for years in Python's own library: the suite's own time limit is the assertion.
    with suppress(PatternError):
        assert full_match(pattern, text, seconds=0.1) is None


def test_one_that_would_is_given_up() -> None:
    with pytest.raises(PatternError, match="takes too long") as caught:
        full_match(HOPELESS, "a" * 80, seconds=0.1)
    assert "a" * 80 not in str(caught.value)


def test_a_filter_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    for pattern in (AllowDenyPattern(allow=[HOPELESS]), AllowDenyPattern(deny=[HOPELESS])):
        with pytest.raises(PatternError):
            is_allowed(pattern, "a" * 80)


@pytest.mark.parametrize(
    "pattern",
    [
        r"s3://(?P<bucket>[^/]+)/(?P<key>.+)",
        r"(?P<a>\w+)(?:\.(?P<b>\w+))?",
        r"(?i)KB/(?P<t>.+)",
        r"(?P<a>.)(?P=a)+",
        r"(?<!x)(?P<a>\d{2,3})$",
        r"(?P<a>[^\W\d_]+)",
    ],
)
@given(
    text=st.text(alphabet="aAbkK0123s/:._\u00e9\u212a ", max_size=12)
    | st.sampled_from(["s3://b/k", "kb/a", "a.b"])
)
def test_the_rest_match_as_in_pythons_own_library(pattern: str, text: str) -> None:
    found = re.fullmatch(pattern, text)
    assert full_match(pattern, text) == (found.groupdict() if found else None)


@given(
    text=st.text(alphabet="docsPROD_.-\n", max_size=12),
    allow=st.lists(st.sampled_from([".*", "docs", "^docs$", "prod.*", r"d\w+_prod", "(?!docs)"]), max_size=3),
    deny=st.lists(st.sampled_from(["docs_", "p", ".*prod$"]), max_size=2),
    ignore_case=st.booleans(),
)
def test_a_filter_decides_as_datahubs_own(
    text: str, allow: list[str], deny: list[str], ignore_case: bool
) -> None:
    pattern = AllowDenyPattern(allow=allow, deny=deny, ignoreCase=ignore_case)
    assert is_allowed(pattern, text) is pattern.allowed(text)
