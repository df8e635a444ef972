from __future__ import annotations

import json
from typing import Any

import pytest
from datahub.emitter.aspect import ASPECT_MAP
from datahub.emitter.serialization_helper import pre_json_transform
from datahub.metadata.schema_classes import (
    AuditStampClass,
    DataJobInfoClass,
    DataProcessInstancePropertiesClass,
    DatasetPropertiesClass,
    MLModelPropertiesClass,
    OwnershipClass,
    StatusClass,
    StructuredPropertiesClass,
    StructuredPropertyValueAssignmentClass,
)

from datahub_llmops.catalog.local.encoding import (
    InvalidAspectError,
    aspect_text,
    normal_text,
    same_but_for_audit,
)


def filled(schema: Any, turn: int, depth: int = 0) -> Any:
    """A value of the schema in DataHub's ``to_obj`` form; ``turn`` decides which branch of a union, which symbol."""
    if schema.type == "record":
        if schema.name == "CostCost":
            # A union whose members have names of their own: one of them, and which.
            return {"costCode": "code", "fieldDiscriminator": "costCode"}
        return {
            field.name: filled(field.type, turn + i, depth + 1)
            for i, field in enumerate(schema.fields)
            if depth < 7 or not field.has_default
        }
    if schema.type == "array":
        return [filled(schema.items, turn + i, depth + 1) for i in range(2)] if depth < 7 else []
    if schema.type == "map":
        return {"käy/~": filled(schema.values, turn, depth + 1)} if depth < 7 else {}
    if schema.type == "union":
        branches = [branch for branch in schema.schemas if branch.type != "null"]
        if len(branches) < len(schema.schemas) and (turn % 5 == 4 or depth >= 7):
            return None
        branch = branches[turn % len(branches)]
        name = branch.fullname if branch.type in ("record", "enum", "fixed") else branch.type
        value = filled(branch, turn, depth + 1)
        return value if len(branches) == 1 and depth < 0 else {name: value}
    if schema.type == "enum":
        return schema.symbols[turn % len(schema.symbols)]
    plain: dict[str, Any] = {"boolean": turn % 2 == 0, "bytes": "bytes", "float": 0.5, "double": 1.5}
    return plain.get(schema.type, turn if schema.type in ("int", "long") else f'tëxt "{turn}"\n')


@pytest.mark.parametrize("turn", range(5))
def test_the_text_of_every_aspect_is_what_to_obj_gives(turn: int) -> None:
    compared = 0
    for name, kind in ASPECT_MAP.items():
        aspect = kind.from_obj(filled(kind.RECORD_SCHEMA, turn))
        if not aspect.validate():
            continue
        expected = json.loads(json.dumps(pre_json_transform(aspect.to_obj())))
        assert json.loads(aspect_text(aspect)) == expected, name
        assert json.loads(normal_text(name, expected)) == expected, name
        compared += 1
    assert compared > 0.95 * len(ASPECT_MAP)


def test_numbers_and_texts_of_unions_as_datahub_writes_them() -> None:
    values: Any = [768, 1.5, "cosine"]
    assigned = StructuredPropertiesClass(
        properties=[
            StructuredPropertyValueAssignmentClass(propertyUrn="urn:li:structuredProperty:a", values=values)
        ]
    )
    parameters: Any = {"a": 1, "b": 1.5, "c": True, "d": "x"}
    model = MLModelPropertiesClass(hyperParameters=parameters)
    for aspect in (
        assigned,
        model,
        DataJobInfoClass(name="j", type="COMMAND"),
        DataJobInfoClass(name="j", type="x"),
    ):
        assert json.loads(aspect_text(aspect)) == json.loads(json.dumps(pre_json_transform(aspect.to_obj())))


def test_a_missing_required_field_is_named() -> None:
    broken = StatusClass()
    broken._inner_dict["removed"] = None
    assert json.loads(aspect_text(broken)) == {}
    owner = OwnershipClass(owners=[])
    owner._inner_dict["owners"] = None
    with pytest.raises(InvalidAspectError, match="owners"):
        aspect_text(owner)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("datasetProperties", {"description": {"planted": 1}}, "/description"),
        (
            "upstreamLineage",
            {"upstreams": [{"dataset": "planted", "type": "PLANTED"}]},
            "/upstreams/\\*/type",
        ),
        ("ownership", {"owners": "planted"}, "/owners"),
        ("globalTags", {}, "/tags"),
        ("globalTags", ["planted"], "JSON object"),
    ],
)
def test_a_raw_aspect_that_does_not_fit_says_where_and_shows_no_value(
    name: str, value: Any, place: str
) -> None:
    with pytest.raises(InvalidAspectError, match=place) as caught:
        normal_text(name, value)
    chain: list[BaseException | None] = [caught.value, caught.value.__cause__]
    assert "planted" not in " ".join(map(str, chain)).lower()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_unknown_aspect_is_kept_as_it_is() -> None:
    assert json.loads(normal_text("acmeIndexInfo", {"b": None, "a": [1]})) == {"b": None, "a": [1]}


def stamped(time: int, actor: str = "urn:li:corpuser:a", **more: Any) -> str:
    stamp = {"time": time, "actor": actor}
    upstream = {"dataset": "urn:li:dataset:1", "type": "COPY", "auditStamp": stamp, **more}
    return json.dumps({"upstreams": [upstream]})


def test_audit_times_do_not_count_and_all_else_does() -> None:
    assert same_but_for_audit("upstreamLineage", stamped(1), stamped(2))
    assert not same_but_for_audit("upstreamLineage", stamped(1), stamped(1, actor="urn:li:corpuser:b"))
    assert not same_but_for_audit("upstreamLineage", stamped(1), stamped(1, query="urn:li:query:1"))


def test_a_time_that_is_the_fact_itself_counts() -> None:
    def modified(time: int) -> str:
        return aspect_text(DatasetPropertiesClass.from_obj({"lastModified": {"time": time}}))

    def began(time: int) -> str:
        stamp = AuditStampClass(time=time, actor="urn:li:corpuser:a")
        return aspect_text(DataProcessInstancePropertiesClass(name="run", created=stamp))

    assert not same_but_for_audit("datasetProperties", modified(1), modified(2))
    assert not same_but_for_audit("dataProcessInstanceProperties", began(1), began(2))


def test_the_order_of_keys_does_not_count() -> None:
    assert same_but_for_audit("unknownAspect", '{"a":1,"b":2}', '{"b":2,"a":1}')
    assert not same_but_for_audit("unknownAspect", '{"a":[1,2]}', '{"a":[2,1]}')
