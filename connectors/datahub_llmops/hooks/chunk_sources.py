"""Finds the source of a chunk in its metadata, reading allow-listed keys and no others.

The keys are those that the plugin stamps (``dh_*``) and those that loaders write: 80 of 170 LangChain loaders write
``source``. An address loses user, password, query and fragment. What does not look like an address (a sentence, a bare
key, an e-mail address) is a value of the user's data and is digested.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from datahub_llmops.answer_store.digests import HMAC_PREFIX
from datahub_llmops.hooks.addresses import has_secret
from datahub_llmops.hooks.names import dataset_urn

SOURCE_KEYS: Final = ("source", "file_path", "url", "doc_uri", "table", "path", "file_name")
PICKED: Final = (
    "datahub_urn",
    "dh_source_urn",
    "dh_source_key",
    "dh_embed_run",
    "dh_text_fields",
    *SOURCE_KEYS,
    "row",
    "page",
)
MAX_VALUE: Final = 512
_ADDRESS: Final = re.compile(
    r"[\w.+-]+://|[/\\~.]|[A-Za-z]:[/\\]|[\w .-]+[/\\]|[\w-]+\.[A-Za-z][\w]{0,7}$|[\w-]+(\.[\w-]+){1,3}$"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_AUTHORITY: Final = re.compile(r"(?=[/?#])")
_QUERY: Final = re.compile(r"[?#]")
_SCALARS: Final = (str, int)
_PICKED: Final = frozenset(PICKED)


def append_chunk(
    chunks: list[object], identity: object, score: object, text: object, metadata: object
) -> bool:
    """Append a chunk to a flat list: id, score, text, then keys and values of its allow-listed metadata, then ``None``.

    Only a chunk without an id needs its text. This runs on the application's thread, so it does no more than that.
    Returns whether there was allow-listed metadata.
    """
    chunks += (identity, score, text)
    picked = False
    if metadata and isinstance(metadata, dict):
        for key in metadata if len(metadata) <= len(PICKED) else PICKED:
            if key in _PICKED:
                value = metadata.get(key)
                if type(value) not in _SCALARS:
                    value = read_scalar(value)
                if value is not None:
                    chunks += (key, value)
                    picked = True
    chunks.append(None)
    return picked


def read_scalar(value: object) -> str | int | None:
    """Return the text or number that an id, a path or a number of another type stands for, or ``None``.

    Nothing that a subclass of a text or number defines is called.

    >>> read_scalar(PurePath("a.md")), read_scalar(3.0), read_scalar(2.5), read_scalar(True)
    ('a.md', 3, None, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (PurePath, UUID, date)):
        return str(value)
    if isinstance(value, float):
        return float.__int__(value) if float.is_integer(value) else None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # numpy's integers have it
    except TypeError:
        return None


def read_chunks(chunks: Iterable[Any]) -> Iterator[tuple[object, object, object, dict[str, Any]]]:
    """Iterate over the chunks of a flat list: id, score, text and allow-listed metadata.

    >>> flat = []
    >>> append_chunk(flat, "c1", 0.5, None, {"source": "a.pdf", "other": 1})
    True
    >>> append_chunk(flat, None, None, "text", None)
    False
    >>> list(read_chunks(flat))
    [('c1', 0.5, None, {'source': 'a.pdf'}), (None, None, 'text', {})]
    """
    rest = iter(chunks)
    for identity in rest:
        score, text = next(rest), next(rest)
        picked: dict[str, Any] = {}
        while (key := next(rest)) is not None:
            picked[key] = next(rest)
        yield identity, score, text, picked


def pick_metadata(metadata: object) -> dict[str, Any]:
    """Return the allow-listed part of a chunk's metadata."""
    chunks: list[object] = []
    append_chunk(chunks, None, None, None, metadata)
    return next(read_chunks(chunks))[3]


def identify_source(
    picked: Mapping[str, Any], digest: Callable[[str], str], mode: str
) -> dict[str, str] | None:
    """Return the identity of a chunk's source: a URN, an address, or the digest of what is neither."""
    # Anything else in these keys is a value of the user's data: a person's URN, say.
    urn = dataset_urn(picked.get("dh_source_urn", picked.get("datahub_urn")))
    if urn is not None:
        found = {"urn": urn}
        fields = picked.get("dh_text_fields")
        if isinstance(fields, str):
            found["fields"] = fields[:MAX_VALUE]
        return found
    for key in SOURCE_KEYS:
        value = picked.get(key)
        if isinstance(value, str) and value:
            return {
                "key": key,
                "value": value[:MAX_VALUE] if mode == "clear" else clean_address(value, digest),
            }
    return None


def row_key(picked: Mapping[str, Any], digest: Callable[[str], str], mode: str) -> str | None:
    """Return the key of a chunk's row in the form that ``mode`` allows: its HMAC, in clear, or ``None``."""
    value = picked.get("dh_source_key")
    if value is None or mode == "off":
        return None
    text = str(value)[:MAX_VALUE]
    return text if mode == "clear" or text.startswith(HMAC_PREFIX) else HMAC_PREFIX + digest(text)


def clean_address(value: str, digest: Callable[[str], str]) -> str:
    """Return an address or path without credentials, or the digest of anything else.

    >>> clean_address("s3://bucket/a.pdf?X-Amz-Signature=1", str.upper)
    's3://bucket/a.pdf'
    >>> clean_address("https://user:secret@example.org/a", str.upper)
    'https://example.org/a'
    >>> clean_address("jane@example.org", lambda text: "0")
    'hmac:0'
    """
    # An @ behind the host is an e-mail address in a path, or the end of a password that was not encoded.
    text = value.strip()
    if len(text) > MAX_VALUE or not _ADDRESS.match(text) or _CONTROL.search(text):
        return HMAC_PREFIX + digest(value)
    scheme, separator, rest = text.partition("://")
    if separator:
        authority, *path = _AUTHORITY.split(rest, maxsplit=1)
        rest = "".join([authority.rpartition("@")[2], *path])
        text = f"{scheme}://{rest}"
    if "@" in text:
        return HMAC_PREFIX + digest(value)
    text = _QUERY.split(text, maxsplit=1)[0]
    # A sentence with a dot, a token or a parameter is a value too.
    return HMAC_PREFIX + digest(value) if text.count(" ") > 3 or has_secret(text) else text
