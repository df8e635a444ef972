"""Whether the job, the store and the queries of each vector field use the same embedding model.

Vectors of two models of one dimension can be compared and mean nothing. Two models on two fields of one index are a
migration, not a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datahub_llmops.catalog.protocol import Aspect
from datahub_llmops.catalog.urn_text import asset_of, full_name
from datahub_llmops.governance.facts import Facts
from datahub_llmops.governance.finding import Evidence, Finding
from datahub_llmops.governance.policy import Policy
from datahub_llmops.governance.providers import provider_word
from datahub_llmops.governance.times import time_of
from datahub_llmops.net.json_values import mapping, text

NAME: Final = "one vector space"
_SAME_MODELS: Final = ({"azure", "openai"}, {"gemini", "vertexai"})
"""Providers that serve models of the same names."""
OWN_ACTOR: Final = "urn:li:corpuser:datahub"
"""Who writes what we write, as in ``urns.ACTOR``, whose module loads DataHub."""
MISMATCH: Final = "Embedding model mismatch"
"""Type of the incident that records queries with another model."""


def check(facts: Facts, policy: Policy) -> Finding:
    """Compare the models that jobs declare, that the store tells, and that queries were seen with."""
    del policy
    incident = _open_mismatch(facts)
    if incident is not None:
        return incident
    stated = _stated(facts)
    by_field = _by_field(facts)
    evidence = tuple(Evidence(urn=urn, aspect=aspect) for urn, aspect, _ in stated)
    queried = {_spelled(model) for model in facts.query_models.values()}
    evidence += tuple(Evidence(urn=urn, aspect="datasetProperties") for urn in sorted(facts.query_models))
    models = {model for _, _, model in stated} | set(by_field.values())
    if not models:
        return Finding(
            check=NAME,
            verdict="not known",
            code="no_model",
            message="No embedding model is known.",
            missing="Declare the model on the job that fills it.",
        )
    others = {one for one in queried if not any(_may_be_one(one, model) for model in models)}
    if others:
        return _queries_differ(facts, models, others)
    if queried - models:
        return _spelled_differently(models | queried, evidence)
    if len(models) > 1:
        return _several(facts, models, by_field, evidence)
    (model,) = models
    named = {urn for urn, _, _ in stated}
    if silent := [job for job in facts.jobs if job.urn not in named and len(facts.jobs) > 1]:
        return Finding(
            check=NAME,
            verdict="not known",
            code="job_model",
            message=f"Which model {', '.join(job.name for job in silent)} uses is not known.",
            missing="Declare the model on each of the jobs that fill it.",
            evidence=evidence,
        )
    witnesses = _witnesses(facts, stated, by_field)
    if len(witnesses) < 2:
        return Finding(
            check=NAME,
            verdict="not known",
            code="one_witness",
            message=f"Only the {witnesses[0]} names a model, {model}.",
            missing="Attach the hooks to the applications that query it.",
            evidence=evidence,
        )
    return Finding(
        check=NAME,
        verdict="ok",
        code="one_model",
        message=f"{model} in {', '.join(witnesses[:-1])} and {witnesses[-1]}.",
        evidence=evidence,
    )


def _queries_differ(facts: Facts, models: set[str], others: set[str]) -> Finding:
    from_ = sorted(urn for urn, model in facts.query_models.items() if _spelled(model) in others)
    return Finding(
        check=NAME,
        verdict="not ok",
        code="query_model_differs",
        message=f"Queries are embedded with {' and '.join(sorted(others))}, the index with "
        f"{' and '.join(sorted(models))}.",
        evidence=tuple(Evidence(urn=urn, aspect="datasetProperties") for urn in from_),
        path=(facts.root.urn,),
        to_do="Use the model of the index in the application, or embed everything again.",
    )


def _several(
    facts: Facts, models: set[str], by_field: Mapping[str, str], evidence: tuple[Evidence, ...]
) -> Finding:
    shown = ", ".join(f"{field} {model}" for field, model in sorted(by_field.items()))
    if models == set(by_field.values()):
        if facts.query_models:
            return Finding(
                check=NAME,
                verdict="not known",
                code="query_field",
                message=f"Migrating: {shown}. Which of the fields queries search is not recorded.",
                missing="Move all applications to one field, then drop the other one.",
                evidence=evidence,
            )
        return Finding(
            check=NAME, verdict="ok", code="migrating", message=f"Migrating: {shown}.", evidence=evidence
        )
    if all(_may_be_one(one, other) for one in models for other in models):
        return _spelled_differently(models, evidence)
    return Finding(
        check=NAME,
        verdict="not ok",
        code="several_models",
        message=f"{' and '.join(sorted(models))} are all said to have made the vectors of one field.",
        evidence=evidence,
        path=(facts.root.urn,),
        to_do="Embed everything with one model, or keep a field for each model.",
    )


def _spelled_differently(models: set[str], evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(
        check=NAME,
        verdict="not known",
        code="model_spelling",
        message=f"Whether {' and '.join(sorted(models))} are one model is not known.",
        missing="Write the model as provider/model, in the same way in the recipe of the job and in the application.",
        evidence=evidence,
    )


def _may_be_one(one: str, other: str) -> bool:
    """Whether two names may mean one model: one lacks the provider, or providers are known to serve the same models."""
    (first, name), (second, other_name) = _parts(one), _parts(other)
    same_provider = first == second or "" in (first, second) or {first, second} in _SAME_MODELS
    return same_provider and name == other_name


def _parts(model: str) -> tuple[str, str]:
    provider, slash, name = model.partition("/")
    provider, name = (provider, name) if slash else ("", model)
    return provider, name.casefold().removesuffix(":latest")


def _stated(facts: Facts) -> list[tuple[str, str, str]]:
    """List who names a model: the asset's or a job's URN, the aspect, and the model."""
    holders = [(facts.root.urn, "embeddingInfo"), *((job.urn, "embeddingJobInfo") for job in facts.jobs)]
    found = []
    for urn, aspect in holders:
        typed = text(facts.aspect(urn, aspect).get("embeddingModel"))
        plain = next((one for one in facts.property(urn, "embedding_model") if isinstance(one, str)), None)
        if model := typed or plain:
            found.append((urn, aspect if typed else "structuredProperties", _spelled(model)))
    return found


def _by_field(facts: Facts) -> dict[str, str]:
    """Map the asset's vector fields to the model that the store or a job states for each."""
    own = {column for column in facts.columns if asset_of(column) == facts.root.urn}
    stated = {column: facts.property(column, "embedding_model") for column in own}
    return {full_name(column): _spelled(str(values[0])) for column, values in stated.items() if values}


