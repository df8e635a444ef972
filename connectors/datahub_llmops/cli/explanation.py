"""Prints an explanation for ``explain``: one section of lines for each question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from datahub_llmops.answers.explain import Explanation, Origin, PromptUsed
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.cli.render import kind_of
from datahub_llmops.governance.facts import NOT_SOURCES, VIEWS
from datahub_llmops.net.shown import clean, moment
from datahub_llmops.queries.labels import Labels
from datahub_llmops.queries.sentences import not_confirmed

_DIGEST: Final = re.compile("[0-9a-f]{32,}")
_SHOWN_OF_DIGEST: Final = 12
_NO_SOURCES: Final = NOT_SOURCES | VIEWS
_EVIDENCE: Final = {
    "row": "[row]: the chunk has the key of its row",
    "source": "[source]: the chunk names it",
    "index": "[index]: it feeds the index as a whole; nothing closer is known",
}


@dataclass(frozen=True, slots=True)
class Names:
    """Short names for URNs: as the catalog displays them, or of an ambiguous one with platform and whole name."""

    of_urns: dict[str, str]

    @staticmethod
    def of_explanation(found: Explanation, catalog: Catalog | None) -> Names:
        """Look up the names of people, terms, tags and assets at once.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        origins = (*found.indexes, *found.origins)
        assets = {origin.urn: origin.name for origin in origins}
        times = Counter(assets.values())
        names = {urn: name if times[name] == 1 else _whole(urn) for urn, name in assets.items()}
        if catalog is not None:
            labels = Labels(catalog=catalog)
            urns = {urn for origin in origins for urn in (*origin.owners, *origin.terms, *origin.tags)}
            labels.learn(urns)
            names.update((urn, labels.of(urn)) for urn in urns)
        return Names(names)

    def of(self, urn: str) -> str:
        """Return the name of a URN, or a text that is none as it is."""
        return self.of_urns.get(urn) or _whole(urn)


def _whole(urn: str) -> str:
    """Return platform and whole name, in the form in which the command takes them."""
    platform, name = urn_text.platform(urn), urn_text.full_name(urn)
    return f"{platform}:{name}" if platform else name


