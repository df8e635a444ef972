"""Whether a run writes our aspects, and how much of them: ``custom_aspects: auto | on | off``.

A server without the model plugin refuses an unknown aspect and the whole batch around it, so ``auto`` asks first. What
a server says in ``/config`` is the version of the plugin, not its aspects: those are in a table in this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar

from datahub_llmops.aspects.base import LlmopsAspect, LlmopsRecord
from datahub_llmops.aspects.generated import SCHEMAS_VERSION
from datahub_llmops.aspects.manifest import REGISTRY, package_data, version_key
from datahub_llmops.errors import CatalogError

Mode: TypeAlias = Literal["auto", "on", "off"]
Target: TypeAlias = Literal["local", "server", "file"]
"""Where a run writes: a local catalog, a DataHub server, or a file, ``export`` included."""
State: TypeAlias = Literal["none", "older", "same", "newer", "failed"]
FieldPaths: TypeAlias = Mapping[str, frozenset[str]]
"""Aspect -> its field paths; fields of records inside are dotted: ``vectors.dimension``."""

_HELP: Final = "docs/install-on-server.md says how to install the model plugin"

AspectT = TypeVar("AspectT", bound=LlmopsAspect)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """What a server says of the plugin. ``version`` is the one in force, the failed one when none is."""

    state: State
    version: str | None = None
    reason: str | None = None
    """First line of what the server says of the failure; it may be set beside a version in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a run writes of our aspects, and the sentence about it for the report."""

    fields: FieldPaths
    message: str
    warning: bool = False
    """The user should do something about it."""

    @property
    def enabled(self) -> bool:
        return bool(self.fields)

    def cut(self, aspect: AspectT) -> AspectT | None:
        """The aspect with the fields that are written, ``None`` when it is not written at all."""
        known = self.fields.get(aspect.ASPECT_NAME)
        return None if known is None else _cut(aspect, known)


def table() -> Mapping[str, FieldPaths]:
    """Plugin version -> aspect -> field paths, of every version that was released."""
    versions: Mapping[str, Mapping[str, list[str]]] = package_data()["versions"]
    return {
        version: {aspect: frozenset(paths) for aspect, paths in aspects.items()}
        for version, aspects in versions.items()
    }


def plugin_state(config: Mapping[str, Any], ours: str = SCHEMAS_VERSION) -> PluginState:
    """Read the body of a server's ``/config``. The highest version that loaded is in force."""
    models = config.get("models")
    versions = models.get(REGISTRY) if isinstance(models, dict) else None
    if not isinstance(versions, dict) or not versions:
        return PluginState(state="none")
    results = {version: said for version, said in versions.items() if isinstance(said, dict)}
    loaded = sorted(
        (v for v, said in results.items() if said.get("loadResult") == "SUCCESS"), key=version_key
    )
    failed = sorted(
        (v for v, said in results.items() if said.get("loadResult") != "SUCCESS"), key=version_key
    )
    reason = _first_line(results[failed[-1]].get("failureReason")) if failed else None
    if not loaded:
        return PluginState(state="failed", version=failed[-1] if failed else None, reason=reason)
    version = loaded[-1]
    theirs, own = version_key(version), version_key(ours)
    state: State = "same" if theirs == own else "older" if theirs < own else "newer"
    return PluginState(state=state, version=version, reason=reason)


def _first_line(text: object) -> str | None:
    return text.splitlines()[0][:300] if isinstance(text, str) and text.strip() else None


def decide(
    mode: Mode,
    target: Target,
    *,
    config: Mapping[str, Any] | None = None,
    problem: str | None = None,
    ours: str = SCHEMAS_VERSION,
    versions: Mapping[str, FieldPaths] | None = None,
) -> Decision:
    """Decide for one run.

    Args:
        mode: the option ``custom_aspects``.
        target: where the run writes.
        config: body of the server's ``/config``; wanted for ``auto`` on a server only.
        problem: why the server could not be asked, where it could not.
        ours: version of the schemas in this package.
        versions: the package's table; another one in tests.
    """
    known = table() if versions is None else versions
    everything = known[ours]
    if mode == "off":
        return Decision(fields={}, message="Typed aspects are off: custom_aspects is off.")
    if mode == "on":
        return Decision(fields=everything, message="Typed aspects are written: custom_aspects is on.")
    if target == "local":
        return Decision(fields=everything, message="Typed aspects are written: the local catalog takes them.")
    if target == "file":
        return Decision(
            fields={},
            message="Typed aspects are off for a file: a server without the model plugin would refuse whole batches "
            "of it. custom_aspects: on includes them.",
        )
    if config is None:
        why = problem or "it was not asked"
        return Decision(
            fields={},
            message=f"Typed aspects are off: the server did not say which model plugin it has loaded ({why}).",
            warning=True,
        )
    return _on_server(plugin_state(config, ours), known, ours)


