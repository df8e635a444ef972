"""What one span is, in SQL: its place in the trace, its class, and the numbers that are added up.

The class is a hash of everything about a span that decides how it is counted: its service, name and error, the words
among its attributes, which numbers and which forms of documents it has. It is 0 for a span that only links others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datahub_llmops.assets.usage import LATENCY_BOUNDS
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.doors.clickhouse.documents import EVENTS, RERANKED, all_documents, forms
from datahub_llmops.spans.doors.clickhouse.table import Table, text, texts
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted

CLASS_OF: Final = (
    "service",
    "name",
    "scope",
    "error",
    "sampling",
    "version",
    "application",
    "has_documents",
    "kept_names",
    "words",
    "metadata_values",
    "number_names",
    "valid",
    "collections",
)
"""Columns of which the class is made."""
BINS: Final = len(LATENCY_BOUNDS) + 1
_MOST: Final = 2**53
"""Beyond it a number is no count."""
_CACHED: Final = (*names.TOKENS_CACHED, *names.TOKENS_CACHE_WRITE)
_STORE_NAMES: Final = frozenset((*names.STORE_CLASS, *names.PROVIDER))
"""Where the class of a store stands."""
_DATABASES: Final = ("chroma.", "qdrant.", "milvus.", "pinecone.", "lancedb.", "weaviate.", "db.")
"""How the names of a store's spans begin, which may have no attribute that is read."""


def span_rows(
    table: Table,
    wanted: Wanted,
    where: str,
    application: str,
    *,
    columns: Sequence[str] = (),
) -> str:
    """The spans that meet a condition, which begins with ``FROM``.

    ``application`` is the attribute that names the application. ``columns`` are added, such as those of a class,
    or ``documents``.
    """
    more = "".join(f", {one}" for one in columns)
    documents = f", {all_documents(table, wanted)} AS documents" if "documents" in columns else ""
    is_scored = f"has(event_names, {text(names.EVALUATION_EVENT)})" if table.has_events else "0"
    over = " + ".join(f"(ms > {bound})" for bound in LATENCY_BOUNDS)
    return f"""
SELECT trace, ns, id, parent, duration < 0 AS is_open, if(is_open, ns, ns + duration) AS ended,
  if(is_open, 0, toUInt32(round(duration / 1e6))) AS ms, if(is_open, 0, 1 + {over}) AS bin, numbers{more},
  {is_scored} AS is_scored,
  is_ours * greatest(1, cityHash64({", ".join(CLASS_OF)}, {_is_odd(wanted)})) AS class
FROM (
  SELECT *, {_numbers(wanted)},
    arrayFilter(k -> k IN ({texts((*wanted.words, *wanted.marks))}), ks) AS kept_names,
    {_words(wanted)} AS words,
    {_metadata(wanted)} AS metadata_values, {_collections(table, wanted)} AS collections{documents}
  FROM ({_plain_rows(table, wanted, where, application)})
)"""


def _words(wanted: Wanted) -> str:
    """The values of a span's words. One that is too long is empty, because it is a text."""
    values, keys = (f"arrayFilter((v, k) -> k IN ({texts(wanted.words)}), {one}, ks)" for one in ("vs", "ks"))
    if not wanted.labels:
        return f"arrayMap(v -> if(lengthUTF8(v) > {names.MAX_TEXT}, '', v), {values})"
    most = f"if(k IN ({texts(wanted.labels)}), {names.MAX_LABEL}, {names.MAX_TEXT})"
    return f"arrayMap((v, k) -> if(lengthUTF8(v) > {most}, '', v), {values}, {keys})"


def _plain_rows(table: Table, wanted: Wanted, where: str, application: str) -> str:
    parent = table.column("ParentSpanId")
    name = table.column("SpanName")
    begins = " OR ".join(f"startsWith({name}, {text(one)})" for one in _DATABASES)
    named = table.resource(application) if application not in names.SERVICE else "''"
    hosts = ", ".join(table.resource(one) for one in names.HOST)
    host = f"arrayFirst(x -> x != '', [{hosts}])"
    events = (
        f", {table.event_names} AS event_names, {table.column('Events.Attributes')} AS event_attributes"
        if table.has_events
        else ""
    )
    return f"""
    SELECT {table.column("TraceId")} AS trace, {table.nanoseconds} AS ns, sipHash64({table.column("SpanId")}) AS id,
      if(replaceAll({parent}, '0', '') = '', 0, sipHash64({parent})) AS parent, {table.duration} AS duration,
      hasAny({table.keys}, [{texts(wanted.triggers)}]) OR {begins} AS is_ours, {table.pairs(wanted.everything)},
      {_has_documents(table, wanted)} AS has_documents,
      {table.column("ServiceName")} AS service, {name} AS name, {table.scope} AS scope,
      {table.error} AS error, extract({table.trace_state}, 'ot=[^,]*th:([0-9a-f]+)') AS sampling,
      {table.resource(names.SERVICE_VERSION[0])} AS version, {named} AS application, {host} AS host{events}
    {where}"""


