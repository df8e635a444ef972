from __future__ import annotations

from datahub.metadata.schema_classes import DataJobInfoClass

from datahub_llmops.lineage.job_config import EmbeddingJobConfig
from datahub_llmops.mapping.embedding_jobs import combine, job_proposals


def stated(job: EmbeddingJobConfig) -> dict[str, str]:
    """What the job says of itself in the catalog."""
    (info,) = (one.aspect for one in job_proposals(job, "PROD") if isinstance(one.aspect, DataJobInfoClass))
    return dict(info.customProperties or {})


def declared(**options: object) -> EmbeddingJobConfig:
    return EmbeddingJobConfig.model_validate({"name": "embed", "index": "docs", **options})


def test_what_the_checks_need_is_stated() -> None:
    found = stated(declared(change_column="updated_at", key_field="id", chunks_per_row=2, schedule="@daily"))
    assert found == {
        "change_column": "updated_at",
        "key_field": "id",
        "chunks_per_row": "2",
        "schedule": "@daily",
    }


def test_declarations_that_differ_state_no_change_column() -> None:
    same = [declared(change_column="updated_at"), declared(change_column="updated_at", index="more")]
    assert combine(same).change_column == "updated_at"
    assert combine([*same, declared(change_column="changed", index="other")]).change_column is None
