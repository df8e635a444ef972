"""The hooks' own text of an index's URN is DataHub's, whatever a store is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datahub_llmops import urns
from datahub_llmops.answers.resolver import Resolver
from datahub_llmops.assets.index_identity import index_urn
from datahub_llmops.assets.platforms import PLATFORMS

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(
    st.sampled_from("a.,(%2C)\u241f "), min_size=1, max_size=6
)
IDENTITIES = st.fixed_dictionaries(
    {"platform": st.sampled_from(sorted(PLATFORMS)) | NAMES, "collection": NAMES},
    optional={
        "host": NAMES,
        "path": st.just(":memory:") | NAMES,
        "tenant": NAMES,
        "database": NAMES,
        "schema": NAMES,
        "partition": NAMES,
        "class": NAMES,
    },
)


@given(IDENTITIES, st.sampled_from(["PROD", "DEV"]))
def test_it_is_the_urn_that_llm_runs_gives_without_rules_and_catalog(raw: dict[str, str], env: str) -> None:
    found = index_urn(raw, env=env)
    assert found == Resolver([], env=env).index(raw)


def test_reserved_letters_of_a_platform_are_encoded() -> None:
    raw = {"platform": "my,store", "collection": "a(b)"}
    assert index_urn(raw) == urns.dataset("my,store", "a(b)", env="PROD")
