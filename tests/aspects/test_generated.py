"""The generated classes are the PDL's, and refuse what a server or its UI would choke on, naming the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from avrogen.dict_wrapper import DictWrapper
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import KEY_ASPECTS
from hypothesis import given
from hypothesis import strategies as st

from aspects.examples import INDEX, MODEL, PDL, examples, row
from datahub_llmops.aspects.base import Field, LlmopsAspect
from datahub_llmops.aspects.generated import (
    ASPECTS,
    RECORDS,
    EmbeddingInfoClass,
    LatencyBucketClass,
    LlmUsageClass,
    RetrieverInfoClass,
    VectorIndexInfoClass,
    VectorIndexVectorsClass,
    VectorRowClass,
    register,
)
from datahub_llmops.aspects.manifest import package_data
from datahub_llmops.errors import AspectValueError

PYTHON_TYPES = {"string": "str", "int": "int", "long": "int", "double": "float", "boolean": "bool"}
FIELD = re.compile(
    r"/\*\*(?P<doc>(?:(?!\*/).)*)\*/\s*"
    r"(?P<annotations>(?:@\w+ = .*?)?)"
    r"(?P<name>\w+): (?P<optional>optional )?(?P<type>\S+)$",
    re.MULTILINE | re.DOTALL,
)
FILES = sorted(PDL.glob("*.pdl"))
CLASSES: dict[str, type[DictWrapper]] = {kind.RECORD_SCHEMA.name: kind for kind in (*ASPECTS, *RECORDS)}


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


@dataclass(frozen=True)
class PdlField:
    """One field as a person reads it in the file: read here by other means than the generator's."""

    name: str
    python_type: str
    optional: bool
    doc: str


def pdl_fields(text: str) -> list[PdlField]:
    body = text[text.index("\nrecord ") :]
    found = []
    for match in FIELD.finditer(body):
        kind = match["type"]
        inner = kind.removeprefix("array[").removesuffix("]")
        base = PYTHON_TYPES.get(inner, f"{inner}Class")
        base = f"list[{base}]" if kind != inner else base
        optional = bool(match["optional"])
        doc = " ".join(line.strip().removeprefix("*").strip() for line in match["doc"].splitlines()).strip()
        found.append(PdlField(match["name"], f"{base} | None" if optional else base, optional, doc))
    return found


def flat(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_class_is_its_pdl(file: Any) -> None:
    text = file.read_text(encoding="utf-8")
    kind = CLASSES[file.stem]
    fields = pdl_fields(text)
    assert len(fields) == len(re.findall(r"^  \w+: ", text, re.MULTILINE))
    members = {name: member for name, member in vars(kind).items() if isinstance(member, Field)}
    assert set(members) == {field.name for field in fields}
    for field in fields:
        assert kind.__annotations__[field.name] == f"Field[{field.python_type}]"
        assert members[field.name].required != field.optional
        assert flat(members[field.name].__doc__).startswith(field.doc)
        assert [f.name for f in kind.RECORD_SCHEMA.fields] == [f.name for f in fields]


def test_the_constructor_takes_the_fields_and_nothing_else() -> None:
    assert LatencyBucketClass(le="5", calls=2)._inner_dict == {"le": "5", "calls": 2}
    assert LatencyBucketClass.le.__doc__ is not None
    given: dict[str, Any] = {"le": "5"}
    with pytest.raises(
        TypeError, match=r"LatencyBucketClass: missing fields \['calls'\], unknown fields \[\]"
    ):
        LatencyBucketClass(**given)
    given |= {"calls": 1, "call": 1}
    with pytest.raises(TypeError, match=r"unknown fields \['call'\]"):
        LatencyBucketClass(**given)


def test_every_pdl_has_a_class_and_every_class_a_pdl() -> None:
    assert {file.stem for file in FILES} == set(CLASSES)


def test_the_examples_fill_every_field() -> None:
    seen: dict[str, set[str]] = {}

    def visit(value: Any) -> None:
        if isinstance(value, DictWrapper):
            filled = {name for name, item in value._inner_dict.items() if item is not None}
            seen.setdefault(value.RECORD_SCHEMA.name, set()).update(filled)
            for _, item in value._inner_dict.items():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    for _, aspect in examples():
        visit(aspect)
    assert seen == {
        name: {field.name for field in kind.RECORD_SCHEMA.fields} for name, kind in CLASSES.items()
    }


@pytest.mark.parametrize(("urn", "aspect"), examples(), ids=lambda value: getattr(value, "ASPECT_NAME", ""))
def test_a_full_aspect_is_taken(urn: str, aspect: LlmopsAspect) -> None:
    assert aspect.problems() == []
    assert aspect.validate()
    assert MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect).validate()
    assert type(aspect).from_obj(aspect.to_obj()) == aspect
    carriers = [entity for entity, names in package_data()["entities"].items() if aspect.ASPECT_NAME in names]
    assert urn.split(":")[2] in carriers
    assert set(carriers) <= set(KEY_ASPECTS)