def _on_server(found: PluginState, known: Mapping[str, FieldPaths], ours: str) -> Decision:
    version = found.version
    if found.state == "none":
        return Decision(
            fields={}, message=f"Typed aspects are off: the server has no model plugin {REGISTRY}; {_HELP}."
        )
    if found.state == "failed" or version is None:
        said = f": {found.reason}" if found.reason else ""
        return Decision(
            fields={},
            message=f"Typed aspects are off: the server could not load the model plugin {REGISTRY} {version}{said}.",
            warning=True,
        )
    if found.state == "same":
        return Decision(
            fields=known[ours],
            message=f"Typed aspects are written: the server has loaded {REGISTRY} {version}.",
        )
    if found.state == "newer":
        return Decision(
            fields=known[ours],
            message=f"Typed aspects are written as of {ours}: the server has loaded the newer {REGISTRY} {version}.",
        )
    return _older(version, known, ours)


def _older(version: str, known: Mapping[str, FieldPaths], ours: str) -> Decision:
    below = [name for name in known if version_key(name) <= version_key(version)]
    if not below:
        return Decision(
            fields={},
            message=f"Typed aspects are off: nothing is known of {REGISTRY} {version}, which the server has loaded; "
            f"install {ours} (datahub-llmops models install).",
            warning=True,
        )
    return Decision(
        fields=known[max(below, key=version_key)],
        message=f"Typed aspects are written as far as {REGISTRY} {version}, which the server has loaded, knows them; "
        f"{ours} knows more (datahub-llmops models install).",
        warning=True,
    )


def _cut(aspect: AspectT, known: frozenset[str]) -> AspectT:
    return type(aspect)._construct(_kept(aspect._inner_dict, known, ""))


def _kept(values: Mapping[str, Any], known: frozenset[str], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path not in known:
            continue
        if isinstance(value, LlmopsRecord):
            kept[name] = _kept_record(value, known, path)
        elif isinstance(value, list):
            kept[name] = [
                _kept_record(item, known, path) if isinstance(item, LlmopsRecord) else item for item in value
            ]
        else:
            kept[name] = value
    return kept


def _kept_record(record: LlmopsRecord, known: frozenset[str], path: str) -> LlmopsRecord:
    return type(record)._construct(_kept(record._inner_dict, known, f"{path}."))


class AspectGate:
    """Lets aspects through as far as the decision and the server allow.

    The first of each kind is sent by itself before any batch holds one: a server that refuses it all the same costs
    the run that aspect, not the assets around it.
    """

    def __init__(
        self,
        decision: Decision,
        *,
        send: Callable[[str, LlmopsAspect], None] | None = None,
        refused: Callable[[str, str], None] | None = None,
    ) -> None:
        """
        Args:
            decision: what is written at all.
            send: writes one aspect to the server and raises ``CatalogError`` where that refuses it (``Gms.write``);
                left out where nobody can refuse.
            refused: told the aspect's name and the server's reason, once for each aspect.
        """
        self._decision = decision
        self._send = send
        self._refused = refused
        self._taken: dict[str, bool] = {}

    def admit(self, urn: str, aspect: AspectT) -> AspectT | None:
        """The aspect as it may be written, or ``None``.

        Raises:
            AspectValueError: the aspect is not valid.
        """
        cut = self._decision.cut(aspect)
        if cut is None:
            return None
        cut.check()
        return cut if self._is_taken(urn, cut) else None

    def _is_taken(self, urn: str, aspect: LlmopsAspect) -> bool:
        if self._send is None:
            return True
        name = aspect.ASPECT_NAME
        if name not in self._taken:
            try:
                self._send(urn, aspect)
                self._taken[name] = True
            except CatalogError as error:
                self._taken[name] = False
                if self._refused is not None:
                    self._refused(name, str(error))
        return self._taken[name]
