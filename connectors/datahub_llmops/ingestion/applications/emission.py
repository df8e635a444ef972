"""Emits applications with their answer logs, retrievers and prompts: lineage, usage and components."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from datahub.metadata.urns import DatasetUrn

from datahub_llmops import urns
from datahub_llmops.assets.templates import PROMPT_PREFIX
from datahub_llmops.assets.usage import Totals
from datahub_llmops.catalog.protocol import FullCatalog
from datahub_llmops.ingestion.applications.rollup import Application, Rollup, prompts_drawn
from datahub_llmops.ingestion.applications.served import ServedChange
from datahub_llmops.ingestion.emitter import Emission, RunEmitter, emit
from datahub_llmops.ingestion.prompt_originals import PromptOriginals
from datahub_llmops.mapping import application_aspects, observed_edges, served_models
from datahub_llmops.mapping import applications as mapping
from datahub_llmops.mapping.edge_properties import found_by
from datahub_llmops.mapping.observed_edges import BY_HOOKS, Sight
from datahub_llmops.mapping.prompt_copies import copy_proposals

Guard: TypeAlias = Callable[[str, Iterable[Emission]], Iterator[Emission]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who saw what is emitted: the hooks on their hosts, or a tool."""

    counts_as: Literal["host", "source"] | None = "host"
    """Name of the partition of usage; ``None``: the roll-up has ``host=<host>`` or ``source=<tool>`` at that place."""
    sight: Sight = BY_HOOKS
    registry: str | None = None
    """The tool's platform; its own prompts are described by another part of the same run."""


HOOKS: Final = Witness()


