from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from datahub_llmops.lineage.job_config import ChunkingConfig, EmbeddingJobConfig, UpstreamConfig

BASE: dict[str, Any] = {"name": "embed-docs", "index": "docs"}
JOB_URN = "urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),embed-docs)"


def job(**options: Any) -> EmbeddingJobConfig:
    return EmbeddingJobConfig.model_validate({**BASE, **options})


def fails(says: str, **options: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        job(**options)
    assert says in str(raised.value)


def test_every_option_of_the_recipe() -> None:
    made = job(
        flow="knowledge-base",
        orchestrator="airflow",
        schedule="@daily",
        owners=["urn:li:corpuser:ada", "urn:li:corpGroup:docs", "urn:li:corpuser:ada"],
        upstream={
            "platform": "sqlite",
            "env": "PROD",
            "default_schema": "main",
            "default_db": "x",
            "platform_instance": "eu",
            "override_dialect": "sqlite",
            "convert_urns_to_lowercase": True,
            "sql": "select id, doc from entry_docs",
        },
        text_columns=["doc"],
        fields={"qualified_name": "name"},
        embedding_model="openai/text-embedding-3-small",
        chunking={"method": "recursive", "size": 512, "overlap": 64},
    )
    assert made.owners == ["urn:li:corpuser:ada", "urn:li:corpGroup:docs"]
    assert made.model == ("openai", "text-embedding-3-small")
    assert made.chunking == ChunkingConfig(method="recursive", size=512, overlap=64)
    assert made.upstream[0].text == "select id, doc from entry_docs"
    assert (made.flow_name, made.orchestrator_name) == ("knowledge-base", "airflow")


def test_defaults() -> None:
    made = job()
    assert (made.upstream, made.owners, made.text_columns, made.fields) == ([], [], [], {})
    assert (made.flow_name, made.orchestrator_name) == ("embed-docs", "custom")


def test_upstream_may_be_a_list() -> None:
    made = job(
        upstream=[{"platform": "sqlite", "sql": "select 1 as a"}, {"platform": "postgres", "tables": ["a.b"]}]
    )
    assert [one.platform for one in made.upstream] == ["sqlite", "postgres"]


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("openai/text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("huggingface/BAAI/bge-m3", ("huggingface", "BAAI/bge-m3")),
        ("all-minilm", (None, "all-minilm")),
        (None, None),
    ],
)
def test_model_is_split_at_the_first_slash(model: str | None, wanted: Any) -> None:
    assert job(embedding_model=model).model == wanted


def test_sql_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "embed.sql").write_text("select 'ü' as a", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    upstream = job(upstream={"platform": "sqlite", "sql_file": "embed.sql"}).upstream[0]
    assert (upstream.text, upstream.text_origin) == ("select 'ü' as a", "embed.sql")
    fails("'missing.sql' cannot be read from", upstream={"platform": "sqlite", "sql_file": "missing.sql"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"surprise": 1}, "surprise"),
        ({"upstream": {"platform": "sqlite", "sql": "select 1", "surprise": 1}}, "surprise"),
        ({"chunking": {"method": "x", "surprise": 1}}, "surprise"),
        ({"name": ""}, "name"),
        ({"upstream": {"platform": "sqlite"}}, "none of them"),
        ({"upstream": {"platform": "sqlite", "sql": "select 1", "tables": ["a"]}}, "sql and tables"),
        ({"upstream": {"platform": "sqlite", "tables": []}}, "is empty or has an empty name"),
        ({"upstream": {"platform": "sqlite", "tables": ["a", " "]}}, "is empty or has an empty name"),
        ({"upstream": {"platform": "sqlite", "tables": ["urn:li:corpuser:ada"]}}, "a dataset URN"),
        ({"upstream": {"platform": "kafka", "sql": "select 1"}}, "override_dialect"),
        ({"upstream": {"platform": "sqlite", "override_dialect": "klingon", "sql": "select 1"}}, "klingon"),
        (
            {"upstream": {"platform": "sqlite", "env": "prod", "sql": "select 1"}},
            "not an environment of DataHub",
        ),
        ({"upstream": {"platform": "sqlite", "sql": "x" * 1_000_001}}, "more than 1000000 characters"),
        ({"owners": ["ada"]}, "'ada' is not the URN of a user or group"),
        ({"owners": ["urn:li:dataset:(urn:li:dataPlatform:s3,a,PROD)"]}, "is not the URN of a user or group"),
        ({"embedding_model": "openai/"}, "provider/model"),
        ({"embedding_model": "/x"}, "provider/model"),
        ({"chunking": {"method": "x", "size": 10, "overlap": 10}}, "not smaller"),
        ({"chunking": {"method": "x", "size": 0}}, "size"),
        ({"job_urn": "embed-docs"}, "the URN of a dataJob"),
        ({"job_urn": "urn:li:corpuser:ada"}, "the URN of a dataJob"),
        ({"job_urn": JOB_URN, "flow": "kb"}, "remove flow"),
        (
            {"job_urn": JOB_URN, "schedule": "@daily", "owners": ["urn:li:corpuser:ada"]},
            "remove schedule, owners",
        ),
    ],
)
def test_wrong_options_say_what_to_do(options: dict[str, Any], says: str) -> None:
    fails(says, **options)


def test_a_job_that_another_plugin_owns() -> None:
    made = job(job_urn=JOB_URN, embedding_model="openai/x", text_columns=["a"])
    assert made.job_urn == JOB_URN


def test_tables_need_no_dialect() -> None:
    assert job(upstream={"platform": "kafka", "tables": ["topic"]}).upstream[0].tables == ["topic"]


def test_sqlite_has_a_default_schema() -> None:
    assert UpstreamConfig(platform="sqlite", sql="select 1").schema_default == "main"
    assert UpstreamConfig(platform="sqlite", sql="select 1", default_schema="x").schema_default == "x"
    assert UpstreamConfig(platform="postgres", sql="select 1").schema_default is None


@pytest.mark.parametrize("model", [EmbeddingJobConfig, UpstreamConfig, ChunkingConfig])
def test_every_option_says_what_it_is(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert "for example" in field.description, name
