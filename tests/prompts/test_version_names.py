from __future__ import annotations

from itertools import product

import pytest

from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.prompts.version_names import place_versions, split_version, version_order


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


ODD = ("a", "a.v1", "eu.a", "support/answer", "ü", "x%28y%29", "x%2Cy", "", "1")
VERSIONS = ("1", "10", "2", "007", "9" * 20, "beef", "1.v2", "", "v", "x%29", "²")


@pytest.mark.parametrize("shown", ["a", "a.v1", "eu.a", "x(y)", "x,y", "x%28y%29", "", "1"])
def test_many_versions_are_split_as_each_by_itself(shown: str) -> None:
    urns = sorted(
        f"urn:li:dataset:(urn:li:dataPlatform:mlflow,{name}.v{version},{env})"
        for name, version, env in product(ODD, VERSIONS, ("PROD", "DEV"))
    )
    # All at once, which is not a list of one prompt, and those that are alike but for the version.
    alike = [
        urn for urn in urns if urn.startswith(f"{urns[0].partition(',')[0]},{shown}.v") and "PROD" in urn
    ]
    for listed in (urns, alike):
        found = {
            one.urn: (name, one.version)
            for name, versions in place_versions("mlflow", shown, listed).items()
            for one in versions
        }
        assert found == {urn: split_version(full_name(urn), shown) for urn in listed}


def test_versions_sort_by_number_and_others_by_text_behind_them() -> None:
    typed = ["beef", "10", "9", "9" * 20, "01", "²", "1", ""]
    assert sorted(typed, key=version_order) == ["01", "1", "9", "10", "", "9" * 20, "beef", "²"]
