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
    """Condition over ``ks`` and ``vs``, the names and values of attributes, and ``event_names``."""
    documents: str
    """Over ``ks``, ``vs`` and ``event_attributes``."""


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


def all_documents(table: Table, wanted: Wanted) -> str:
    """The documents of a span in all forms that it has, as tuples of the form's number, id, metadata, and the number
    of documents in the form.

    A list of documents comes before documents in attributes of their own, as in ``chunks.read_chunks``.
    """
    found = forms(table, wanted)
    lists = [one.documents for one in found if one.name in (*names.DOCUMENTS_JSON, *names.DOCUMENTS_OUTPUT)]
    parts = []
    for place, form in enumerate(found):
        documents = form.documents
        if form.name == RETRIEVED and lists:
            documents = f"arrayFilter(d -> {' AND '.join(f'empty({one})' for one in lists)}, {documents})"
        parts.append(f"arrayMap(d -> (toUInt8({place}), d.1, d.2, length({documents})), {documents})")
    return f"arrayConcat({', '.join(parts)})" if parts else "[]"


def value_of(name: str) -> str:
    """The value of an attribute over ``ks`` and ``vs``, empty if it is not there."""
    return f"vs[indexOf(ks, {text(name)})]"


def _flat(prefix: str, flat: Sequence[str]) -> Form:
    # Only these, because the engine copies for each document what is looked up in.
    own = f"arrayFilter(k -> k IN ({texts(flat)}), ks)"
    of_own = f"arrayFilter((v, k) -> k IN ({texts(flat)}), vs, ks)"

    def value(field: str) -> str:
        return f"{of_own}[indexOf({own}, concat({text(f'{prefix}.')}, n, {text(f'.document.{field}')}))]"

    numbers = f"arrayMap(k -> splitByChar('.', toString(k))[3], {own})"
    return Form(
        name=prefix,
        present=f"hasAny(ks, [{texts(flat)}])",
        documents=f"arrayMap(n -> ({value('id')}, {value('metadata')}), arrayDistinct({numbers}))",
    )


def _member(value: str, name: str) -> str:
    """A member of a JSON object that is a text or a whole number, as a text."""
    path = f"{value}, {text(name)}"
    return (
        f"multiIf(JSONType({path}) = 'String', JSONExtractString({path}), "
        f"JSONType({path}) IN ('Int64', 'UInt64'), JSONExtractRaw({path}), '')"
    )


IDENTITY: Final = (
    f"multiIf(id != '', id, {_member('metadata', '_id')} != '', {_member('metadata', '_id')}, "
    f"{_member('metadata', 'pk')})"
)
"""The id of a document, over its ``id`` and ``metadata``: Qdrant's and Milvus' packages put it there."""


def _listed(name: str) -> Form:
    value = value_of(name)
    metadata = "if(JSONHas(x, 'metadata'), JSONExtractRaw(x, 'metadata'), x)"
    return Form(
        name=name,
        present=f"startsWith(trimLeft({value}), '[')",
        documents=f"arrayMap(x -> ({_member('x', 'id')}, {metadata}), JSONExtractArrayRaw({value}))",
    )


def _output(name: str) -> Form:
    # Of a few bytes, because the engine copies what it looks at, and outputs are long.
    head = f"left({value_of(name)}, {max(map(len, names.DOCUMENTS_BEGIN))})"
    return Form(
        name=name,
        present=f"multiSearchFirstPosition({head}, [{texts(names.DOCUMENTS_BEGIN)}]) = 1",
        documents=output_documents(value_of(name)),
    )


_DOCUMENT: Final = (
    "Tuple(id String, metadata String, page_content Nullable(String), "
    "node Tuple(id_ Nullable(String), metadata String))"
)


def output_documents(value: str) -> str:
    """The documents in a retriever's output, as tuples of id and metadata; none if it is the output of something else.

    LangChain's are objects, and LlamaIndex's are texts that hold an object each. Each text is parsed once, into all
    that is needed of it: what is no text becomes its JSON.
    """

    objects, inside, nodes = (f"if(startsWith({value}, '{one}'), {value}, '')" for one in ("[{", "{", '["'))
    found = (
        f"arrayConcat(JSONExtract({objects}, 'Array({_DOCUMENT})'), "
        f"JSONExtract({inside}, 'documents', 'Array({_DOCUMENT})'), "
        f"arrayMap(x -> JSONExtract(x, '{_DOCUMENT}'), JSONExtract({nodes}, 'Array(String)')))"
    )
    is_one = "isNotNull(d.page_content) OR isNotNull(d.node.id_)"
    # What is null looks as if it were missing, so the few that seem to be of something else are looked at once more.
    written = (
        f"arrayConcat(JSONExtractArrayRaw({objects}), JSONExtractArrayRaw({inside}, 'documents'), "
        f"JSONExtract({nodes}, 'Array(String)'))"
    )
    is_null = "JSONHas(x, 'page_content') OR JSONHas(x, 'node', 'id_')"
    of_node = "isNull(d.page_content) AND (isNotNull(d.node.id_) OR d.node.metadata != '')"
    one = f"if({of_node}, (ifNull(d.node.id_, ''), d.node.metadata), (d.id, d.metadata))"
    are = f"arrayAll(d -> {is_one}, {found}) OR arrayAll(x -> {is_null}, {written})"
    return f"if({are}, arrayMap(d -> {one}, {found}), [])"


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