def _spelled(model: str) -> str:
    """Write ``provider/model`` with one word for the provider, whoever spelled it."""
    provider, slash, name = model.partition("/")
    return f"{provider_word(provider)}/{name}" if slash else model


def _witnesses(facts: Facts, stated: list[tuple[str, str, str]], by_field: Mapping[str, str]) -> list[str]:
    """Name who agrees on the model. What an asset has from its job's recipe is the job's word, not the store's."""
    declared = facts.aspect(facts.root.urn, "embeddingInfo").get("embeddingModelKnownFrom") == "declared"
    own = any(urn == facts.root.urn for urn, _, _ in stated) or bool(by_field)
    job = any(urn != facts.root.urn for urn, _, _ in stated) or declared
    found = [*(["job"] if job else []), *(["store"] if own and not declared else [])]
    return [*found, *(["queries"] if _queries_agree(facts) else [])] or ["index"]


def _queries_agree(facts: Facts) -> bool:
    """Whether queries were seen with the model of the index, or those who saw another one saw that it is over.

    A person who resolves the incident saw no query.
    """
    statuses = [mapping(mapping(aspects.get("incidentInfo")).get("status")) for aspects in _mismatches(facts)]
    return bool(facts.query_models) or any(
        status.get("state") == "RESOLVED" and mapping(status.get("lastUpdated")).get("actor") == OWN_ACTOR
        for status in statuses
    )


def _mismatches(facts: Facts) -> list[Mapping[str, Aspect]]:
    return [
        aspects
        for aspects in facts.quality.get(facts.root.urn, {}).values()
        if mapping(aspects.get("incidentInfo")).get("customType") == MISMATCH
    ]


def _open_mismatch(facts: Facts) -> Finding | None:
    for urn, aspects in facts.quality.get(facts.root.urn, {}).items():
        incident = mapping(aspects.get("incidentInfo"))
        open_ = mapping(incident.get("status")).get("state") == "ACTIVE"
        if incident.get("customType") == MISMATCH and open_:
            since = time_of(incident.get("startedAt")) or time_of(
                mapping(incident.get("created")).get("time")
            )
            return Finding(
                check=NAME,
                verdict="not ok",
                code="other_query_model",
                message="Queries are embedded with another model than the index.",
                since=since,
                evidence=(Evidence(urn=urn, aspect="incidentInfo", at=since),),
                path=(facts.root.urn,),
                to_do="Use the model of the index in the application, or embed everything again.",
            )
    return None
