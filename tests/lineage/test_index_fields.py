from __future__ import annotations

import pytest

from datahub_llmops.assets.collections import Collection, PayloadField, Vector
from datahub_llmops.lineage.index_fields import IndexFields, nearest


def fields(*paths: str) -> IndexFields:
    return IndexFields(
        Collection(
            name=("docs",),
            fields=tuple(PayloadField(path=path, type="string", native_type="text") for path in paths),
            vectors=(Vector(name="dense"), Vector(name="words", sparse=True)),
            text_field="content",
        )
    )


@pytest.mark.parametrize(
    "path",
    ["email", "EMAIL", "metadata.email", "cmetadata.email", "langchain_metadata.Email", "metadata_.email"],
)
def test_a_field_is_found_where_the_frameworks_put_it(path: str) -> None:
    assert fields("other", path).find("email") == path


def test_a_field_of_its_own_comes_before_a_nested_one() -> None:
    assert fields("metadata.email", "email").find("email") == "email"


@pytest.mark.parametrize("paths", [("owner.email",), ("Email", "EMAIL"), ("metadata.owner.email",), ()])
def test_nothing_is_guessed(paths: tuple[str, ...]) -> None:
    assert fields(*paths).find("email") is None


def test_the_text_feeds_its_field_and_the_dense_vectors() -> None:
    assert fields().text == ("content", "dense")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("email", "the nearest fields are cmetadata.e_mail"),
        ("TITEL", "the nearest fields are title"),
        ("zzz", "the fields are cmetadata.e_mail, content, title"),
    ],
)
def test_the_nearest_fields_are_named(name: str, said: str) -> None:
    assert fields("cmetadata.e_mail", "title").nearest(name) == said


def test_a_long_list_is_cut() -> None:
    assert nearest("columns", "zzz", "abcdefg") == "the columns are a, b, c, d, e and 2 more"
    assert nearest("columns", "zzz", ()) == "there are no columns"
