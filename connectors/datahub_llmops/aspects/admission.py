"""Decides which typed aspects and fields a run writes, by the option ``custom_aspects: auto | on | off``.

A server without the model plugin rejects an unknown aspect together with the whole batch, so ``auto`` asks the server
first. The server's ``/config`` has only the version of the plugin; a table in this package maps it to the aspects.
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
"""Where a run writes: to a local catalog, a DataHub server, or a file. ``export`` writes to a file."""
State: TypeAlias = Literal["none", "older", "same", "newer", "failed"]
FieldPaths: TypeAlias = Mapping[str, frozenset[str]]
"""Maps an aspect to its field paths. A field of a nested record has a dotted path, such as ``vectors.dimension``."""

_HELP: Final = "see docs/install-on-server.md for how to install it"

AspectT = TypeVar("AspectT", bound=LlmopsAspect)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """The model plugin of a server. ``version`` is the active version, or the failed one if none is active."""

    state: State
    version: str | None = None
    reason: str | None = None
    """First line of the server's reason for a failure. An active version and a failed one can exist side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The typed aspects and fields that a run writes, and a sentence about them for the report."""

    fields: FieldPaths
    message: str
    warning: bool = False
    """Whether the user should act on the message."""

    @property
    def enabled(self) -> bool:
        """Whether the run writes typed aspects at all."""
        return bool(self.fields)

    def cut(self, aspect: AspectT) -> AspectT | None:
        """Return the aspect with only the fields that the run writes, or ``None`` if it does not write the aspect."""
        known = self.fields.get(aspect.ASPECT_NAME)
        return None if known is None else _cut_aspect(aspect, known)


def released_fields() -> Mapping[str, FieldPaths]:
    """Map every released version of the model plugin to its aspects and their fields."""
    versions: Mapping[str, Mapping[str, list[str]]] = package_data()["versions"]
    return {
        version: {aspect: frozenset(paths) for aspect, paths in aspects.items()}
        for version, aspects in versions.items()
    }


def plugin_state(config: Mapping[str, Any], ours: str = SCHEMAS_VERSION) -> PluginState:
    """Read the state of the plugin from the body of a server's ``/config``. The highest loaded version is active."""
    models = config.get("models")
    versions = models.get(REGISTRY) if isinstance(models, dict) else None
    if not isinstance(versions, dict) or not versions:
        return PluginState(state="none")
    results = {version: result for version, result in versions.items() if isinstance(result, dict)}
    loaded = sorted((v for v in results if results[v].get("loadResult") == "SUCCESS"), key=version_key)
    failed = sorted((v for v in results if results[v].get("loadResult") != "SUCCESS"), key=version_key)
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
    """Decide which typed aspects one run writes.

    Args:
        mode: the option ``custom_aspects``.
        target: where the run writes.
        config: body of the server's ``/config``. Only ``auto`` on a server needs it.
        problem: why the server could not be asked.
        ours: version of the schemas in this package.
        versions: fields of the released versions, by default those of this package.
    """
    known = released_fields() if versions is None else versions
    everything = known[ours]
    if mode == "off":
        return Decision(fields={}, message="Typed aspects are off: custom_aspects is off.")
    if mode == "on":
        return Decision(fields=everything, message="Typed aspects are written: custom_aspects is on.")
    if target == "local":
        return Decision(
            fields=everything, message="Typed aspects are written: the local catalog accepts them."
        )
    if target == "file":
        return Decision(
            fields={},
            message="Typed aspects are off for a file: a server without the model plugin would reject whole batches "
            "of it. Set custom_aspects: on to include them.",
        )
    if config is None:
        why = problem or "it was not asked"
        return Decision(
            fields={},
            message=f"Typed aspects are off: it is unknown which model plugin the server has loaded ({why}).",
            warning=True,
        )
    return _decide_for_server(plugin_state(config, ours), known, ours)


