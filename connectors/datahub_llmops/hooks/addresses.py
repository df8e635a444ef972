"""Takes from an address what names a place, and never a part of a password.

A password may hold any character, and people do not always encode it: ``user:12/Abc@db`` has another meaning for a
parser than for its author. So an address that can be read in two ways names no place at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

MAX_TEXT: Final = 512
MEMORY: Final = ":memory:"
_SECRET: Final = re.compile(
    r"(?i)(pass(word|wd|phrase)?|pwd|token|secret|signature|sig|credential|(api|access|account|shared)[_-]?key|"
    r"session\w*)\s*(=|%3D)|\b(sk|pk|rk)[-_](live|test|proj|ant)[-_]\w|\bgh[pousr]_\w{16}|\bgithub_pat_|\bglpat-|"
    r"\bxox[abprs]-|\bAKIA[0-9A-Z]{16}"
)
"""Words before a value that must not be kept, and the beginnings of common keys."""
_MARKS: Final = ("=", "%3d", "sk", "pk", "rk", "gh", "pat_", "gl", "xo", "ak")
"""Each match of ``_SECRET`` in ASCII has one of them, in lower case."""
_HOST: Final = re.compile(r"[\w.-]+(,[\w.-]+)*|[0-9a-fA-F:.]+(%\w+)?")
_URL_PATH: Final = re.compile(r"(/[\w.~+-]+)*/?")
_NAME: Final = re.compile(r"[\w$.+-]{1,128}")
"""A database or schema, as nearly everybody calls one."""
_SEARCH_PATH: Final = re.compile(r"search_path\s*=\s*\"?([\w$]+)")
_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)")


def split_address(address: str) -> SplitResult | None:
    """Split an address, with or without a scheme, or return ``None`` if it is malformed or ambiguous.

    >>> split_address("https://user:12/Abc@qdrant:6333") is None
    True
    """
    if len(address) > MAX_TEXT or "\\" in address or any(ord(letter) <= 32 for letter in address):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        _ = parts.port
    except ValueError:
        return None
    # An @ behind the host may be the end of a password that the parser has cut.
    return None if "@" in f"{parts.path}{parts.query}{parts.fragment}" else parts


def parse_address(value: object) -> str | None:
    """Return host, port and path prefix of an address, without scheme, user, password, query and fragment.

    >>> parse_address("https://user:secret@qdrant.example.org:6333/prefix?api_key=x")
    'qdrant.example.org:6333/prefix'
    >>> parse_address("localhost:19530")
    'localhost:19530'
    """
    parts = split_address(value) if isinstance(value, str) and value else None
    if parts is None or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return None
    if not _URL_PATH.fullmatch(parts.path):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{parts.port}" if parts.port else host
    return place + parts.path.rstrip("/")


def parse_path(value: object) -> str | None:
    """Return a path as an absolute one, or the address of an object store without query and fragment.

    >>> parse_path("s3://bucket/lance?token=x"), parse_path("/data/lance?token=x")
    ('s3://bucket/lance', None)
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        return None
    if value == MEMORY:
        return value
    if "://" not in value:
        return None if "?" in value or _SECRET.search(value) else os.path.abspath(os.path.expanduser(value))
    if split_address(value) is None:
        return None
    scheme, _, rest = re.split(r"[?#]", value, maxsplit=1)[0].partition("://")
    if "@" in rest:
        return parse_address(value)
    return None if ";" in rest or _SECRET.search(rest) else f"{scheme}://{rest}"


def parse_dsn(dsn: object) -> dict[str, str | None]:
    """Return ``host`` or ``path``, ``database`` and ``schema`` of a Postgres server, or nothing if it is not clear.

    ``dsn`` is an address, a list of ``key=value``, or a SQLAlchemy URL. A directory with a socket is a path.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING

    >>> parse_dsn("postgresql://user:secret@db:5432/kb")
    {'host': 'db:5432', 'database': 'kb', 'schema': None}
    >>> parse_dsn("host=db dbname=kb password='two words'")
    {'host': 'db:5432', 'database': 'kb', 'schema': None}
    >>> parse_dsn("postgresql://user:12/Abc@db:5432/kb")
    {}
    """
    if not isinstance(dsn, str):
        query = getattr(dsn, "query", None)
        options = dict(query) if isinstance(query, Mapping) else {}
        found = {key: getattr(dsn, key, None) for key in ("host", "port", "database")}
        return _server(found, options)
    if "://" not in dsn:
        pairs = _pairs(dsn)
        return _server({**pairs, "database": pairs.get("dbname")}, pairs)
    parts = split_address(dsn)
    if parts is None:
        return {}
    found = {"host": parts.hostname, "port": parts.port, "database": unquote(parts.path.lstrip("/"))}
    return _server(found, parse_qs(parts.query))


def _pairs(text: str) -> dict[str, str]:
    """Read ``key=value`` pairs; nothing if anything else stands between them, such as words of a password."""
    found: dict[str, str] = {}
    place = 0
    while match := _PAIR.match(text, place):
        found[match[1]] = re.sub(r"\\(.)", r"\1", match[2].strip("'"))
        place = match.end()
    return found if not text[place:].strip() else {}


def _server(found: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, str | None]:
    options = {key: _first(value) for key, value in query.items()}
    host = found.get("host") or options.get("host")
    port = str(found.get("port") or options.get("port") or 5432)
    database = found.get("database") or options.get("dbname")
    # Without a database it is of no use, and what follows an unencoded ? of a password is cut off.
    if not isinstance(database, str) or not _NAME.fullmatch(database):
        return {}
    raw: dict[str, str | None] = {}
    if isinstance(host, str) and host.startswith("/"):
        if parse_path(host) is None or "@" in host:
            return {}
        raw["path"] = host
    elif host is not None:
        if not isinstance(host, str) or not _HOST.fullmatch(host) or not port.isdecimal():
            return {}
        raw["host"] = f"{host}:{port}"
    schema = _SEARCH_PATH.search(options.get("options") or "")
    return {**raw, "database": database, "schema": schema.group(1) if schema else None}


def _first(value: object) -> str | None:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def has_secret(address: str) -> bool:
    """Return whether a part of an address looks like a secret: a parameter of that name, or a signed token."""
    if ";" in address or address.startswith("eyJ"):
        return True
    lower = address.lower()
    # Most addresses have no mark, and to see that takes a fifth of the time of a search.
    if address.isascii() and not any(mark in lower for mark in _MARKS):
        return False
    return _SECRET.search(address) is not None
