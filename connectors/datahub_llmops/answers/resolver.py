"""Resolves what an application saw (raw identities) to URNs, with the options of the recipe.

The hooks store platform, host or path, tenant, database and collection. Which platform instance and environment that is
says the recipe, else the catalog: one asset of that name is the one that is meant, several are reported and none is
taken. A name that no asset has may be an alias that the catalog knows: what it stands for there is meant, by the same
rule. A corrected map can be replayed over everything that is stored.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datahub.configuration.common import ConfigModel
from datahub.configuration.source_common import EnvConfigMixin
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urns.error import InvalidUrnError
from pydantic import Field

from datahub_llmops import urns
from datahub_llmops.answer_store.recorded import RecordedWrites
from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import Name
from datahub_llmops.assets.index_identity import IN_MEMORY, asset_name, catalog_platform
from datahub_llmops.assets.usage import model_name
from datahub_llmops.catalog.protocol import Catalog
from datahub_llmops.catalog.valid_config import valid_config
from datahub_llmops.errors import RecipeError
from datahub_llmops.ingestion.recipe_file import Regex, read_config
from datahub_llmops.lineage.addresses import dataset_urn
from datahub_llmops.lineage.provenance import RuleConfig


class InstanceConfig(ConfigModel):
    """One rule of `instances`: which stores it matches, and where the catalog has them."""

    platform: str = Field(description="Platform of the store, for example `chroma`.")
    at: Regex = Field(
        default=".*",
        description="Regular expression over the whole host with port, or path, for example `chroma\\.eu:8000`.",
    )
    tenant: Regex = Field(default=".*", description="Regular expression over the tenant, for example `acme`.")
    platform_instance: str | None = Field(
        default=None, description="Platform instance of the store's own recipe, for example `eu`."
    )
    env: str = Field(default="PROD", description="Environment of the store's own recipe, for example `DEV`.")
    lowercase: bool = Field(
        default=False,
        description="Whether the store's own recipe writes names in lower case, for example `true`.",
    )
    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="Other names that applications use for collections, if the catalog does not know them, for example "
        "`{docs: docs_v2}`.",
    )

    def fits(self, raw: Mapping[str, Any], platform: str) -> bool:
        """Return whether the rule matches a raw identity."""
        where = str(raw.get("host") or raw.get("path") or "")
        return (
            self.platform in (platform, raw.get("platform"))
            and re.fullmatch(self.at, where) is not None
            and re.fullmatch(self.tenant, str(raw.get("tenant") or "")) is not None
        )

    def named(self, name: Name) -> Name:
        """Return the collection's own name for the name that an application used, if the rule maps it."""
        return (*name[:-1], self.aliases.get(name[-1], name[-1]))


