"""Classes of spans, and the span that stands for all spans of a class."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datahub_llmops.answer_store.recorded import Chunk
from datahub_llmops.assets import span_names
from datahub_llmops.spans import attributes as names
from datahub_llmops.spans import twins
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors.clickhouse.decoding import decoded, weight_of
from datahub_llmops.spans.doors.clickhouse.documents import EVENTS, RERANKED, RETRIEVED
from datahub_llmops.spans.doors.clickhouse.span_rows import DESCRIBED
from datahub_llmops.spans.doors.clickhouse.wanted import Wanted
from datahub_llmops.spans.span import Attributes

_UNUSABLE: Final = "unusable"
"""Stands for a number that is none."""
_SOURCE: Final = {"source": "/marked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What is known of the documents that the spans of a class have in one form."""

    whole: bool
    """Whether all of them have ids."""
    has_ids: bool
    ids: tuple[str, ...]
    """Some of them."""
    sources: tuple[Chunk, ...]
    """A chunk for each different source that their metadata names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanClass:
    """Everything that spans of one class have in common."""

    name: str
    scope: str
    error: str | None
    weight: float
    service: str
    resource: Attributes
    attributes: Attributes
    numbers: tuple[tuple[str, str | None, bool], ...]
    """Attribute, member if it is an object, and whether the number is usable, in the order of the sums."""
    forms: tuple[str, ...]
    """Forms of documents that the spans have."""
    collections: tuple[str, ...]
    """Collections that the documents name."""

    @property
    def is_of_framework(self) -> bool:
        """Whether the spans are inferences that a framework reports."""
        return twins.is_of_framework(self.name, self.attributes, self.scope)

    def with_numbers(
        self, sums: Sequence[float], documents: Callable[[str], Documents | None], mark: str
    ) -> dict[str, Any]:
        """Return the attributes of a span with these sums as its numbers, and one document in each form.

        The id of the document is ``mark`` with the form, so that it is known again.
        """
        found: dict[str, Any] = dict(self.attributes)
        for (name, member, usable), value in zip(self.numbers, sums, strict=True):
            number: Any = (int(value) if value.is_integer() else value) if usable else _UNUSABLE
            if member is None:
                found[name] = number
            else:
                found.setdefault(name, {})[member] = number
        for form in self.forms:
            known = documents(form)
            if known is not None:
                self._add_document(
                    found, form, f"{mark}/{form}" if known.has_ids else None, bool(known.sources)
                )
        return found

    def _add_document(self, found: dict[str, Any], form: str, identity: str | None, has_source: bool) -> None:
        listed = []
        for collection in self.collections or ("",):
            metadata: dict[str, Any] = dict(_SOURCE) if has_source else {}
            if collection:
                metadata["_collection_name"] = collection
            listed.append({"id": identity, "metadata": metadata})
        if form in (RETRIEVED, RERANKED):
            for number, one in enumerate(listed):
                if identity is not None:
                    found[f"{form}.{number}.document.id"] = identity
                found[f"{form}.{number}.document.metadata"] = one["metadata"]
        elif form == EVENTS:
            found[names.RESULT_IDS] = [identity]
            found[names.RESULT_SCORES] = [None]
            found[names.RESULT_METADATA] = [listed[0]["metadata"]]
        else:
            found[form] = listed


def parse(
    row: Sequence[Any], wanted: Wanted, selection: Selection, application: str, forms: Sequence[str]
) -> tuple[int, SpanClass]:
    """Read a class from the row of ``Day.classes``. ``forms`` are those that the bits of a class mean."""
    said = dict(zip(DESCRIBED, row[1:], strict=True))
    words = frozenset(wanted.words)
    kept = said["named"]
    texts = dict(zip((one for one in kept if one in words), said["words"], strict=True))
    attributes = selection.pick(decoded(texts))
    if span_names.ANSWER_ID in kept:
        # Each answer has another one; that there is one is enough.
        attributes[span_names.ANSWER_ID] = ""
    members = {
        name: json.loads(raw) for name, _, raw in (one.partition("\n") for one in said["metadata_values"])
    }
    attributes |= selection.pick({names.METADATA[0]: members} if members else {})
    resource = {names.SERVICE[0]: said["service"], names.SERVICE_VERSION[0]: said["version"]}
    if application not in resource:
        resource[application] = said["application"]
    valid: Mapping[int, int] = dict(enumerate(said["valid"]))
    numbers = []
    for place, name in enumerate(said["number_names"]):
        attribute, _, member = name.partition("\n")
        numbers.append((attribute, member or None, bool(valid.get(place, 1))))
    return int(row[0]), SpanClass(
        name=said["name"],
        scope=said["scope"],
        error=said["error"] or None,
        weight=weight_of(f"ot=th:{said['sampling']}") if said["sampling"] else 1.0,
        service=said["service"],
        resource=selection.pick(decoded(resource)),
        attributes=attributes,
        numbers=tuple(numbers),
        forms=tuple(form for place, form in enumerate(forms) if said["has_documents"] >> place & 1),
        collections=tuple(said["collections"]),
    )