def _decide_for_server(plugin: PluginState, known: Mapping[str, FieldPaths], ours: str) -> Decision:
    version = plugin.version
    if plugin.state == "none":
        return Decision(
            fields={}, message=f"Typed aspects are off: the server has no model plugin {REGISTRY}; {_HELP}."
        )
    if plugin.state == "failed" or version is None:
        reason = f": {plugin.reason}" if plugin.reason else ""
        return Decision(
            fields={},
            message=f"Typed aspects are off: the server could not load the model plugin {REGISTRY} {version}{reason}.",
            warning=True,
        )
    if plugin.state == "same":
        return Decision(
            fields=known[ours],
            message=f"Typed aspects are written: the server has loaded {REGISTRY} {version}.",
        )
    if plugin.state == "newer":
        return Decision(
            fields=known[ours],
            message=f"Typed aspects are written as of {ours}: the server has loaded the newer {REGISTRY} {version}.",
        )
    return _decide_for_older(version, known, ours)


def _decide_for_older(version: str, known: Mapping[str, FieldPaths], ours: str) -> Decision:
    below = [name for name in known if version_key(name) <= version_key(version)]
    if not below:
        return Decision(
            fields={},
            message=f"Typed aspects are off: the server has loaded {REGISTRY} {version}, whose fields are unknown. "
            f"Install {ours} (datahub-llmops models install).",
            warning=True,
        )
    return Decision(
        fields=known[max(below, key=version_key)],
        message=f"Typed aspects are written with the fields of {REGISTRY} {version}, which the server has loaded. "
        f"Install {ours} for all fields (datahub-llmops models install).",
        warning=True,
    )


def _cut_aspect(aspect: AspectT, known: frozenset[str]) -> AspectT:
    return type(aspect)._construct(_cut_values(aspect._inner_dict, known, ""))


def _cut_values(values: Mapping[str, Any], known: frozenset[str], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path not in known:
            continue
        if isinstance(value, LlmopsRecord):
            kept[name] = _cut_record(value, known, path)
        elif isinstance(value, list):
            kept[name] = [
                _cut_record(item, known, path) if isinstance(item, LlmopsRecord) else item for item in value
            ]
        else:
            kept[name] = value
    return kept


def _cut_record(record: LlmopsRecord, known: frozenset[str], path: str) -> LlmopsRecord:
    return type(record)._construct(_cut_values(record._inner_dict, known, f"{path}."))


class AspectGate:
    """Admits the aspects that the decision and the server allow.

    The first aspect of each kind is sent alone, before any batch contains one. If the server rejects it, the run loses
    that aspect, but not the assets in the same batch.
    """

    def __init__(
        self,
        decision: Decision,
        *,
        send: Callable[[str, LlmopsAspect], None] | None = None,
        report_rejection: Callable[[str, str], None] | None = None,
    ) -> None:
        """
        Args:
            decision: which aspects and fields the run writes.
            send: writes one aspect to the server, and raises ``CatalogError`` if the server rejects it
                (``Gms.write``). ``None`` if nothing can reject an aspect.
            report_rejection: called once for each rejected aspect, with its name and the server's reason.
        """
        self._decision = decision
        self._send = send
        self._report_rejection = report_rejection
        self._accepted: dict[str, bool] = {}

    def admit(self, urn: str, aspect: AspectT) -> AspectT | None:
        """Return the part of the aspect that may be written, or ``None``.

        Raises:
            AspectValueError: the aspect is not valid.
        """
        cut = self._decision.cut(aspect)
        if cut is None:
            return None
        cut.check()
        return cut if self._is_accepted(urn, cut) else None

    def _is_accepted(self, urn: str, aspect: LlmopsAspect) -> bool:
        if self._send is None:
            return True
        name = aspect.ASPECT_NAME
        if name not in self._accepted:
            try:
                self._send(urn, aspect)
                self._accepted[name] = True
            except CatalogError as error:
                self._accepted[name] = False
                if self._report_rejection is not None:
                    self._report_rejection(name, str(error))
        return self._accepted[name]
