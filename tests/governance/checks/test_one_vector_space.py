"""Models that queries were seen with, beside those of the job and the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.local.local_runs import column
from datahub_llmops import urns
from datahub_llmops.governance.checks.one_vector_space import MISMATCH
from datahub_llmops.governance.finding import Verdict
from governance.cases import INCIDENT, STAMP, Case, Change, both, check_case, incident, judge, put
from governance.estate import (
    CUSTOMERS,
    INDEX,
    JOB,
    OTHER_JOB,
    OWNER,
    RETRIEVER,
    inputs_and_outputs,
    schema,
)

SMALL, LARGE = "openai/text-embedding-3-small", "openai/text-embedding-3-large"
DECLARED = put((INDEX, "embeddingInfo", {"embeddingModel": SMALL, "embeddingModelKnownFrom": "declared"}))
"""The store does not tell: the job is the only witness of it."""


def queried(model: str) -> Change:
    properties = {"name": "docs", "customProperties": {"query_embedding_model": model}}
    return put((RETRIEVER, "datasetProperties", properties))


def of_field(name: str, model: str) -> Change:
    """What a store or a job says of the model of one vector field."""
    urn = "urn:li:structuredProperty:datahub_llmops.embedding_model"
    return put(
        (
            column(INDEX, name),
            "structuredProperties",
            {"properties": [{"propertyUrn": urn, "values": [{"string": model}]}]},
        )
    )


def resolved(actor: str) -> Change:
    about = incident("RESOLVED", INDEX, kind=MISMATCH)
    about["status"]["lastUpdated"] = {**STAMP, "actor": actor}
    return put((INCIDENT, "incidentInfo", about))


TWO_FIELDS = both(
    put((INDEX, "schemaMetadata", schema("small", "large", "document", "email"))),
    of_field("small", SMALL),
    of_field("large", LARGE),
)

CASES: list[tuple[str, Verdict, str, Change]] = [
    ("queries agree with the job", "ok", "one_model", both(DECLARED, queried(SMALL))),
    ("nobody saw a query", "not known", "one_witness", DECLARED),
    ("queries use another model", "not ok", "query_model_differs", both(DECLARED, queried(LARGE))),
    (
        "the provider is spelled in another way",
        "ok",
        "one_model",
        queried("text-completion-openai/text-embedding-3-small"),
    ),
    (
        "the same name of another provider",
        "not ok",
        "query_model_differs",
        queried("cohere/text-embedding-3-small"),
    ),
    (
        "the provider is not spelled",
        "not known",
        "model_spelling",
        queried("text-embedding-3-small"),
    ),
    (
        "the model is spelled in another case",
        "not known",
        "model_spelling",
        put((JOB, "embeddingJobInfo", {"embeddingModel": "openai/Text-Embedding-3-Small"})),
    ),
    (
        "another provider serves the models of the same names",
        "not known",
        "model_spelling",
        queried("azure_openai/text-embedding-3-small"),
    ),
    (
        "a second job does not say its model",
        "not known",
        "job_model",
        both(
            queried(SMALL),
            put(
                (OTHER_JOB, "dataJobInfo", {"name": "more", "type": {"string": "E"}}),
                (OTHER_JOB, "dataJobInputOutput", inputs_and_outputs([CUSTOMERS], INDEX)),
            ),
        ),
    ),
    ("who saw a mismatch saw that it is over", "ok", "one_model", both(DECLARED, resolved(urns.ACTOR))),
    ("a person resolved a mismatch", "not known", "one_witness", both(DECLARED, resolved(OWNER))),
    ("two models on two fields", "ok", "migrating", TWO_FIELDS),
    ("queries of one of two fields", "not known", "query_field", both(TWO_FIELDS, queried(LARGE))),
    (
        "queries with neither model of two fields",
        "not ok",
        "query_model_differs",
        both(TWO_FIELDS, queried("openai/ada")),
    ),
    (
        "two models of one field",
        "not ok",
        "several_models",
        both(of_field("embedding", SMALL), put((JOB, "embeddingJobInfo", {"embeddingModel": LARGE}))),
    ),
    (
        "queries alone name a model",
        "not known",
        "no_model",
        both(queried(SMALL), put((INDEX, "embeddingInfo", None), (JOB, "embeddingJobInfo", None))),
    ),
]


@pytest.mark.parametrize(
    "case",
    [
        Case(name=name, check="one vector space", verdict=verdict, code=code, change=change)
        for name, verdict, code, change in CASES
    ],
    ids=lambda case: case.name,
)
def test_the_decision_table(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_the_retriever_is_the_evidence(tmp_path: Path) -> None:
    case = Case(name="", check="one vector space", verdict="not ok", code="", change=queried(LARGE))
    found = judge(tmp_path, case)
    assert [one.urn for one in found.evidence] == [RETRIEVER]
    assert found.message == f"Queries are embedded with {LARGE}, the index with {SMALL}."
