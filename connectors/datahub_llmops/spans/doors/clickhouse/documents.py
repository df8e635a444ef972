"""Documents that spans name, in SQL: their ids, and the fields of their metadata that name sources.

A span has them in one or several forms. Ids are counted and sampled by the engine; no text of a document leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.doors.clickhouse.table import Table, text, texts
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted

RETRIEVED: Final = "retrieval.documents"
RERANKED: Final = "reranker.output_documents"
EVENTS: Final = "events"
_RESULT_IDS: Final = ("db.query.result.id", "db.search.result.id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of documents: where a span has it, and its documents as an array of tuples of id and metadata."""

    name: str
    present: str
    """Condition on ``ks`` and ``vs``, the names and values of attributes, and on the events."""
    documents: str


def forms(table: Table, wanted: Wanted) -> list[Form]:
    """List the forms that may occur, each with its place in the bits of a class."""
    found = [
        _flat(prefix, flat)
        for prefix in (RETRIEVED, RERANKED)
        if (flat := [one for one in wanted.flat if one.startswith(f"{prefix}.")])
    ]
    found += [_listed(one) for one in names.DOCUMENTS_JSON if one in wanted.outputs]
    found += [_output(one) for one in names.DOCUMENTS_OUTPUT if one in wanted.outputs]
    if table.has_events:
        found.append(_events(table))
    return found


def _value(name: str) -> str:
    return f"vs[indexOf(ks, {text(name)})]"


def _flat(prefix: str, flat: Sequence[str]) -> Form:
    def value(field: str) -> str:
        return f"vs[indexOf(ks, concat({text(f'{prefix}.')}, n, {text(f'.document.{field}')}))]"

    numbers = f"arrayMap(k -> splitByChar('.', toString(k))[3], arrayFilter(k -> k IN ({texts(flat)}), ks))"
    return Form(
        name=prefix,
        present=f"hasAny(ks, [{texts(flat)}])",
        documents=f"arrayMap(n -> ({_or_in_metadata(value('id'), value('metadata'))}, {value('metadata')}), "
        f"arrayDistinct({numbers}))",
    )


def _or_in_metadata(identity: str, metadata: str) -> str:
    # Qdrant's and Milvus' packages put it there.
    own, milvus = _member(metadata, "_id"), _member(metadata, "pk")
    return f"multiIf({identity} != '', {identity}, {own} != '', {own}, {milvus})"


def _member(value: str, name: str) -> str:
    """A member of a JSON object that is a text or a whole number, as a text."""
    path = f"{value}, {text(name)}"
    return (
        f"multiIf(JSONType({path}) = 'String', JSONExtractString({path}), "
        f"JSONType({path}) IN ('Int64', 'UInt64'), JSONExtractRaw({path}), '')"
    )


def _listed(name: str) -> Form:
    value = _value(name)
    metadata = "if(JSONHas(x, 'metadata'), JSONExtractRaw(x, 'metadata'), x)"
    return Form(
        name=name,
        present=f"startsWith(trimLeft({value}), '[')",
        documents=f"arrayMap(x -> ({_or_in_metadata(_member('x', 'id'), metadata)}, {metadata}), "
        f"JSONExtractArrayRaw({value}))",
    )


def _output(name: str) -> Form:
    value = _value(name)
    # Not by the place of the name: that would copy every output, however long.
    begins = " OR ".join(f"startsWith(v, {text(one)})" for one in names.DOCUMENTS_BEGIN)
    metadata = metadata_of("x")
    identity = f"JSONExtractString(concat('[', {identity_of('x')}, ']'), 1)"
    return Form(
        name=name,
        present=f"arrayExists((v, k) -> k = {text(name)} AND ({begins}), vs, ks)",
        documents=f"arrayMap(x -> ({_or_in_metadata(identity, metadata)}, {metadata}), {raw_documents(value)})",
    )


def raw_documents(value: str) -> str:
    """The documents in a retriever's output, as texts in JSON; none if it is the output of something else.

    LangChain's are objects, and LlamaIndex's are texts that hold an object each.
    """
    begins = f"startsWith({value}, '[')"
    raw = f"if({begins}, JSONExtractArrayRaw({value}), JSONExtractArrayRaw({value}, 'documents'))"
    array = f"arrayMap(e -> if(startsWith(e, '\"'), JSONExtractString(concat('[', e, ']'), 1), e), {raw})"
    is_one = "JSONHas(x, 'page_content') OR JSONHas(x, 'node', 'id_')"
    return f"if(arrayAll(x -> {is_one}, {array}), {array}, [])"


def identity_of(document: str) -> str:
    """The id of a document in an output, as JSON."""
    own, nested = f"JSONExtractRaw({document}, 'id')", f"JSONExtractRaw({document}, 'node', 'id_')"
    found = f"if(JSONHas({document}, 'page_content'), {own}, {nested})"
    return f"if({found} = '', 'null', {found})"


def metadata_of(document: str) -> str:
    """The metadata of a document in an output, as JSON."""
    own = f"JSONExtractRaw({document}, 'metadata')"
    text_of_own = f"if(startsWith({own}, '\"'), JSONExtractString({document}, 'metadata'), {own})"
    nested = f"JSONExtractRaw({document}, 'node', 'metadata')"
    return f"if(JSONHas({document}, 'page_content'), {text_of_own}, {nested})"


def _events(table: Table) -> Form:
    first, second = (table.event_attribute(one) for one in _RESULT_IDS)
    metadata = table.event_attribute(names.RESULT_METADATA)
    return Form(
        name=EVENTS,
        present=f"hasAny(event_names, [{texts(sorted(names.RESULT_EVENTS))}])",
        documents=f"arrayFilter(d -> d.1 != '', arrayMap(a -> (if({first} != '', {first}, {second}), {metadata}), "
        "event_attributes))",
    )


def fields_of(metadata: str, fields: Sequence[str]) -> str:
    """Those fields of a document's metadata that name its source, as a JSON object; ``{}`` if there are none."""

    def pairs(value: str) -> str:
        return f"arrayFilter(p -> p.1 IN ({texts(fields)}), JSONExtractKeysAndValuesRaw({value}))"

    nested = pairs(f"JSONExtractRaw({metadata}, 'metadata')")
    inner = f"if(JSONType({metadata}, 'metadata') = 'Object', {nested}, [])"
    written = f"arrayMap(p -> concat(toJSONString(p.1), ':', p.2), arrayConcat({inner}, {pairs(metadata)}))"
    return f"concat('{{', arrayStringConcat({written}, ','), '}}')"
