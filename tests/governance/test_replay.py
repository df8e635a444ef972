"""Half a year replayed: the list of May 2026 over an estate of 30 models, every one of which has died since.

``wire/lifecycles`` has these 30 entries of LiteLLM 1.86.2, some with names close to theirs, and the days on which the
models died, by LiteLLM 1.110.2 where it still has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from catalog.local.local_runs import column, dataset
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.urn_text import full_name
from datahub_llmops.governance.finding import Finding
from datahub_llmops.governance.impact import impact_of
from datahub_llmops.governance.lifecycle import Lifecycles
from datahub_llmops.governance.lifecycle_list import read_litellm
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.providers import provider_word
from datahub_llmops.governance.verdict import check_asset
from governance.estate import REVIEWS, Facts, inputs_and_outputs, write
from support.paths import TESTS

RECORDED = json.loads((TESTS / "wire" / "lifecycles" / "litellm-1.86.2.json").read_text())
BEGUN = date.fromisoformat(RECORDED["as_of"])
DIED = {name: date.fromisoformat(day) for name, day in RECORDED["died"].items()}
LISTS = Lifecycles([read_litellm(RECORDED["list"], source=RECORDED["source"])])
DATED = {name for name, entry in RECORDED["list"].items() if "deprecation_date" in entry} & DIED.keys()
NOTICE = timedelta(days=30)


def model(name: str) -> str:
    provider = provider_word(RECORDED["list"][name]["litellm_provider"])
    return f"urn:li:mlModel:(urn:li:dataPlatform:{provider},{name},PROD)"


def index(number: int) -> str:
    return dataset(f"default_database.index_{number}", "chroma")


def owner(number: int) -> str:
    return f"urn:li:corpuser:owner{number}"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCatalog]:
    """An index and a job for each model, and for each model with a name close to one of them."""
    facts: Facts = {(REVIEWS, "datasetProperties"): {"name": "reviews"}}
    for number, name in enumerate([*DIED, *RECORDED["near"]]):
        job = f"urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed_{number})"
        stamp = {"time": 0, "actor": owner(number)}
        facts[index(number), "subTypes"] = {"typeNames": ["Vector Collection"]}
        facts[index(number), "datasetProperties"] = {"name": f"index_{number}"}
        facts[index(number), "ownership"] = {
            "owners": [{"owner": owner(number), "type": "TECHNICAL_OWNER"}],
            "lastModified": stamp,
        }
        facts[job, "dataJobInfo"] = {"name": f"embed_{number}", "type": {"string": "EMBEDDING"}}
        facts[job, "subTypes"] = {"typeNames": ["Embedding Job"]}
        pair = (column(REVIEWS, "body"), column(index(number), "document"))
        facts[job, "dataJobInputOutput"] = inputs_and_outputs([REVIEWS], index(number), pair)
        facts[model(name), "mlModelProperties"] = {"name": name, "downstreamJobs": [job]}
    path: Path = tmp_path_factory.mktemp("replay") / "catalog.db"
    with write(path, facts) as found:
        yield found


def judged(catalog: LocalCatalog, number: int, day: date) -> Finding:
    now = datetime.combine(day, time(12), UTC)
    report = check_asset(catalog, index(number), Policy(lifecycles=LISTS), now=now)
    return next(one for one in report.findings if one.check == "model lives")


def test_the_estate_has_thirty_models_that_died() -> None:
    assert len(DIED) == 30
    assert 0 < len(DATED) < 30


@pytest.mark.parametrize(("number", "name"), list(enumerate(DIED)), ids=list(DIED))
def test_a_model_is_announced_in_time_or_said_not_to_be_known(
    catalog: LocalCatalog, number: int, name: str
) -> None:
    first = max(BEGUN, DIED[name] - NOTICE)
    found = judged(catalog, number, first)
    assert found.verdict == ("not ok" if name in DATED else "not known"), found.message
    # And on no day of the half year was it said to be ok.
    for days in range(0, (DIED[name] - BEGUN).days + 1, 20):
        day = BEGUN + timedelta(days=days)
        long_before = name in DATED and day < DIED[name] - Policy().retires_within
        assert judged(catalog, number, day).verdict != "ok" or long_before


@pytest.mark.parametrize("name", sorted(DATED))
def test_exactly_the_right_index_and_owner_are_told(catalog: LocalCatalog, name: str) -> None:
    number = list(DIED).index(name)
    found = impact_of(catalog, model(name), LISTS, now=datetime.combine(BEGUN, time(), UTC))
    assert [one.urn for one in found.indexes] == [index(number)]
    assert found.owners == (owner(number),)
    assert [end.on for end in found.ends] == [RECORDED["list"][name]["deprecation_date"]]


@pytest.mark.parametrize("name", RECORDED["near"])
def test_a_close_name_is_another_model(catalog: LocalCatalog, name: str) -> None:
    number = len(DIED) + RECORDED["near"].index(name)
    own = RECORDED["list"][name].get("deprecation_date")
    found = judged(catalog, number, BEGUN)
    assert full_name(found.evidence[0].urn) == name
    assert (found.verdict == "not known") == (own is None)
