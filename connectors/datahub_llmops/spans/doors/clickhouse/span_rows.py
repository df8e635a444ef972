"""What one span is, in SQL: its place in the trace, its class, and the numbers that are added up.

The class is a hash of everything about a span that decides how it is counted: its service, name and error, the words
among its attributes, which numbers and which forms of documents it has. It is 0 for a span that only links others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datahub_llmops.assets import span_names
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans.doors.clickhouse.documents import EVENTS, RERANKED, forms, value_of
from datahub_llmops.spans.doors.clickhouse.table import Table, text, texts
from datahub_llmops.spans.doors.clickhouse.wanted import EVALUATED, EVALUATIONS, Wanted

DESCRIBED: Final = (
    "service",
    "name",
    "scope",
    "error",
    "sampling",
    "version",
    "application",
    "has_documents",
    "named",
    "words",
    "metadata_values",
    "number_names",
    "valid",
    "collections",
)
"""Columns that say what the spans of a class have in common."""
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

    ``application`` is the attribute that names the application. ``columns`` are added, such as those of ``DESCRIBED``,
    or ``host``.
    """
    more = "".join(f", {one}" for one in columns)
    hashed = ", ".join(one for one in DESCRIBED if one != "number_names")
    return f"""
SELECT trace, ns, id, parent, duration, numbers{more}, is_scored,
  is_ours * greatest(1, cityHash64({hashed}, members, {_is_odd(wanted)})) AS class
FROM (
  SELECT *, {_has_documents(table, wanted)} AS has_documents,
    {value_of(span_names.RECORDED)} = 'true' AS is_recorded,
    arrayFilter(k -> k IN ({texts(wanted.named)}), ks) AS named, {_words(wanted)} AS words,
    {_numbers(wanted)}, {_metadata(wanted)} AS metadata_values, {_collections(table, wanted)} AS collections
  FROM ({_judged_rows(table, wanted, _plain_rows(table, wanted, where, application))})
)"""


def _judged_rows(table: Table, wanted: Wanted, rows: str) -> str:
    """The same rows, with events of evaluations as attributes, and whether there are any that cannot be so."""
    if not table.has_events:
        return f"SELECT *, 0 AS is_scored FROM ({rows})"
    event = text(names.EVALUATION_EVENT)
    has_any = f"has(event_names, {event})"
    if not wanted.evaluations:
        return f"SELECT *, {has_any} AS is_scored FROM ({rows})"

    def first(of: Sequence[str]) -> str:
        return f"arrayFirst(x -> x != '', [{', '.join(map(table.event_attribute, of))}])"

    fields = (names.EVALUATION_NAME, names.EVALUATION_SCORE, names.EVALUATION_LABEL)
    pairs = ", ".join(
        f"(concat({text(EVALUATIONS)}, toString(n - 1), {text('.' + name)}), {first(of)})"
        for name, of in zip(EVALUATED, fields, strict=True)
    )
    # Without a name it is none, and the names of those that follow would not be looked for.
    of_events = (
        f"arrayFilter((a, e) -> e = {event} AND {first(fields[0])} != '', event_attributes, event_names)"
    )
    found = f"arrayFlatten(arrayMap((a, n) -> [{pairs}], {of_events} AS judged, arrayEnumerate(judged)))"
    failed = f"e = {event} AND {first(names.ERROR_TYPE)} != ''"
    is_failure = f"arrayExists((a, e) -> {failed}, event_attributes, event_names)"
    return f"""
SELECT * REPLACE (
    arrayConcat(ks, arrayMap(p -> p.1, scores)) AS ks, arrayConcat(vs, arrayMap(p -> p.2, scores)) AS vs,
    is_ours OR notEmpty(scores) AS is_ours)
FROM (
  SELECT *, arrayFilter(p -> p.2 != '', {found}) AS scores,
    {has_any} AND ({is_failure} OR countEqual(event_names, {event}) > {wanted.evaluations}
      OR arrayExists(k -> startsWith(k, {text(EVALUATIONS)}), ks)) AS is_scored
  FROM ({rows})
)"""


def _plain_rows(table: Table, wanted: Wanted, where: str, application: str) -> str:
    parent = table.column("ParentSpanId")
    name = table.column("SpanName")
    begins = " OR ".join(f"startsWith({name}, {text(one)})" for one in _DATABASES)
    named = table.resource(application) if application not in names.SERVICE else "''"
    hosts = ", ".join(table.resource(one) for one in names.HOST)
    events = (
        f", {table.event_names} AS event_names, {table.column('Events.Attributes')} AS event_attributes"
        if table.has_events
        else ""
    )
    return f"""
    SELECT {table.column("TraceId")} AS trace, {table.nanoseconds} AS ns, cityHash64({table.column("SpanId")}) AS id,
      if(replaceAll({parent}, '0', '') = '', 0, cityHash64({parent})) AS parent, {table.duration} AS duration,
      hasAny({table.keys}, [{texts(wanted.triggers)}]) OR {begins} AS is_ours, {table.pairs(wanted.everything)},
      {table.column("ServiceName")} AS service, {name} AS name, {table.scope} AS scope,
      {table.error(value_of(one) for one in names.ERROR_TYPE if one in wanted.words)} AS error,
      extract({table.trace_state}, 'ot=[^,]*th:([0-9a-f]+)') AS sampling,
      {table.resource(names.SERVICE_VERSION[0])} AS version, {named} AS application,
      arrayFirst(x -> x != '', [{hosts}]) AS host{events}
    {where}"""


