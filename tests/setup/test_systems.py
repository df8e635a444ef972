"""The systems that ``init`` knows are sources that are registered. A new connector may be added to them later."""

from __future__ import annotations

from importlib.metadata import entry_points

from datahub_llmops.setup.systems import PINECONE, SYSTEMS, Candidate, variable


def test_every_system_is_a_source() -> None:
    group = entry_points(group="datahub.ingestion.source.plugins")
    assert {f"llm-{system.name}" for system in SYSTEMS} <= {one.name for one in group}


def test_a_secret_is_never_a_default() -> None:
    secrets = [option for system in SYSTEMS for option in system.options if option.is_secret]
    assert secrets
    assert [option for option in secrets if option.default is not None or not option.variables] == []


def test_what_is_needed_is_missing_until_it_is_given() -> None:
    assert [option.name for option in Candidate(system=PINECONE, values={}, found="").missing] == ["api_key"]
    given = Candidate(system=PINECONE, values={"api_key": variable("A")}, found="")
    assert given.missing == ()
    assert given.place == "${A}"