def _numbers(wanted: Wanted) -> str:
    """Columns: the names of a span's numbers, the numbers, and which of those that stand alone are usable."""
    listed = texts(wanted.numbers)
    single = f"if(k IN ({texts((*wanted.costs, *wanted.scores))}), x, trunc(x))"
    # Of all of them, only a score may be less than nought.
    low = f"if(k IN ({texts(wanted.scores)}), -{_MOST}, 0)"
    least = "x >= 0" if not wanted.scores else f"x >= {low}"
    values = f"arrayMap((x, ok, k) -> if(ok, {single}, 0), arrayMap(x -> ifNull(x, 0), parsed), valid, single_names)"
    members = "emptyArrayString()", "emptyArrayFloat64()"
    if wanted.objects:
        found = ", ".join(_members(one) for one in wanted.objects)
        pairs = f"arrayConcat({found})"
        members = f"arrayMap(p -> p.1, {pairs})", f"arrayMap(p -> toFloat64(p.2), {pairs})"
    return f"""arrayFilter(k -> k IN ({listed}), ks) AS single_names,
    arrayMap(v -> toFloat64OrNull(trim(BOTH '"' FROM v)), arrayFilter((v, k) -> k IN ({listed}), vs, ks)) AS parsed,
    arrayMap((x, k) -> ifNull({least} AND x <= {_MOST}, 0), parsed, single_names) AS valid,
    arrayConcat(arrayMap(k -> toString(k), single_names), {members[0]}) AS number_names,
    arrayConcat({values}, {members[1]}) AS numbers"""


def _members(name: str) -> str:
    """The members of a JSON object that are numbers, and of objects in it, as pairs of name and text.

    The names begin with that of the attribute and a line end.
    """
    raw = f"JSONExtractKeysAndValuesRaw(vs[indexOf(ks, {text(name)})])"
    nested = (
        "arrayFlatten(arrayMap(q -> arrayMap(p -> (concat(q.1, '.', p.1), p.2), JSONExtractKeysAndValuesRaw(q.2)), "
        f"arrayFilter(q -> startsWith(q.2, '{{'), {raw})))"
    )
    return (
        f"arrayMap(p -> (concat({text(name)}, '\\n', p.1), p.2), arrayFilter(p -> toFloat64OrNull(p.2) >= 0, "
        f"arrayConcat({raw}, {nested})))"
    )


def _is_odd(wanted: Wanted) -> str:
    """Whether more of the input came from a cache than there was: what it costs is not known then."""
    if wanted.objects:
        # A total says whether the parts are in the input: the sums would say so only if all spans of a class agree.
        named = "arrayMap(k -> splitByChar('\\n', k)[-1], number_names)"
        total = f"arraySum(arrayFilter((x, k) -> k = 'total', numbers, {named}))"
        parts = f"arraySum(arrayFilter((x, k) -> startsWith(k, 'input') OR startsWith(k, 'output'), numbers, {named}))"
        return f"{total} = {parts}"
    if not any(one in _CACHED for one in wanted.tokens):
        return "0"
    # There are no members of objects among the numbers then.
    parts, whole = (
        f"arraySum((x, k) -> if(k IN ({texts(one)}), x, 0), numbers, single_names)"
        for one in (_CACHED, names.TOKENS_IN)
    )
    return f"{parts} > {whole}"


def _metadata(wanted: Wanted) -> str:
    """The members of a run's metadata that are read: their names, each with its value as JSON after a line end."""
    if not wanted.metadata:
        return "emptyArrayString()"
    pairs = f"JSONExtractKeysAndValuesRaw(vs[indexOf(ks, {text(names.METADATA[0])})])"
    read = f"arrayFilter(p -> p.1 IN ({texts(names.METADATA_KEYS)}), {pairs})"
    return f"arraySort(arrayMap(p -> concat(p.1, '\\n', p.2), {read}))"


def _has_documents(table: Table, wanted: Wanted) -> str:
    """A number with a bit for each form of documents that the span has."""
    bits = (f"if({form.present}, {2**place}, 0)" for place, form in enumerate(forms(table, wanted)))
    return f"toUInt16({' + '.join(bits) or '0'})"


def _collections(table: Table, wanted: Wanted) -> str:
    """The collections that the documents name in their metadata, as Qdrant's package writes it."""
    if not (wanted.metadata or _STORE_NAMES.intersection(wanted.words)):
        return "emptyArrayString()"
    found = [
        f"if(bitTest(has_documents, {place}), arrayMap(d -> d.2, {form.documents}), [])"
        for place, form in enumerate(forms(table, wanted))
        if form.name not in (RERANKED, EVENTS)
    ]
    if not found:
        return "emptyArrayString()"
    named = f"arrayMap(m -> JSONExtractString(m, '_collection_name'), arrayConcat({', '.join(found)}))"
    # Of other stores it could be any field of the user's, and to look for it takes longer than all else.
    is_qdrant = (
        "arrayExists(v -> positionCaseInsensitive(v, 'qdrant') > 0, arrayConcat(words, metadata_values))"
    )
    return f"if(has_documents != 0 AND {is_qdrant}, arraySort(arrayDistinct({named})), [])"