def _words(wanted: Wanted) -> str:
    """The values of a span's words. One that is too long is empty, because it is a text.

    The host that the hooks stamped is empty too unless it has recorded the answer: a thousand hosts that only stamp
    spans would make a thousand classes of each.
    """
    values, keys = (f"arrayFilter((v, k) -> k IN ({texts(wanted.words)}), {one}, ks)" for one in ("vs", "ks"))
    most = f"if(k IN ({texts(wanted.labels)}), {names.MAX_LABEL}, {names.MAX_TEXT})"
    left_out = [f"lengthUTF8(v) > {most if wanted.labels else names.MAX_TEXT}"]
    if span_names.HOST in wanted.words:
        left_out.append(f"(k = {text(span_names.HOST)} AND NOT is_recorded)")
    if len(left_out) == 1 and not wanted.labels:
        return f"arrayMap(v -> if({left_out[0]}, '', v), {values})"
    return f"arrayMap((v, k) -> if({' OR '.join(left_out)}, '', v), {values}, {keys})"


def _numbers(wanted: Wanted) -> str:
    """Columns: the names of a span's numbers, the numbers, and which of those that stand alone are usable."""
    listed = texts(wanted.numbers)
    keys = f"arrayFilter(k -> k IN ({listed}), ks)"
    values = f"arrayFilter((v, k) -> k IN ({listed}), vs, ks)"
    # A text that is not a number becomes one that is below everything, and so not usable.
    parsed = f"arrayMap(v -> ifNull(toFloat64OrNull(trim(BOTH '\"' FROM v)), -inf), {values})"
    exact = (*wanted.costs, *wanted.scores)
    if exact:
        # Only a score may be below zero.
        least = f"if(k IN ({texts(wanted.scores)}), -{_MOST}, 0)"
        valid = f"arrayMap((x, k) -> x >= {least} AND x <= {_MOST}, parsed, number_keys)"
        whole = f"if(k IN ({texts(exact)}), x, trunc(x))"
        single = f"arrayMap((x, ok, k) -> if(ok, {whole}, 0), parsed, valid, number_keys)"
    else:
        valid = f"arrayMap(x -> x >= 0 AND x <= {_MOST}, parsed)"
        single = "arrayMap((x, ok) -> if(ok, trunc(x), 0), parsed, valid)"
    members, sums = "emptyArrayString()", single
    if wanted.objects:
        pairs = f"arrayConcat({', '.join(map(_members, wanted.objects))})"
        members = f"arrayMap(p -> p.1, {pairs})"
        sums = f"arrayConcat({single}, arrayMap(p -> toFloat64(p.2), {pairs}))"
    return f"""{keys} AS number_keys, {parsed} AS parsed, {valid} AS valid, {members} AS members,
    arrayConcat(arrayMap(k -> toString(k), number_keys), members) AS number_names, {sums} AS numbers"""


def _members(name: str) -> str:
    """The members of a JSON object that are numbers, and of objects in it, as pairs of name and text.

    The names begin with that of the attribute and a line end.
    """
    raw = f"JSONExtractKeysAndValuesRaw({value_of(name)})"
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
        f"arraySum((x, k) -> if(k IN ({texts(one)}), x, 0), numbers, number_keys)"
        for one in (_CACHED, names.TOKENS_IN)
    )
    return f"{parts} > {whole}"


def _metadata(wanted: Wanted) -> str:
    """The members of a run's metadata that are read: their names, each with its value as JSON after a line end."""
    if not wanted.metadata:
        return "emptyArrayString()"
    pairs = f"JSONExtractKeysAndValuesRaw({value_of(names.METADATA[0])})"
    read = f"arrayFilter(p -> p.1 IN ({texts(names.METADATA_KEYS)}), {pairs})"
    return f"arraySort(arrayMap(p -> concat(p.1, '\\n', p.2), {read}))"


def _has_documents(table: Table, wanted: Wanted) -> str:
    """A number with a bit for each form of documents that the span has."""
    bits = (f"({form.present}) * {2**place}" for place, form in enumerate(forms(table, wanted)))
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
