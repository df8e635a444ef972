"""Prints an explanation for ``explain``: one section of lines for each question."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from rich.text import Text

from datahub_llmops.answers.explain import Explanation, Origin, PromptUsed
from datahub_llmops.catalog import urn_text
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.cli.render import Labels
from datahub_llmops.net.shown import clean

NameOf: TypeAlias = Callable[[str], str]
"""The display name behind a URN."""


def explanation_lines(found: Explanation, catalog: Catalog | None) -> Iterator[Text]:
    """Yield the lines of an explanation. ``catalog`` gives the names of people, terms and tags.

    Raises:
        CatalogError: the catalog cannot answer.
    """
    name_of: NameOf = str
    if catalog is not None:
        labels = Labels(catalog)
        origins = (*found.indexes, *found.origins)
        labels.learn(urn for origin in origins for urn in (*origin.owners, *origin.terms, *origin.tags))
        name_of = labels.of
    yield from _headline(found)
    for number, (title, section) in enumerate(_SECTIONS, start=1):
        yield _line(f"{number}. {title}", style="bold")
        lines = list(section(found, name_of))
        yield from lines or [_line("  not known", style="yellow")]
    for gap in found.gaps:
        yield _line(f"Not known: {gap}", style="yellow")


def _headline(found: Explanation) -> Iterator[Text]:
    answer = found.answer
    version = f" {answer.version}" if answer.version else ""
    yield _line(
        f"Answer {answer.id} of {answer.application}{version}, {_moment(answer.started)}, {answer.status}"
    )
    if answer.error:
        yield _line(f"  error: {answer.error}", style="red")


def _prompts(found: Explanation, _: NameOf) -> Iterator[Text]:
    for prompt in found.prompts:
        yield _line(f"  {_prompt(prompt)}{'' if prompt.in_catalog else ' (not in the catalog)'}")


def _prompt(prompt: PromptUsed) -> str:
    return f"{prompt.name} version {prompt.version}" if prompt.version else prompt.name


def _documents(found: Explanation, _: NameOf) -> Iterator[Text]:
    for document in found.documents:
        score = f" score {document.score:g}" if document.score is not None else ""
        source = document.source or document.source_shown
        key = f" row {document.key}" if source and document.key else ""
        whence = source or document.index_shown or "a retriever"
        evidence = "index not known" if document.rests_on == "none" else document.rests_on
        yield _line(f"  {document.chunk}{score} from {whence}{key} [{evidence}]")


def _sources(found: Explanation, name_of: NameOf) -> Iterator[Text]:
    for origin in (*found.indexes, *found.origins):
        if origin.type == "dataset":
            yield _line(f"  {origin.subtype or 'Dataset'} {origin.urn} [{origin.rests_on}]")
            yield from _owners_and_labels(origin, name_of)
            for upstream, downstream in origin.column_edges:
                yield _line(f"    {_column(upstream)} -> {_column(downstream)}", style="blue")


def _jobs(found: Explanation, name_of: NameOf) -> Iterator[Text]:
    for job in found.writers:
        yield _line(
            f"  {job.orchestrator}: {job.flow} / {job.job}, run {job.run}, wrote {_moment(job.ended)}"
        )
        for source in job.sources:
            yield _line(f"    read {source}")
    for origin in found.origins:
        # Runs are in the catalog too, but the lines above say more about them.
        if origin.type not in ("dataset", "dataProcessInstance"):
            yield _line(f"  {origin.subtype or origin.type} {origin.urn}")
            yield from _owners_and_labels(origin, name_of)
    for stale in found.stale:
        yield _line(f"  STALE: {stale.source} changed after {stale.index} was written", style="red")


def _models(found: Explanation, _: NameOf) -> Iterator[Text]:
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


_SECTIONS: Final[tuple[tuple[str, Callable[[Explanation, NameOf], Iterator[Text]]], ...]] = (
    ("Prompt", _prompts),
    ("Documents", _documents),
    ("Sources", _sources),
    ("Jobs, owners, freshness", _jobs),
    ("Models", _models),
)


def _owners_and_labels(origin: Origin, name_of: NameOf) -> Iterator[Text]:
    for word, urns, style in (
        ("owners", origin.owners, "green"),
        ("terms", origin.terms, "yellow"),
        ("tags", origin.tags, "yellow"),
    ):
        if urns:
            yield _line(f"    {word}: {', '.join(map(name_of, urns))}", style=style)


def _column(field_urn: str) -> str:
    return urn_text.simple_path(urn_text.full_name(field_urn))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _line(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)
