"""Planted texts, secrets and addresses are nowhere: not in the store, not in a log, not in an exception."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from typing_extensions import override

import datahub_llmops.hooks as lineage
from datahub_llmops.answer_store import digests
from datahub_llmops.hooks import addresses, chunk_sources, guard
from hooks.parts import Model, NamedEmbedding, joined
from hooks.seen import Host

PLANTED = [
    "PLANTED-QUESTION",
    "PLANTED-ANSWER",
    "PLANTED-CHUNK",
    "PLANTED-TEMPLATE",
    "PLANTED-SECRET",
    "jane.doe@example.org",
    "PLANTED-ROW",
    "PLANTED-METADATA",
    "PLANTED-FILTER",
    "PLANTED-ERROR",
]


def application(folder: Path) -> None:
    """Plants everything."""
    documents = [
        Document(
            "PLANTED-CHUNK a",
            metadata={"source": "https://user:PLANTED-SECRET@example.org/a?key=PLANTED-SECRET"},
        ),
        Document("PLANTED-CHUNK b", metadata={"source": "jane.doe@example.org", "note": "PLANTED-METADATA"}),
        Document("PLANTED-CHUNK c", metadata={"source": "PLANTED-ROW", "dh_source_key": "PLANTED-ROW"}),
        Document("PLANTED-CHUNK d", metadata={"source": "mail/jane.doe@example.org/1.eml"}),
        Document("PLANTED-CHUNK e", metadata={"source": "A sentence that says PLANTED-METADATA. It ends."}),
    ]
    store = Chroma.from_documents(
        documents, NamedEmbedding(size=8), collection_name="docs", persist_directory=str(folder / "chroma")
    )
    options = {"k": 5, "filter": {"source": {"$ne": "PLANTED-FILTER"}}}
    prompt = ChatPromptTemplate.from_messages(
        [("system", "PLANTED-TEMPLATE {context}"), ("human", "{question}")]
    )
    with lineage.answer():
        found = store.as_retriever(search_kwargs=options).invoke("PLANTED-QUESTION")
        assert len(found) == 5
        text = prompt.invoke({"context": joined(found), "question": "PLANTED-QUESTION"})
        Model(text="PLANTED-ANSWER").invoke(text)
    Model().invoke([HumanMessage("PLANTED-QUESTION"), AIMessage("PLANTED-ANSWER")])

    class Failing(Model):
        @override
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise ValueError("PLANTED-ERROR")

    with pytest.raises(ValueError):
        Failing().invoke("PLANTED-QUESTION")


def bytes_of(path: Path) -> bytes:
    """Of the store and of everything beside it."""
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


def test_nothing_planted_is_stored_or_logged(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="datahub_llmops"):
        application(tmp_path)
        assert len(host.answers()) == 3
    stored = bytes_of(host.path)
    for word in PLANTED:
        assert word.encode() not in stored, word
        assert word not in caplog.text, word
        assert word not in str(host.handle.stats()), word


def test_nothing_planted_is_in_a_warning_of_ours(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard.reraise = False
    with caplog.at_level(logging.DEBUG, logger="datahub_llmops"):
        for word in PLANTED:
            with guard.guarded(f"test.{word[:1]}"):
                raise ValueError(word)
    assert caplog.text
    for word in PLANTED:
        assert word not in caplog.text


def test_texts_only_where_asked_for(host: Host, tmp_path: Path) -> None:
    lineage.attach("support-bot", store=host.path, capture_text=True)
    application(tmp_path)
    first = host.answers()[0]
    assert (first.query_text, first.answer_text) == ("PLANTED-QUESTION", "PLANTED-ANSWER")
    assert b"PLANTED-CHUNK" not in bytes_of(host.path)


def test_an_answer_is_found_by_its_text_with_the_key_of_the_host_alone(host: Host, tmp_path: Path) -> None:
    from datahub_llmops.answer_store.database import Store

    application(tmp_path)
    first = host.answers()[0]
    store = Store.read(host.path)
    secret = digests.key(str(host.path), create=False)
    assert secret is not None
    assert store.with_text(digests.digest(secret, "  PLANTED-ANSWER\n")) == [first.id]
    assert store.with_text(digests.digest(b"another key of thirty-two bytes!", "PLANTED-ANSWER")) == []
    store.close()


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://user:secret@host:6333/a?api_key=secret", "host:6333/a"),
        ("postgresql+psycopg://user:secret@db:5432/x", "db:5432/x"),
        ("host", "host"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://host:port", None),
        ("", None),
    ],
)
def test_addresses_lose_their_credentials(address: str, kept: str | None) -> None:
    assert addresses.parse_address(address) == kept


@pytest.mark.parametrize(
    "value",
    ["s3://b/a.pdf", "/data/a.pdf", "a/b.txt", "report.pdf", "shop.public.articles", "C:\\docs\\a.txt"],
)
def test_places_are_kept(value: str) -> None:
    assert chunk_sources.clean_address(value, str.upper) == value


@pytest.mark.parametrize(
    "value", ["123456", "Jane Doe", "j@d.org", "Please see. It is so and so.", "a\nb/c", "x" * 600]
)
def test_what_is_no_place_is_digested(value: str) -> None:
    assert chunk_sources.clean_address(value, lambda _: "digest") == "hmac:digest"


class Loud(str):
    """A text that shows another one."""

    @override
    def __str__(self) -> str:
        return "PLANTED-SECRET"


def test_a_texts_own_methods_are_not_called() -> None:
    picked = chunk_sources.pick_metadata({"source": Loud("a.md"), "page": True})
    assert picked == {"source": "a.md"}
    assert type(picked["source"]) is str
    assert chunk_sources.read_scalar(Loud("1")) == "1"
