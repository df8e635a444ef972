"""Variables tell a system by their names. A value of a .env file is never kept."""

from __future__ import annotations

from pathlib import Path

from datahub_llmops.setup.systems import SYSTEMS
from datahub_llmops.setup.variables import Variables, find_in_variables, read_variables

SECRET = "planted-secret-5ec7e7"


def told(environment: dict[str, str], files: dict[str, str] | None = None) -> dict[str, dict[str, str]]:
    """The systems that variables speak of, with what a recipe would say of each."""
    variables = Variables(environment=frozenset(environment), files=files or {})
    return {one.system.key: dict(one.values) for one in find_in_variables(variables)}


def test_an_address_and_a_key_are_named_and_not_read() -> None:
    assert told({"QDRANT_URL": "http://q:6333", "QDRANT_API_KEY": SECRET}) == {
        "qdrant": {"url": "${QDRANT_URL}", "api_key": "${QDRANT_API_KEY}"}
    }


def test_a_key_alone_has_the_usual_address() -> None:
    assert told({"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}) == {
        "langfuse": {
            "url": "https://cloud.langfuse.com",
            "public_key": "${LANGFUSE_PUBLIC_KEY}",
            "secret_key": "${LANGFUSE_SECRET_KEY}",
        }
    }
    assert told({"PINECONE_API_KEY": SECRET}) == {"pinecone": {"api_key": "${PINECONE_API_KEY}"}}


def test_what_is_missing_is_known() -> None:
    variables = Variables(environment=frozenset({"WANDB_API_KEY", "LANGFUSE_HOST"}), files={})
    missing = {
        one.system.key: [option.name for option in one.missing] for one in find_in_variables(variables)
    }
    assert missing == {"langfuse": ["public_key", "secret_key"], "weave": ["project"]}


def test_options_that_exclude_each_other_do_not_meet() -> None:
    both = {
        "ELASTICSEARCH_URL": "u",
        "ELASTIC_API_KEY": "k",
        "ELASTIC_USERNAME": "e",
        "ELASTIC_PASSWORD": "p",
    }
    assert set(told(both)["elasticsearch"]) == {"url", "api_key"}
    assert set(told({"MLFLOW_TRACKING_URI": "u", "MLFLOW_TRACKING_PASSWORD": "p"})["mlflow"]) == {"url"}
    whole = {"MLFLOW_TRACKING_URI": "u", "MLFLOW_TRACKING_USERNAME": "n", "MLFLOW_TRACKING_PASSWORD": "p"}
    assert set(told({**whole, "MLFLOW_TRACKING_TOKEN": "t"})["mlflow"]) == {"url", "username", "password"}


def test_names_of_env_files_are_read_and_values_are_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"# QDRANT_URL=commented\nexport QDRANT_API_KEY = '{SECRET}'\nEMPTY=\nBLANK= # nothing\n"
        f'WEAVIATE_URL="http://ada:{SECRET}@w"\nnot a line\nHOME=/other\n'
    )
    (tmp_path / ".env.local").write_bytes(b"\xff\xfe\nPINECONE_API_KEY=" + SECRET.encode())
    variables = read_variables(tmp_path, {"HOME": "/home/ada", "UNSET": " "})
    assert variables.files == {
        "QDRANT_API_KEY": ".env",
        "WEAVIATE_URL": ".env",
        "PINECONE_API_KEY": ".env.local",
    }
    assert variables.environment == {"HOME"}
    assert SECRET not in repr(variables)
    assert "QDRANT_API_KEY" in variables
    assert [one.found for one in find_in_variables(variables)] == [
        "PINECONE_API_KEY is in .env.local",
        "QDRANT_API_KEY is in .env",
        "WEAVIATE_URL is in .env",
    ]


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_variables(tmp_path, {}) == Variables(environment=frozenset(), files={})


def test_a_variable_of_the_environment_comes_before_one_of_a_file() -> None:
    assert told({"LANGCHAIN_API_KEY": "k"}, {"LANGSMITH_API_KEY": ".env"})["langsmith"] == {
        "url": "https://api.smith.langchain.com",
        "api_key": "${LANGCHAIN_API_KEY}",
    }


def test_each_system_is_described_once() -> None:
    keys = [system.key for system in SYSTEMS]
    assert len(set(keys)) == len(keys)
    for system in SYSTEMS:
        assert all(option.variables for option in system.options if option.is_secret), system.key
