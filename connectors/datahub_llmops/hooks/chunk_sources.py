"""Where a chunk came from, out of its metadata: the allow-listed keys and no others.

Keys that the plugin stamps (``dh_*``), then what loaders leave: 80 of 170 of LangChain's write ``source``. An address
loses user, password, query and fragment. What does not look like a place (a sentence, a bare key, an e-mail address)
is a value of the user's data and is digested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

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
HMAC_PREFIX: Final = "hmac:"
_PLACE: Final = re.compile(
    r"[\w.+-]+://|[/\\~.]|[A-Za-z]:[/\\]|[\w .-]+[/\\]|[\w-]+\.[A-Za-z][\w]{0,7}$|[\w-]+(\.[\w-]+){1,3}$"
)
_SCALARS: Final = (str, int)
_PICKED: Final = frozenset(PICKED)


def note(chunks: list[object], identity: object, score: object, text: object, metadata: object) -> bool:
    """Add a chunk to a flat list: id, score, text, then key and value of what is picked of its metadata, then ``None``.

    Picked are allow-listed scalars. The text is wanted only of a chunk that has no id. Runs on the application's thread
    and does no more. True where something was picked.
    """
    chunks += (identity, score, text)
    picked = False
    if metadata and isinstance(metadata, dict):
        for key in metadata if len(metadata) <= len(PICKED) else PICKED:
            if key in _PICKED:
                value = metadata.get(key)
                if type(value) in _SCALARS:
                    chunks += (key, value)
                    picked = True
    chunks.append(None)
    return picked


def noted(chunks: Iterable[Any]) -> Iterator[tuple[object, object, object, dict[str, Any]]]:
    """The chunks of a flat list: id, score, text and what was picked.

    >>> flat = []
    >>> note(flat, "c1", 0.5, None, {"source": "a.pdf", "other": 1})
    True
    >>> note(flat, None, None, "text", None)
    False
    >>> list(noted(flat))
    [('c1', 0.5, None, {'source': 'a.pdf'}), (None, None, 'text', {})]
    """
    rest = iter(chunks)
    for identity in rest:
        score, text = next(rest), next(rest)
        picked: dict[str, Any] = {}
        while (key := next(rest)) is not None:
            picked[key] = next(rest)
        yield identity, score, text, picked


def pick(metadata: object) -> dict[str, Any]:
    """What is picked of a chunk's metadata."""
    chunks: list[object] = []
    note(chunks, None, None, None, metadata)
    return next(noted(chunks))[3]


def source(picked: Mapping[str, Any], digest: Callable[[str], str], mode: str) -> dict[str, str] | None:
    """Identity of the source of a chunk: a URN, a place, or the digest of what is neither."""
    urn = picked.get("dh_source_urn", picked.get("datahub_urn"))
    if isinstance(urn, str) and urn.startswith("urn:li:"):
        found = {"urn": urn[:MAX_VALUE]}
        fields = picked.get("dh_text_fields")
        if isinstance(fields, str):
            found["fields"] = fields[:MAX_VALUE]
        return found
    for key in SOURCE_KEYS:
        value = picked.get(key)
        if isinstance(value, str) and value:
            return {"key": key, "value": value[:MAX_VALUE] if mode == "clear" else place(value, digest)}
    return None


def row_key(picked: Mapping[str, Any], digest: Callable[[str], str], mode: str) -> str | None:
    """Key of the row behind a chunk as the mode says: its HMAC, in clear, or not at all."""
    value = picked.get("dh_source_key")
    if value is None or mode == "off":
        return None
    said = str(value)[:MAX_VALUE]
    return said if mode == "clear" or said.startswith(HMAC_PREFIX) else HMAC_PREFIX + digest(said)


def place(value: str, digest: Callable[[str], str]) -> str:
    """An address or path without credentials; the digest of anything else.

    >>> place("s3://bucket/a.pdf?X-Amz-Signature=1", str.upper)
    's3://bucket/a.pdf'
    >>> place("https://user:secret@example.org/a", str.upper)
    'https://example.org/a'
    >>> place("jane@example.org", lambda text: "0")
    'hmac:0'
    """
    said = value.strip()
    if len(said) > MAX_VALUE or not _PLACE.match(said) or any(ord(letter) < 32 for letter in said):
        return HMAC_PREFIX + digest(value)
    said = re.split(r"[?#]", said, maxsplit=1)[0]
    scheme, separator, rest = said.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        said = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    # An e-mail address in a path, or a sentence with a dot in it, is a value too.
    return HMAC_PREFIX + digest(value) if "@" in said or said.count(" ") > 3 else said
