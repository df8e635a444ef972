"""What is kept of an address names a place, and never holds a part of a password, however it is written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from datahub_llmops.hooks import addresses, chunk_sources, vendor_attributes
from datahub_llmops.hooks.addresses import has_secret, parse_address, parse_dsn, parse_path

SECRET = "Sup3rSecret"
ODD = st.text("aZ0/:@?#[]%;=& '\"\\+.,-_!$~|<>(){}", max_size=6)


@given(ODD, ODD)
@example("/", "")
@example("12/", "")
@example("pa@", "")
@example("", "#")
@example("[", "")
@example("a ", " b")
def test_no_part_of_a_password(before: str, after: str) -> None:
    password = f"{before}{SECRET}{after}"
    for address in (
        f"postgresql+psycopg2://user:{password}@db:5432/kb",
        f"https://user:{password}@qdrant:6333",
        f"https://{password}@milvus:19530/docs",
        f"s3://key:{password}@bucket/lance",
        f"https://user:{password}@host/file.db",
    ):
        store = SimpleNamespace(connection_args={"uri": address})
        kept: list[Any] = [
            parse_address(address),
            parse_dsn(address),
            parse_path(address),
            vendor_attributes._milvus_location(store),
            vendor_attributes._milvus_collection(store),
            chunk_sources.clean_address(address, lambda _: "0"),
        ]
        assert SECRET.lower() not in str(kept).lower(), address


@given(st.text("aZ0/:#[]%;=& '\"\\+.,-_!$~|<>(){}", max_size=6), ODD)
def test_no_part_of_a_password_that_sqlalchemy_has_parsed(before: str, after: str) -> None:
    """A password with an ``@`` and a ``?`` names another host for SQLAlchemy too: such an engine connects nowhere."""
    try:
        url = make_url(f"postgresql+psycopg2://user:{before}{SECRET}{after}@db:5432/kb")
    except (ArgumentError, ValueError):
        return
    assert SECRET not in str(parse_dsn(url))


@pytest.mark.parametrize(
    ("dsn", "kept"),
    [
        ("postgresql://user:secret@db:5432/kb", {"host": "db:5432", "database": "kb"}),
        ("postgresql://db/kb", {"host": "db:5432", "database": "kb"}),
        ("postgresql://u:s@h1,h2/kb", {"host": "h1,h2:5432", "database": "kb"}),
        ("postgresql:///kb?host=/run/pg&user=u&password=s", {"path": "/run/pg", "database": "kb"}),
        ("postgresql://[::1]:5432/my%2Ddb", {"host": "::1:5432", "database": "my-db"}),
        ("host=db user=u password=s dbname=kb", {"host": "db:5432", "database": "kb"}),
        (
            "host=db port=6432 dbname=kb password='two \\' words'",
            {"host": "db:6432", "database": "kb"},
        ),
        ("host=db password=two words dbname=kb", None),
        ("postgresql://db/kb;password=s", None),
        ("postgresql://db/kb/password", None),
        ("sqlite:////path/a.db;password=s", None),
        ("postgresql:user=u password=s", None),
        ("postgresql://user:[s@db/kb", None),
        ("postgresql://db:port/kb", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_connection_strings(dsn: str, kept: dict[str, str] | None) -> None:
    assert parse_dsn(dsn) == ({} if kept is None else {**kept, "schema": None})


def test_the_schema_of_a_search_path() -> None:
    dsn = "postgresql:///kb?options=-csearch_path%3Dshop%20-cpassword%3DSup3rSecret"
    assert parse_dsn(dsn) == {"database": "kb", "schema": "shop"}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://h/p;token=Sup3rSecret", None),
        ("https://h/%3Fapi_key=Sup3rSecret", None),
        ("https://h\\@Sup3rSecret", None),
        ("https://Sup3rSecret@", None),
        ("https://h:6333/?api_key=Sup3rSecret", "h:6333"),
        ("http://h\n@Sup3rSecret", None),
        ("user:Sup3rSecret@h:1", "h:1"),
    ],
)
def test_addresses(address: str, kept: str | None) -> None:
    assert parse_address(address) == kept


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("s3://KEY:Sup3rSecret@bucket/x", "bucket/x"),
        ("/data/lance?token=Sup3rSecret", None),
        ("/data/dt=2026-01-01/lance", "/data/dt=2026-01-01/lance"),
        ("/home/jane@corp/lance", "/home/jane@corp/lance"),
        ("az://c/x?sig=Sup3rSecret", "az://c/x"),
        ("az://c/x#Sup3rSecret", "az://c/x"),
        ("s3://bucket/x;key=Sup3rSecret", None),
        ("s3://bucket/api_key=Sup3rSecret/x", None),
        ("s3://bucket/dt=2026/x", "s3://bucket/dt=2026/x"),
        (":memory:", ":memory:"),
    ],
)
def test_paths(path: str, kept: str | None) -> None:
    assert parse_path(path) == kept


@pytest.mark.parametrize(
    "value",
    [
        "https://e.org/a;jsessionid=Sup3rSecret",
        "https://e.org/a%3Ftoken=Sup3rSecret",
        "https://user:12/Sup3rSecret@h/p",
        "eyJhbGciOi.eyJzdWIi.Sup3rSecret",
        "/data/password=Sup3rSecret/x.pdf",
    ],
)
def test_sources_that_hold_a_secret_are_digested(value: str) -> None:
    assert chunk_sources.clean_address(value, lambda _: "0") == "hmac:0"


PARTS = (
    *("password", "API-key", "sıg", "ſession", "=", "%3D", "%3d", "sk-live_a", "Rk_ant-a", "ghp_"),
    *(
        "ghp_0123456789abcdef",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "AKIA0123456789ABCDEF",
        "AKıA0123456789ABCDEF",
    ),
    *("a", " ", "/", ".", "é"),
)


@given(st.lists(st.sampled_from(PARTS), max_size=4))
def test_what_is_seen_early_has_no_secret(parts: list[str]) -> None:
    text = "".join(parts)
    assert has_secret(text) == (addresses._SECRET.search(text) is not None)