def explanation_lines(found: Explanation, catalog: Catalog | None) -> Iterator[Text]:
    """Yield the lines of an explanation. ``catalog`` gives the names of people, terms and tags.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    names = Names.of_explanation(found, catalog)
    yield from _headline(found)
    for number, (title, section) in enumerate(_SECTIONS, start=1):
        yield _line(f"{number}. {title}", style="bold")
        lines = list(section(found, names))
        yield from lines or [_line("  not known", style="yellow")]
    for gap in found.gaps:
        yield _line(f"Not known: {gap}", style="yellow")
    if catalog is None:
        yield _line("Name a catalog: datahub-llmops --catalog FILE_OR_URL explain ...", style="dim")


def _headline(found: Explanation) -> Iterator[Text]:
    answer = found.answer
    version = f" {answer.version}" if answer.version else ""
    yield _line(
        f"Answer {answer.id} of {answer.application}{version}, {moment(answer.started)}, {answer.status}"
    )
    if answer.error:
        yield _line(f"  error: {answer.error}", style="red")


def _prompts(found: Explanation, _: Names) -> Iterator[Text]:
    for prompt in found.prompts:
        yield _line(f"  {_prompt(prompt)}{'' if prompt.in_catalog else ' (not in the catalog)'}")


def _prompt(prompt: PromptUsed) -> str:
    return f"{prompt.name} version {prompt.version}" if prompt.version else prompt.name


def _documents(found: Explanation, names: Names) -> Iterator[Text]:
    for document in found.documents:
        score = f" score {document.score:g}" if document.score is not None else ""
        source = names.of(document.source) if document.source else document.source_shown
        key = f" row {document.key}" if source and document.key else ""
        whence = source or document.index_shown or "a retriever"
        evidence = "index not known" if document.rests_on == "none" else document.rests_on
        yield _line(f"  {_shortened(document.chunk)}{score} from {whence}{key} [{evidence}]")
    if found.documents:
        yield from _legend(found)


def _legend(found: Explanation) -> Iterator[Text]:
    """Say what the marks and cut ids mean that this explanation has."""
    rested_on = {document.rests_on for document in found.documents}
    rested_on |= {origin.rests_on for origin in (*found.indexes, *found.origins)}
    for evidence, meaning in _EVIDENCE.items():
        if evidence in rested_on:
            yield _line(f"  {meaning}", style="dim")
    if any(_shortened(document.chunk) != document.chunk for document in found.documents):
        yield _line("  long ids are cut; --json has them whole", style="dim")


def _shortened(chunk: str | None) -> str | None:
    return chunk[:_SHOWN_OF_DIGEST] if chunk and _DIGEST.fullmatch(chunk) else chunk


def _sources(found: Explanation, names: Names) -> Iterator[Text]:
    described = {origin.urn for origin in found.indexes}
    for index in dict.fromkeys(document.index for document in found.documents):
        if index is not None and index not in described:
            yield _line(f"  {names.of(index)}  the index that was searched")
    for origin in (*found.indexes, *found.origins):
        if origin.type == "dataset":
            yield _line(f"  {_headed(origin, names)} [{origin.rests_on}]")
            yield from _owners_and_labels(origin, names)
            for upstream, downstream in origin.column_edges:
                yield _line(f"    {_column(upstream)} → {_column(downstream)}", style="blue")


def _headed(origin: Origin, names: Names) -> str:
    platform = urn_text.platform(origin.urn)
    what = kind_of(origin.subtype, origin.type)
    return f"{names.of(origin.urn)}  {what}{f' · {platform}' if platform else ''}"


def _jobs(found: Explanation, names: Names) -> Iterator[Text]:
    for job in found.writers:
        yield _line(f"  {job.orchestrator}: {job.flow} / {job.job}, run {job.run}, wrote {moment(job.ended)}")
        for source in job.sources:
            yield _line(f"    read {names.of(source)}")
    for origin in found.origins:
        # Runs are in the catalog too, but the lines above say more about them.
        if origin.type not in ("dataset", "dataProcessInstance"):
            yield _line(f"  {_headed(origin, names)}")
            yield from _owners_and_labels(origin, names)
    for edge in found.not_confirmed:
        ends = f"{names.of(edge.upstream)} → {names.of(edge.downstream)}"
        yield _line(f"  {ends} {not_confirmed(edge.since)}", style="red")
    for stale in found.stale:
        yield _line(
            f"  STALE: {names.of(stale.source)} changed after {names.of(stale.index)} was written",
            style="red",
        )

    yield from _unknown_freshness(found, names)


def _unknown_freshness(found: Explanation, names: Names) -> Iterator[Text]:
    """Name the sources of which the catalog does not say when they changed: they may be newer than their index."""
    silent = [
        one
        for one in found.origins
        if one.type == "dataset" and one.modified is None and one.subtype not in _NO_SOURCES
    ]
    if silent and found.indexes:
        shown = ", ".join(dict.fromkeys(names.of(one.urn) for one in silent))
        yield _line(f"  freshness not known: when {shown} changed", style="yellow")


def _models(found: Explanation, _: Names) -> Iterator[Text]:
    for model in found.models:
        asked = f", asked for {model.asked}" if model.asked != model.served else ""
        counts = [
            f"{count:,} tokens {word}"
            for word, count in (("in", model.tokens_in), ("out", model.tokens_out))
            if count is not None
        ]
        tokens = ", ".join(counts) or "tokens not reported"
        prompt = _prompt(found.prompts[model.prompt]) if model.prompt is not None else "not known"
        yield _line(f"  {model.served or 'unknown'}{asked}, prompt {prompt}, {tokens}, {model.status}")


_SECTIONS: Final[tuple[tuple[str, Callable[[Explanation, Names], Iterator[Text]]], ...]] = (
    ("Prompt", _prompts),
    ("Documents", _documents),
    ("Sources", _sources),
    ("Jobs, owners, freshness", _jobs),
    ("Models", _models),
)


def _owners_and_labels(origin: Origin, names: Names) -> Iterator[Text]:
    for word, urns, style in (
        ("owners", origin.owners, "green"),
        ("terms", origin.terms, "yellow"),
        ("tags", origin.tags, "yellow"),
    ):
        if urns:
            yield _line(f"    {word}: {', '.join(map(names.of, urns))}", style=style)


def _column(field_urn: str) -> str:
    return urn_text.simple_path(urn_text.full_name(field_urn))


def _line(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)