def wrong(value: Any) -> Any:
    """Something of another type than the value."""
    return 1 if isinstance(value, str | list | DictWrapper) else "x"


@pytest.mark.parametrize(
    "aspect", [aspect for _, aspect in examples()], ids=lambda aspect: aspect.ASPECT_NAME
)
def test_a_wrong_type_names_its_field(aspect: LlmopsAspect) -> None:
    for name, value in list(aspect._inner_dict.items()):
        broken = type(aspect)._construct(dict(aspect._inner_dict.items()))
        broken._inner_dict[name] = wrong(value)
        assert [line for line in broken.problems() if line.startswith(f"{name} must be")], name
        assert not broken.validate()
        with pytest.raises(AspectValueError, match=rf"^{aspect.ASPECT_NAME}: {name} "):
            MetadataChangeProposalWrapper(entityUrn=INDEX, aspect=broken).make_mcp()


@pytest.mark.parametrize("kind", ASPECTS, ids=lambda kind: kind.ASPECT_NAME)
def test_a_missing_value_names_its_field(kind: type[LlmopsAspect]) -> None:
    full = next(aspect for _, aspect in examples() if isinstance(aspect, kind))
    required = {field.name for field in kind.RECORD_SCHEMA.fields if field.type.type != "union"}
    for name in (field.name for field in kind.RECORD_SCHEMA.fields):
        broken = kind._construct(dict(full._inner_dict.items()))
        broken._inner_dict[name] = None
        assert broken.problems() == ([f"{name} is required"] if name in required else [])


@pytest.mark.parametrize(
    ("aspect", "problem"),
    [
        (VectorIndexVectorsClass(vectors=[]), "vectors must not be empty: "),
        (VectorIndexVectorsClass(vectors=[row("a"), row("b", 3)]), "vectors[0] lacks dimension: "),
        (
            VectorIndexInfoClass(engine="chroma", vectorFields=True),
            "vectorFields must be a whole number, not bool",
        ),
        (
            VectorIndexInfoClass(engine="chroma", vectorFields=2**31),
            "vectorFields must be a whole number, not int beyond 32 bits",
        ),
        (EmbeddingInfoClass(embeddingModels=[MODEL, INDEX]), "embeddingModels[1] must be a URN of mlModel"),
        (
            EmbeddingInfoClass(embeddingModelKnownFrom="guessed"),
            "embeddingModelKnownFrom must be one of declared, recorded, observed",
        ),
        (RetrieverInfoClass(indexes=[MODEL]), "indexes[0] must be a URN of dataset"),
        (
            RetrieverInfoClass(scoreThreshold=float("nan")),
            "scoreThreshold must be a number, not float without a finite value",
        ),
        (LlmUsageClass(timestampMillis=2**63, calls=1), "timestampMillis must be a whole number"),
        (
            VectorIndexVectorsClass(vectors=[row("a", 3), row("b", 2**40)]),
            "vectors[1].dimension must be a whole number, not int beyond 32 bits",
        ),
    ],
)
def test_what_a_server_or_its_ui_would_choke_on(aspect: LlmopsAspect, problem: str) -> None:
    (found,) = aspect.problems()
    assert found.startswith(problem)


def test_several_problems_are_all_named_and_no_value_is_shown() -> None:
    broken = EmbeddingInfoClass(
        embeddingModels=["secret-value"], chunkingKnownFrom="secret-value", chunkSize=2**40
    )
    with pytest.raises(AspectValueError) as caught:
        broken.check()
    for name in ("embeddingModels[0]", "chunkingKnownFrom", "chunkSize"):
        assert name in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_a_row_with_a_dimension_first_is_taken() -> None:
    assert VectorIndexVectorsClass(vectors=[row("b", 3), row("a")]).problems() == []


texts = st.text(max_size=20)
rows = st.builds(
    VectorRowClass,
    name=texts,
    dimension=st.integers(1, 2**31 - 1),
    metric=texts,
    indexType=texts,
    parameters=texts,
    quantization=texts,
    elementType=texts,
    sparse=st.booleans(),
    multivector=st.booleans(),
)
usages = st.builds(
    LlmUsageClass,
    timestampMillis=st.integers(0, 2**63 - 1),
    calls=st.integers(0, 2**63 - 1),
    errors=st.none() | st.integers(0, 2**63 - 1),
    cost=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    currency=st.none() | texts,
)


@given(st.builds(VectorIndexVectorsClass, vectors=st.lists(rows, min_size=1, max_size=5)) | usages)
def test_any_good_aspect_comes_back_as_it_was(aspect: LlmopsAspect) -> None:
    assert aspect.problems() == []
    assert type(aspect).from_obj(aspect.to_obj()) == aspect
    assert type(aspect).from_obj(aspect.to_obj(tuples=True), tuples=True) == aspect