class MapConfig(EnvConfigMixin):
    """The options of a recipe that resolve raw identities."""

    instances: list[InstanceConfig] = Field(
        default_factory=list,
        description="Which platform instance and environment a store belongs to, first match wins. Without a match the "
        "catalog is asked. For example `[{platform: chroma, at: 'chroma\\.eu:8000', platform_instance: "
        "eu}]`.",
    )
    source_rules: list[RuleConfig] = Field(
        default_factory=list,
        description="Rules that turn the sources of chunks into dataset URNs, before the built-in ones, for example "
        "`[{match: 'kb/(?P<t>.+)', urn: 'urn:li:dataset:(urn:li:dataPlatform:postgres,kb.{t},PROD)'}]`.",
    )

    @classmethod
    def read(cls, path: Path | None, env: str | None = None) -> MapConfig:
        """Read the options from a recipe of ``llm-runs``, or use the defaults. ``env`` overrides the one of the recipe.

        Raises:
            RecipeError: it cannot be read, or is one of another source of ours.
        """
        found, kind = read_config(path) if path is not None else ({}, None)
        if kind and kind.startswith("llm-") and kind not in ("llm-runs", "llm-spans"):
            raise RecipeError(f"{path} is a recipe of {kind}: name one of llm-runs or of llm-spans")
        found = {name: found[name] for name in cls.model_fields if name in found}
        given = {**found, **({"env": env} if env is not None else {})}
        return valid_config(cls, given, of=str(path or "env"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """An index whose name or alias matches several assets. A rule of ``instances`` has to choose one."""

    shown: str
    candidates: tuple[str, ...]


class Resolver:
    """Resolves raw identities to URNs, and caches the results."""

    def __init__(
        self,
        rules: Sequence[InstanceConfig],
        *,
        env: str,
        catalog: Catalog | None = None,
        ambiguous: Callable[[Ambiguous], None] = lambda _: None,
    ) -> None:
        self._rules = rules
        self._env = env
        self._catalog = catalog
        self._ambiguous = ambiguous
        self._known: dict[str, str | None] = {}
        self._aliases: dict[str, Mapping[str, Sequence[str]]] = {}

    def index(self, raw: Mapping[str, Any] | None) -> str | None:
        """Return the URN of an index, or ``None`` if its identity matches no asset or several.

        Raises:
            CatalogError: the catalog cannot answer.
        """
        if not raw:
            return None
        key = repr(sorted((name, value) for name, value in raw.items() if name != "class"))
        if key not in self._known:
            try:
                self._known[key] = self._index(raw)
            except InvalidUrnError:
                self._known[key] = None
        return self._known[key]

    def _index(self, raw: Mapping[str, Any]) -> str | None:
        given = raw.get("urn")
        if isinstance(given, str):
            return given if is_dataset(given) else None
        platform, name = catalog_platform(raw), asset_name(raw)
        if platform is None or name is None or raw.get("path") == IN_MEMORY:
            return None
        rule = next((rule for rule in self._rules if rule.fits(raw, platform)), None)
        if rule is None:
            deployment, own = urns.Deployment(platform=platform, env=self._env), name
        else:
            deployment = urns.Deployment(platform=platform, env=rule.env, instance=rule.platform_instance)
            name = rule.named(name)
            own = tuple(part.lower() for part in name) if rule.lowercase else name
        default = urns.collection(deployment, own)
        if self._catalog is None:
            return default
        found = _of_name(self._catalog, platform, ".".join(own)) if rule is None else [default]
        meant = (
            [urn for urn in found if _described(self._catalog, urn)]
            or self._of_alias(self._catalog, name[-1], ".".join(own[:-1]), deployment, anywhere=rule is None)
            or found
        )
        if len(meant) > 1:
            self._ambiguous(Ambiguous(shown=f"{platform}:{'.'.join(name)}", candidates=tuple(sorted(meant))))
            return None
        return meant[0] if meant else default

    def _of_alias(
        self, catalog: Catalog, alias: str, above: str, deployment: urns.Deployment, *, anywhere: bool
    ) -> list[str]:
        """Find what an alias stands for in the catalog, below ``above``: in ``deployment``, or ``anywhere``."""
        if not platforms.find(deployment.platform).has_aliases:
            return []  # So that the catalog is not asked for all datasets of a platform in vain.
        if deployment.platform not in self._aliases:
            self._aliases[deployment.platform] = catalog.aliases(deployment.platform)
        return [
            urn
            for urn in self._aliases[deployment.platform].get(alias, ())
            if is_dataset(urn)
            and _ends_in(DatasetUrn.from_string(urn).name.rpartition(".")[0], above)
            and (anywhere or _lies_in(catalog, urn, deployment))
        ]

    def prompt(self, raw: Mapping[str, Any], application: str, platform: str) -> str | None:
        """Return the URN of a prompt version. Without a name it has the first twelve characters of the digest."""
        given = raw.get("urn")
        if isinstance(given, str):
            return given if is_dataset(given) else None
        registry, name, version = (raw.get(key) for key in ("registry", "name", "version"))
        digest = raw.get("digest")
        with contextlib.suppress(InvalidUrnError):
            if registry and name and version:
                return urns.prompt_version(str(registry), str(name), str(version), env=self._env)
            if digest:
                return urns.prompt(platform, application, str(digest), env=self._env)
        return None

    def retriever(self, raw: Mapping[str, Any], application: str, framework: str) -> str | None:
        """Return the URN of an application's retriever, by its name or its class.

        The ``framework`` is that of the answer, unless the retriever is known to be of the other one.
        """
        framework = str(raw.get("framework") or framework)
        name = str(raw.get("name") or str(raw.get("class", "retriever")).rpartition(".")[2])
        with contextlib.suppress(InvalidUrnError):
            return urns.retriever(framework, application, name, env=self._env)
        return None

    def model(self, raw: Mapping[str, Any] | None) -> str | None:
        """Return the URN of a model that has a name."""
        name = model_name(raw)
        with contextlib.suppress(InvalidUrnError):
            return None if name is None else urns.model(name, env=self._env)
        return None


def job_of(run: RecordedWrites) -> tuple[str, str, str]:
    """Return orchestrator, flow and job of a run. Framework, application and index replace missing names."""
    job = run.job or f"index {run.index.get('collection', 'documents')}"
    return run.orchestrator or run.framework, run.flow or run.application, job


def shown(raw: Mapping[str, Any] | None) -> str:
    """Describe an index that could not be resolved."""
    if not raw:
        return "unknown"
    where = raw.get("host") or raw.get("path")
    keys = ("platform", "database", "schema", "collection", "partition")
    parts = [str(raw[key]) for key in keys if raw.get(key)]
    text = ".".join(parts) or str(raw.get("urn") or raw.get("class") or "unknown")
    return f"{text} at {where}" if where else text


def _ends_in(dotted: str, name: str) -> bool:
    """Return whether a dataset has this name, with or without a platform instance before it."""
    return not name or dotted == name or dotted.endswith(f".{name}")


def _of_name(catalog: Catalog, platform: str, name: str) -> list[str]:
    found = catalog.candidates(f"{platform}:{name}")
    return [urn for urn in found if is_dataset(urn) and _ends_in(DatasetUrn.from_string(urn).name, name)]


def _described(catalog: Catalog, urn: str) -> bool:
    """Return whether a source described the dataset. ``llm-runs`` itself writes only a key and usage of an index."""
    found = catalog.aspects(urn, ("status", "datasetProperties", "schemaMetadata", "subTypes"))
    return bool(found.keys() - {"status"}) and not found.get("status", {}).get("removed")


def _lies_in(catalog: Catalog, urn: str, deployment: urns.Deployment) -> bool:
    instance = (
        urns.platform_instance(deployment.platform, deployment.instance) if deployment.instance else None
    )
    said = catalog.aspects(urn, ("dataPlatformInstance",)).get("dataPlatformInstance", {}).get("instance")
    return said == instance and DatasetUrn.from_string(urn).env == deployment.env


def is_dataset(urn: str) -> bool:
    """Return whether ``urn`` is the URN of a dataset."""
    return dataset_urn(urn) is not None
