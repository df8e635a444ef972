"""Parses URNs, and the short names that people may type instead, without importing DataHub.

https://docs.datahub.com/docs/what/urn/
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from datahub_llmops.assets.index_identity import RESERVED

_URN: Final = "urn:li:"
_PLATFORM: Final = "urn:li:dataPlatform:"
_ENCODED: Final = str.maketrans(RESERVED)
_LETTERS: Final = {code: letter for letter, code in RESERVED.items()}
_CODE: Final = re.compile("|".join(_LETTERS))
_TYPE: Final = re.compile(r"\[[^\]]*\]")
_PLAIN: Final = re.compile(r"urn:li:dataset:\([^,()]+,([^,()%]+),[^,()]+\)")
"""A dataset with nothing encoded in its name, as most are. Going by letters takes ten times as long."""
_NAME_AT: Final = {"dataFlow": 1, "dataJob": -1, "schemaField": -1}
"""Which part of a compound key is the name; of all others the second (dataset, mlModel ...)."""


def key_parts(urn: str) -> tuple[str, ...]:
    """The parts of a URN's key, not decoded; empty for what is no URN.

    >>> key_parts("urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)")
    ('urn:li:dataPlatform:chroma', 'default_database.docs', 'PROD')
    >>> key_parts("urn:li:corpuser:ada")
    ('ada',)
    """
    _, _, key = urn.removeprefix(_URN).partition(":")
    if not urn.startswith(_URN) or not key:
        return ()
    if not (key.startswith("(") and key.endswith(")")):
        return (key,)
    inner = key[1:-1]
    return _nested_parts(inner) if "(" in inner or ")" in inner else tuple(inner.split(","))


@lru_cache(maxsize=8192)
def _nested_parts(inner: str) -> tuple[str, ...]:
    """Split at the commas outside of brackets. It goes letter by letter, and a walk asks for the same URNs often."""
    parts: list[str] = []
    depth = start = 0
    for at, letter in enumerate(inner):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
    return (*parts, inner[start:])


def entity_type(urn: str) -> str:
    """``dataset`` of ``urn:li:dataset:(...)``; empty for what is no URN."""
    return urn.removeprefix(_URN).partition(":")[0] if urn.startswith(_URN) else ""


def full_name(urn: str) -> str:
    """The name in the key, decoded and whole: ``default_database.docs``, of a job its id, of a field its path.

    A name that holds ``%2C`` itself has the URN of one with a comma there, and is given back as that one.

    >>> full_name("urn:li:dataset:(urn:li:dataPlatform:qdrant,50%41 %28new%29,PROD)")
    '50%41 (new)'
    """
    if plain := _PLAIN.fullmatch(urn):
        return plain[1]
    parts = key_parts(urn)
    if not parts:
        return urn
    at = _NAME_AT.get(entity_type(urn), 1)
    part = parts[at] if -len(parts) <= at < len(parts) else parts[-1]
    return _CODE.sub(lambda code: _LETTERS[code[0]], part)


def platform(urn: str) -> str | None:
    """The platform in the key: of a job its flow's, of a field its asset's; ``None`` for assets without.

    >>> platform("urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed)")
    'airflow'
    """
    parts = key_parts(urn)
    kind = entity_type(urn)
    if kind in ("dataJob", "schemaField"):
        return platform(parts[0]) if parts else None
    if kind == "dataFlow":
        return parts[0] if parts else None
    if kind == "dataPlatform":
        return parts[0] if parts else None
    return parts[0].removeprefix(_PLATFORM) if parts and parts[0].startswith(_PLATFORM) else None


def split_field(urn: str) -> tuple[str, str] | None:
    """The asset's URN and the field path in a ``schemaField`` URN; ``None`` for every other URN.

    The path stays encoded, as ``key_parts`` gives it; ``full_name`` decodes it.

    >>> split_field("urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,docs,PROD),a%2Cb)")
    ('urn:li:dataset:(urn:li:dataPlatform:chroma,docs,PROD)', 'a%2Cb')
    """
    parts = key_parts(urn)
    return (parts[0], parts[1]) if entity_type(urn) == "schemaField" and len(parts) == 2 else None


def asset_of(urn: str) -> str:
    """The asset that a column belongs to; any other URN is returned as it is."""
    field = split_field(urn)
    return field[0] if field else urn


def schema_field(asset: str, path: str) -> str:
    """URN of a column, its path encoded as DataHub's builders encode it.

    >>> schema_field("urn:li:dataset:(urn:li:dataPlatform:chroma,docs,PROD)", "a,b")
    'urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:chroma,docs,PROD),a%2Cb)'
    """
    return f"urn:li:schemaField:({asset},{path.translate(_ENCODED)})"


def term_urn(name: str) -> str:
    """URN of a glossary term by what stands behind its type.

    >>> term_urn("Privacy.PersonalData")
    'urn:li:glossaryTerm:Privacy.PersonalData'
    """
    return f"{_URN}glossaryTerm:{name}"


def datasets_prefix(platform_name: str) -> str:
    """Return the prefix that the URNs of all datasets of a platform share.

    >>> datasets_prefix("chroma")
    'urn:li:dataset:(urn:li:dataPlatform:chroma,'
    """
    return f"urn:li:dataset:({_PLATFORM}{platform_name},"


def field_urns(asset: str, path: str) -> tuple[str, ...]:
    """URNs of a column with its path as spelled and in simple form: lineage and labels use either."""
    return tuple(schema_field(asset, form) for form in dict.fromkeys((path, simple_path(path))))


def simple_path(path: str) -> str:
    """A field path without the types that its second form carries.

    >>> simple_path("[version=2.0].[type=struct].[type=array].[type=string].address.[type=string].city")
    'address.city'

    https://docs.datahub.com/docs/advanced/field-path-spec-v2
    """
    if not path.startswith("[version=2.0]"):
        return path
    return ".".join(part for part in _TYPE.sub("", path).split(".") if part)


def matches_short(short: str, urn: str, name: str | None = None) -> bool:
    """Whether ``short`` may mean this asset: its whole name, its last parts after a dot or slash, or its display
    ``name``; ``platform:`` before it narrows it to one platform. Case counts for nothing.

    >>> docs = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.docs,PROD)"
    >>> [matches_short(s, docs) for s in ("docs", "chroma:docs", "chroma:default_database.docs", "ocs", "qdrant:docs")]
    [True, True, True, False, False]
    """
    wanted = short.casefold()
    options = [wanted]
    on, colon, rest = wanted.partition(":")
    if colon and (platform(urn) or "").casefold() == on:
        options.append(rest)
    whole = full_name(urn).casefold()
    names = {whole, (name or whole).casefold()}
    return any(
        option and (option in names or whole.endswith(("." + option, "/" + option))) for option in options
    )