class Applications:
    """Emits the applications of one roll-up."""

    def __init__(
        self,
        *,
        env: str,
        currency: str,
        emitter: RunEmitter,
        catalog: FullCatalog | None,
        guard: Guard,
        now: float,
        witness: Witness = HOOKS,
        served: Sequence[ServedChange] = (),
    ) -> None:
        """
        Args:
            env: environment of the applications.
            currency: that of every cost.
            emitter: what the run emits with.
            catalog: where the schemas of indexes, and templates that prompts are copies of, are looked up.
            guard: passes on what one asset emits, so that one that fails stops no other.
            now: the time in seconds since the epoch.
            witness: who saw all of it.
            served: changes of the models that served, oldest first.
        """
        self._env = env
        self._currency = currency
        self._emitter = emitter
        self._catalog = catalog
        self._originals = PromptOriginals(catalog=catalog)
        self._guard = guard
        self._now = now
        self._witness = witness
        self._served = served
        self._query_models: Mapping[str, Mapping[tuple[str, str], float]] = {}

    def emissions(self, found: Rollup) -> Iterator[Emission]:
        """Yield everything except the models, which embedding jobs may use as well. One that fails stops no other."""
        self._query_models = found.query_models
        logs = {application.log for application in found.applications.values()}
        drawn: set[str] = set()
        unnamed: set[str] = set()
        for application in found.applications.values():
            yield from self._guard(f"application {application.name}", self._application(application))
            drawn.update(prompts_drawn(application))
            unnamed.update(application.unnamed_prompts)
        for change in self._served:
            if change.application in found.applications:
                yield from self._guard(
                    change.asked, self._change(found.applications[change.application], change)
                )
        for (urn, day, host), total in sorted(found.usage.items()):
            # A template that is rendered before it is one has a new digest each time.
            if urn in drawn or urn not in unnamed:
                yield from self._guard(urn, self._dataset_usage(urn, day, host, total, own=urn not in logs))
        for (name, day, host), total in sorted(found.whole.items()):
            job = found.applications[name].job
            yield from self._guard(job, self._usage(job, day, host, total))
        for (name, version, day, host), total in sorted(found.versions.items()):
            application = found.applications[name]
            yield from self._guard(application.job, self._day(application, version, day, host, total))

    def _change(self, application: Application, change: ServedChange) -> Iterator[Emission]:
        told = (change.asked, change.part, change.before, change.now)
        proposal = served_models.change_proposal(
            application.log, *told, seen_before=change.seen_before, on=change.day
        )
        yield Emission(proposal, primary=False)
        serving = change.now if change.part == "model" else ()
        for model in serving:
            if model in application.models:
                key, text = served_models.change_property(*told, on=change.day)
                self._emitter.add_model_fact(model, key, text)

    def _dataset_usage(
        self, urn: str, day: int, host: str, total: Totals, *, own: bool
    ) -> Iterator[Emission]:
        counted_by = self._counted_by(host)
        yield Emission(mapping.usage_proposal(urn, day, counted_by, round(total.calls)), primary=False)
        if own:  # The usage of an answer log is counted at its application.
            yield from self._usage(urn, day, host, total)

    def model_usage(self, found: Rollup) -> Iterator[Emission]:
        """Yield the usage of models. The models themselves have to be written before."""
        for (name, day, host), total in sorted(found.models.items()):
            urn = urns.model(name, env=self._env)
            yield from self._guard(urn, self._usage(urn, day, host, total))

    def _usage(
        self, urn: str, day: int, host: str, total: Totals, dimension: tuple[str, str] | None = None
    ) -> Iterator[Emission]:
        aspect = application_aspects.usage_aspect(
            day, self._counted_by(host), total, currency=self._currency, dimension=dimension
        )
        yield from self._emitter.emit_typed(urn, [aspect])

    def _counted_by(self, host: str) -> str:
        return "=".join(self._partition(host))

    def _partition(self, host: str) -> tuple[str, str]:
        if self._witness.counts_as is not None:
            return self._witness.counts_as, host
        kind, _, name = host.partition("=")
        return kind, name

    def _day(
        self, application: Application, version: str, day: int, host: str, total: Totals
    ) -> Iterator[Emission]:
        job = application.job
        if version:
            yield from self._usage(job, day, host, total, ("version", version))
        milliseconds = total.milliseconds
        counts = {
            "answers": total.calls,
            "errors": total.errors,
            **{f"tokens_{mapping.TOKEN_WORDS[kind]}": number for kind, number in total.tokens.items()},
            "mean_milliseconds": milliseconds / total.calls if milliseconds is not None else None,
        }
        properties = {key: str(round(value)) for key, value in counts.items() if value}
        if total.cost is not None:
            properties |= {"cost": f"{total.cost:.6f}", "currency": self._currency}
        if version:
            properties["version"] = version
        shown = observed_edges.day(day)
        kind, who = self._partition(host)
        yield from emit(
            mapping.instance_proposals(
                day_key(job, version, shown, who, kind),
                f"{application.name} {version} {shown}".replace("  ", " "),
                job,
                started=total.first,
                ended=total.last,
                properties={**properties, kind: who},
                inputs=(),
                outputs=(application.log,),
                failed=bool(total.calls) and total.errors == total.calls,
                seen_by=self._witness.registry or ("hooks" if kind == "host" else who),
            ),
            primary=False,
        )

    def _application(self, application: Application) -> Iterator[Emission]:
        name, platform, job, log = application.name, application.platform, application.job, application.log
        yield from self._emitter.emit_platform(platform)
        url = application.definition or self._emitter.read_aspect(job, "dataJobInfo").get("externalUrl")
        changes = served_models.kept_properties(self._emitter.read_aspect(job, "dataJobInfo"))
        for one in self._served:
            if one.application == name:
                changes |= [served_models.change_property(one.asked, one.part, one.before, one.now, one.day)]
        yield from self._emitter.emit_new(
            mapping.application_proposals(name, platform, self._env, url, changes)
        )
        answer = urns.schema_field(log, mapping.ANSWER_FIELD)
        into_answer: list[str] = []
        upstream = {
            retriever: self._emitter.read_aspect(retriever, "upstreamLineage")
            for retriever in application.retrievers
        }
        used = {
            retriever: frozenset(
                observed_edges.in_use(
                    application.indexes_of.get(retriever, {}),
                    lineage.get("upstreams"),
                    "dataset",
                    self._now,
                    self._witness.sight,
                )
            )
            for retriever, lineage in upstream.items()
        }
        described = {
            retriever: self._emitter.read_aspect(retriever, "datasetProperties")
            for retriever in application.retrievers
        }
        # Who sees less of a retriever than another witness did leaves what that one said.
        classes = {
            retriever: mapping.fuller(_class(application, retriever), described[retriever], "class")
            for retriever in application.retrievers
        }
        names = mapping.retriever_names(
            {
                urn: (_short(application, urn), classes[urn], indexes, described[urn].get("name"))
                for urn, indexes in used.items()
            }
        )
        for retriever in application.retrievers:
            returned = yield from self._retriever(
                application,
                retriever,
                names[retriever],
                classes[retriever],
                described[retriever],
                upstream[retriever],
                used[retriever],
            )
            into_answer += (urns.schema_field(retriever, path) for path in sorted(returned))
        prompts = prompts_drawn(application)
        for prompt in prompts:
            yield from self._prompt(application, prompt, prompts[prompt])
        yield from self._emitter.emit_missing_datasets(application.sources)
        inputs = {**application.sources, **application.retrievers, **prompts}
        present = self._emitter.read_aspect(job, "dataJobInputOutput")
        outputs = {log: application.last}
        columns = {answer: into_answer} if into_answer else {}
        yield from emit(
            observed_edges.job_edges(
                job,
                inputs,
                outputs,
                present,
                self._now,
                columns,
                sight=self._witness.sight,
                sources=application.sources,
                ways=application.ways.get(job),
            ),
            primary=False,
        )
        for model in application.models:
            self._emitter.add_model_user(model, job)
        edges = [edge for edge in present.get("inputDatasetEdges") or () if "payload" not in found_by(edge)]
        seen = {**application.retrievers, **prompts}
        parts = observed_edges.in_use(seen, edges, "destinationUrn", self._now, self._witness.sight)
        yield from self._application_info(application, job, parts, names)

    def _retriever(
        self,
        application: Application,
        retriever: str,
        name: str,
        kind: str | None,
        described: Mapping[str, Any],
        present: Mapping[str, Any],
        used: frozenset[str],
    ) -> Generator[Emission, None, Mapping[str, str]]:
        """Emit a retriever, and return the fields that it returns, with their types.

        ``kind`` is its class. ``described`` and ``present`` are its ``datasetProperties`` and ``upstreamLineage`` in
        the catalog, and ``used`` are the indexes that it reads.
        """
        own = DatasetUrn.from_string(retriever)
        platform = own.get_data_platform_urn().platform_name
        indexes = application.indexes_of.get(retriever, {})
        fields = {index: self._returned(index) for index in sorted(used)}
        returned = {path: native for index in fields for path, native in fields[index].items()}
        model = newest_model(self._query_models, used)
        # Hooks see which model embeds a query. Others may not, so what hooks have said stays.
        unseen = self._witness.counts_as != "host" and not any(map(self._query_models.get, used))
        if model is not None or unseen:
            model = mapping.fuller(model, described, mapping.QUERY_MODEL)
        yield from self._emitter.emit_platform(platform)
        yield from self._emitter.emit_new(
            mapping.retriever_proposals(
                retriever,
                name,
                platform,
                returned,
                kind=kind,
                model=model,
            )
        )
        yield from self._emitter.emit_missing_datasets(indexes)
        columns = {
            urns.schema_field(retriever, path): [
                urns.schema_field(index, path) for index in indexes if path in fields.get(index, {})
            ]
            for path in returned
        }
        yield from emit(
            observed_edges.upstream_edges(
                retriever,
                indexes,
                present,
                self._now,
                columns,
                sight=self._witness.sight,
                ways=application.ways.get(retriever),
            ),
            primary=False,
        )
        newest = application.facts[retriever]
        yield from self._emitter.emit_typed(
            retriever,
            [
                application_aspects.retriever_aspect(
                    newest.raw,
                    framework=platform,
                    version=application.framework_versions.get(platform),
                    indexes=used,
                    present=self._emitter.read_aspect(retriever, "retrieverInfo"),
                )
            ],
        )
        return returned

    def _returned(self, index: str) -> Mapping[str, str]:
        found = self._catalog.schemas(index).get(index) if self._catalog is not None else None
        return mapping.returned_fields(found or {})

    def _prompt(self, application: Application, prompt: str, last: float) -> Iterator[Emission]:
        own = DatasetUrn.from_string(prompt)
        platform = own.get_data_platform_urn().platform_name
        if platform == self._witness.registry:
            yield from self._emitter.emit_missing_datasets([prompt])
            return
        unnamed = prompt in application.unnamed_prompts
        if unnamed or platform == urns.UNKNOWN_PLATFORM or self._is_undescribed(prompt):
            # No recipe of a registry catalogs these, or none has run yet.
            name = own.name.rpartition(".")[2] if unnamed else own.name
            yield from self._emitter.emit_platform(platform)
            variables = mapping.prompt_fields(application.facts[prompt].raw.get("variables"))
            yield from self._emitter.emit_new(
                mapping.dataset_proposals(prompt, name, mapping.PROMPT, variables, platform)
            )
        else:
            yield from self._emitter.emit_missing_datasets([prompt])
        known = self._emitter.read_aspect(prompt, "promptInfo")
        aspect = application_aspects.prompt_aspect(prompt, application.facts[prompt].raw, known)
        if aspect is not None:
            yield from self._emitter.emit_typed(prompt, [aspect])
        if unnamed:
            yield from self._copy(prompt, application.facts[prompt].raw.get("digest"), last)

    def _copy(self, prompt: str, digest: object, last: float) -> Iterator[Emission]:
        found = self._originals.of(digest)
        if found.newest:
            seen = datetime.fromtimestamp(last, UTC).date()
            present = self._emitter.read_aspect(prompt, "upstreamLineage")
            copies = copy_proposals(prompt, found.newest, seen, present, outdated=found.older)
            yield from emit(copies, primary=False)

    def _is_undescribed(self, prompt: str) -> bool:
        return self._catalog is not None and not self._emitter.read_aspect(prompt, "schemaMetadata")

    def _application_info(
        self, application: Application, job: str, inputs: Iterable[str], names: Mapping[str, str]
    ) -> Iterator[Emission]:
        prefix = f"{application.name}."
        parts = {urn: DatasetUrn.from_string(urn).name for urn in inputs}
        own = {
            urn: names.get(urn) or self._emitter.read_aspect(urn, "datasetProperties").get("name", name)
            for urn, name in parts.items()
            if name.startswith(prefix) and not name.startswith(f"{prefix}{PROMPT_PREFIX}")
        }
        # Which models an application calls is not among its edges: what was known of it stays.
        present = self._emitter.read_aspect(job, "llmApplicationInfo")
        models = present.get("models")
        newest = application.itself
        yield from self._emitter.emit_typed(
            job,
            [
                application_aspects.application_aspect(
                    framework=application.framework,
                    framework_versions=application.framework_versions,
                    version=newest.raw.get("version") if newest else None,
                    prompts=[name.removeprefix(prefix) for urn, name in parts.items() if urn not in own],
                    retrievers=own.values(),
                    models=[*application.models, *(models.split(", ") if models else ())],
                    present=present,
                )
            ],
        )


def day_key(job: str, version: str, day: str, host: str, counts_as: str = "host") -> dict[str, str]:
    """Return what identifies a day of one version of an application, as one host or tool counted it."""
    return {"application": job, "version": version, "day": day, counts_as: host}


def _class(application: Application, retriever: str) -> str | None:
    found = application.facts[retriever].raw.get("class")
    return found if isinstance(found, str) else None


def _short(application: Application, dataset: str) -> str:
    return DatasetUrn.from_string(dataset).name.removeprefix(f"{application.name}.")


def newest_model(
    queried: Mapping[str, Mapping[tuple[str, str], float]], indexes: Iterable[str]
) -> str | None:
    """Return the model of the newest query of these indexes; ``None`` if it was not seen, or is not one for all.

    ``queried`` has the time of the last query by index, model and host. An earlier model is over: the index may have
    been embedded anew since.
    """
    newest = {
        max(queried[index].items(), key=lambda one: (one[1], one[0]))[0][0]
        for index in indexes
        if queried.get(index)
    }
    return newest.pop() if len(newest) == 1 else None
