"""Applies JSON patches to aspects as a DataHub server does.

Two forms come in. DataHub's generic form names for each array the fields that make up the key of its entries
(``arrayPrimaryKeys``); the plain form leans on a template that the server keeps for the aspect. In both, arrays become
maps by key, the patch is applied, and the maps become arrays again. Missing parents of a path are created, so
adding to an absent array works, and removing an absent entry does nothing. The behaviour is that of
``com.linkedin.metadata.aspect.patch.template`` in DataHub's server.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from datahub_llmops.catalog.local.json_patch import (
    OPERATIONS,
    PatchError,
    apply_operation,
    make_way,
)

_Json: TypeAlias = "dict[str, Any]"

_DEEPEST = 100
"""Levels of a path. No aspect has more than a dozen."""
_SEPARATOR = "\u241f"
_SYSTEM_ACTOR = "urn:li:corpuser:__datahub_system"


@dataclass(frozen=True, slots=True)
class _Array:
    """An array at ``path`` whose entries are identified by ``keys``; without keys it is an array of strings."""

    path: tuple[str, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Template:
    arrays: tuple[_Array, ...] = ()
    default: Callable[[], _Json] = dict
    fine_grained: bool = False
    filled: tuple[str, ...] = field(default=())
    """Arrays that are present after every patch, empty if need be."""


def _stamp() -> _Json:
    return {"actor": _SYSTEM_ACTOR, "time": int(time.time() * 1000)}


def _stamps() -> _Json:
    return {"created": _stamp(), "lastModified": _stamp()}


_EDGE = ("destinationUrn",)
_PROPERTIES = _Template(default=lambda: {"customProperties": {}})
_EDITABLE = _Template(default=lambda: _stamps())
_JOB_EDGES = ("inputDatajobEdges", "inputDatasetEdges", "outputDatasetEdges")
_JOB_FIELDS = ("inputDatasetFields", "outputDatasetFields")

_TEMPLATES: Mapping[str, _Template] = {
    "apiSignature": _Template(
        (_Array(("inputDatasetEdges",), _EDGE), _Array(("outputDatasetEdges",), _EDGE))
    ),
    "applicationProperties": _PROPERTIES,
    "chartInfo": _Template(
        (_Array(("inputEdges",), _EDGE), _Array(("inputs",), ("string",))),
        lambda: {"title": "", "description": "", "lastModified": _stamps(), "inputs": [], "inputEdges": []},
    ),
    "containerProperties": _PROPERTIES,
    "dashboardInfo": _Template(
        (
            _Array(("chartEdges",), _EDGE),
            _Array(("datasetEdges",), _EDGE),
            _Array(("dashboards",), _EDGE),
            _Array(("datasets",)),
            _Array(("charts",)),
        ),
        lambda: {"title": "", "description": "", "lastModified": _stamps(), "customProperties": {}},
    ),
    "dataFlowInfo": _Template(default=lambda: {"name": "", "customProperties": {}}),
    "dataJobInfo": _Template(default=lambda: {"name": "", "type": {"string": ""}, "customProperties": {}}),
    "dataJobInputOutput": _Template(
        (*(_Array((name,), _EDGE) for name in _JOB_EDGES), *(_Array((name,)) for name in _JOB_FIELDS)),
        lambda: {name: [] for name in ("inputDatasets", "outputDatasets", "inputDatajobs")},
        fine_grained=True,
        filled=(*_JOB_EDGES, *_JOB_FIELDS),
    ),
    "dataProcessInstanceInput": _Template(
        (_Array(("inputEdges",), _EDGE), _Array(("inputs",))), lambda: {"inputs": []}
    ),
    "dataProcessInstanceOutput": _Template(
        (_Array(("outputEdges",), _EDGE), _Array(("outputs",))), lambda: {"outputs": []}
    ),
    "dataProductProperties": _Template(
        (_Array(("assets",), _EDGE),), lambda: {"assets": [], "customProperties": {}}
    ),
    "datasetProperties": _Template(default=lambda: {"customProperties": {}, "tags": []}),
    "documentation": _Template((_Array(("documentations",), (f"attribution{_SEPARATOR}source",)),)),
    "domains": _Template((_Array(("domains",)),), lambda: {"domains": []}),
    "editableChartProperties": _EDITABLE,
    "editableContainerProperties": _Template(),
    "editableDashboardProperties": _EDITABLE,
    "editableDataFlowProperties": _EDITABLE,
    "editableDataJobProperties": _EDITABLE,
    "editableDatasetProperties": _EDITABLE,
    "editableMlModelGroupProperties": _Template(),
    "editableMlModelProperties": _Template(),
    "formInfo": _Template(
        (
            _Array(("prompts",), ("id",)),
            _Array(("actors", "users")),
            _Array(("actors", "groups")),
            _Array(("actors", "ownershipTypes")),
        ),
        lambda: {"name": "", "type": "COMPLETION", "prompts": [], "actors": {"owners": True}},
    ),
    "globalTags": _Template((_Array(("tags",), ("tag",)),), lambda: {"tags": []}),
    "glossaryTerms": _Template(
        (_Array(("terms",), ("urn",)),), lambda: {"terms": [], "auditStamp": _stamp()}
    ),
    "institutionalMemory": _Template((_Array(("elements",), ("url",)),), lambda: {"elements": []}),
    "ownership": _Template(
        (_Array(("owners",), ("owner", "type", "typeUrn")),), lambda: {"owners": [], "lastModified": _stamp()}
    ),
    "propertyDefinition": _Template((_Array(("allowedValues",), ("value",)), _Array(("entityTypes",)))),
    "siblings": _Template((_Array(("siblings",)),), lambda: {"siblings": [], "primary": False}),
    "status": _Template(default=lambda: {"removed": False}),
    "structuredProperties": _Template(
        (_Array(("properties",), ("propertyUrn",)),), lambda: {"properties": []}
    ),
    "upstreamLineage": _Template(
        (_Array(("upstreams",), ("dataset",)),), fine_grained=True, filled=("upstreams",)
    ),
    "versionProperties": _Template(),
}
_EDITABLE_SCHEMA = "editableSchemaMetadata"
_OPTIONAL_ARRAYS = frozenset(
    {"inputEdges", "chartEdges", "dashboards", "assets", "allowedValues", "outputEdges"}
)


def is_patchable(aspect_name: str) -> bool:
    """Return whether a plain patch (without ``arrayPrimaryKeys``) can be applied to this aspect."""
    return aspect_name in _TEMPLATES or aspect_name == _EDITABLE_SCHEMA


def apply_patch(aspect_name: str, current: Mapping[str, Any] | None, patch: object) -> dict[str, Any]:
    """Return the aspect after ``patch``. ``current`` stays unchanged, and is ``None`` if the asset has no such aspect.

    ``patch`` is the parsed value of a PATCH proposal: a list of operations, or ``{"arrayPrimaryKeys": ..., "patch":
    ...}``. Whether the result fits its schema is not looked at.

    Raises:
        PatchError: the patch is malformed, the aspect takes no plain patches, or an operation does not apply.
    """
    operations, template = _read(aspect_name, patch)
    node = copy.deepcopy(dict(current)) if current is not None else _default_of(aspect_name)
    keyed = _to_maps(aspect_name, node, template)
    for operation in operations:
        make_way(keyed, operation)
    for operation in operations:
        apply_operation(keyed, operation)
    return _to_arrays(aspect_name, keyed, template)


def parse_patch(text: str | bytes) -> object:
    """
    Raises:
        PatchError: it is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        raise PatchError("the patch is not JSON") from None
    except RecursionError:
        raise PatchError("the patch is nested too deeply") from None


def _read(aspect_name: str, patch: object) -> tuple[list[_Json], _Template]:
    if isinstance(patch, list):
        operations = patch
        if not is_patchable(aspect_name):
            raise PatchError(f"{aspect_name} takes no plain patch; DataHub needs one with arrayPrimaryKeys")
        template = _TEMPLATES.get(aspect_name, _Template())
    elif isinstance(patch, dict) and isinstance(patch.get("patch"), list):
        operations = patch["patch"]
        keys = patch.get("arrayPrimaryKeys") or {}
        if not keys and not patch.get("forceGenericPatch") and is_patchable(aspect_name):
            template = _TEMPLATES.get(aspect_name, _Template())
        else:
            template = _generic(keys)
    else:
        raise PatchError(f"the patch of {aspect_name} is not a list of operations")
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in OPERATIONS:
            raise PatchError(
                f"the patch of {aspect_name} has an operation that is not {', '.join(OPERATIONS)}"
            )
        path = operation.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise PatchError(f"the patch of {aspect_name} has an operation without a path")
        if path.count("/") > _DEEPEST:
            raise PatchError(
                f"the patch of {aspect_name} has an operation whose path goes more than {_DEEPEST} levels down"
            )
    return operations, template


def _generic(keys: object) -> _Template:
    if not isinstance(keys, dict) or not all(
        isinstance(parts, list) and all(isinstance(part, str) for part in parts) for parts in keys.values()
    ):
        raise PatchError("arrayPrimaryKeys is not a mapping of array names to lists of fields")
    return _Template(tuple(_Array((name,), tuple(parts)) for name, parts in keys.items()))


def _default_of(aspect_name: str) -> _Json:
    """The aspect that a server starts from if the asset has none, for plain and generic patches alike."""
    if aspect_name == _EDITABLE_SCHEMA:
        return {"editableSchemaFieldInfo": [], **_stamps()}
    return _TEMPLATES.get(aspect_name, _Template()).default()


# Arrays to maps and back


def _to_maps(aspect_name: str, node: _Json, template: _Template) -> _Json:
    if aspect_name == _EDITABLE_SCHEMA and not template.arrays:
        _array_to_map(node, _Array(("editableSchemaFieldInfo",), ("fieldPath",)))
        for entry in _entries(node["editableSchemaFieldInfo"]):
            for part, array in _LABELS.items():
                if isinstance(entry.get(part), dict):
                    _array_to_map(entry[part], array)
        return node
    for array in template.arrays:
        _array_to_map(node, array)
    if template.fine_grained:
        node["fineGrainedLineages"] = _map_fine_grained(node.get("fineGrainedLineages"))
    return node


def _to_arrays(aspect_name: str, node: _Json, template: _Template) -> _Json:
    if aspect_name == _EDITABLE_SCHEMA and not template.arrays:
        for path, entry in _items(node.get("editableSchemaFieldInfo")):
            entry.setdefault("fieldPath", path)
            for part, array in _LABELS.items():
                if isinstance(entry.get(part), dict):
                    _map_to_array(entry[part], array)
                    if part == "glossaryTerms":
                        entry[part].setdefault("auditStamp", _stamp())
        _map_to_array(node, _Array(("editableSchemaFieldInfo",), ("fieldPath",)))
        return node
    for array in template.arrays:
        _map_to_array(node, array, drop_empty=array.path[-1] in _OPTIONAL_ARRAYS)
    if template.fine_grained:
        node["fineGrainedLineages"] = _list_fine_grained(node.get("fineGrainedLineages"))
    for name in template.filled:
        node.setdefault(name, [])
    if aspect_name == "glossaryTerms":
        node.setdefault("auditStamp", _stamp())
    return node


_LABELS: Mapping[str, _Array] = {
    "globalTags": _Array(("tags",), ("tag",)),
    "glossaryTerms": _Array(("terms",), ("urn",)),
}


def _parent(node: _Json, path: tuple[str, ...]) -> _Json | None:
    for step in path[:-1]:
        below = node.get(step)
        if not isinstance(below, dict):
            return None
        node = below
    return node


def _array_to_map(node: _Json, array: _Array) -> None:
    """Replace the array by nested maps, one level for each key, with the entry itself below the last.

    Owners with the keys ``owner`` and ``type`` go from ``[{"owner": o, "type": t}]`` to
    ``{o: {t: {"owner": o, "type": t}}}``; an array of strings without keys from ``["a"]`` to ``{"a": "a"}``.
    """
    parent = _parent(node, array.path)
    if parent is None:
        return
    folded: _Json = {}
    entries = parent.get(array.path[-1])
    for entry in entries if isinstance(entries, list) else []:
        if not array.keys:
            folded[entry if isinstance(entry, str) else ""] = entry
            continue
        level = folded
        for key in array.keys:
            level = level.setdefault(_key(entry, key), {})
        if isinstance(entry, dict):
            level.update(entry)
    parent[array.path[-1]] = folded


def _key(entry: Any, key: str) -> str:
    value = entry
    for part in key.split(_SEPARATOR):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _map_to_array(node: _Json, array: _Array, *, drop_empty: bool = False) -> None:
    """The reverse of ``_array_to_map``.

    The key ``string`` marks an array of one-branch unions: ``{"a": {}}`` becomes ``[{"string": "a"}]``. An array that
    the patch replaced as a whole is left as it is.

    Raises:
        PatchError: the patch put something else in its place.
    """
    parent = _parent(node, array.path)
    if parent is None:
        return
    name = array.path[-1]
    folded = parent.get(name)
    if isinstance(folded, list):
        return
    if folded is None:
        parent[name] = []
    elif not isinstance(folded, dict):
        raise PatchError(f"/{'/'.join(array.path)} is not an array after the patch")
    elif array.keys == ("string",):
        parent[name] = [
            entry if isinstance(entry, dict) and entry else {"string": key} for key, entry in folded.items()
        ]
    elif not array.keys:
        parent[name] = [entry if isinstance(entry, str) else key for key, entry in folded.items()]
    else:
        parent[name] = _flatten(folded, array.keys)
    if drop_empty and not parent[name]:
        del parent[name]


def _flatten(level: Any, keys: Sequence[str]) -> list[Any]:
    """The entries below ``keys`` levels of maps; ``{o: {t: {"x": 1}}}`` gives ``[{"x": 1, "type": t, "owner": o}]``."""
    if not keys:
        return list(level) if isinstance(level, list) else [level]
    found: list[Any] = []
    if not isinstance(level, dict):
        for entry in level if isinstance(level, list) else []:
            found.extend(_flatten(entry, keys[1:]))
        return found
    for key, below in level.items():
        for entry in _flatten(below, keys[1:]):
            # A key that only the path held would be lost.
            if isinstance(entry, dict) and key and _SEPARATOR not in keys[0] and keys[0] not in entry:
                entry[keys[0]] = key
            found.append(entry)
    return found


def _map_fine_grained(lineages: object) -> _Json:
    """Column lineage by operation, downstream, query and upstream, the form in which DataHub's patches address it.

    ``[{"upstreams": [u], "downstreams": [d], "transformOperation": "COPY"}]`` becomes
    ``{"COPY": {d: {"NONE": {u: {"confidenceScore": 1.0, "upstreamType": ..., "downstreamType": ...}}}}}``.

    Raises:
        PatchError: an entry has not exactly one downstream.
    """
    folded: _Json = {}
    for entry in lineages if isinstance(lineages, list) else []:
        downstreams = entry.get("downstreams") if isinstance(entry, dict) else None
        if not isinstance(downstreams, list) or len(downstreams) != 1:
            raise PatchError(
                "fineGrainedLineages holds an entry without exactly one downstream; DataHub cannot patch it"
            )
        upstreams = entry.get("upstreams") or []
        is_dataset = bool(upstreams) and str(upstreams[0]).startswith("urn:li:dataset:")
        value = {
            "confidenceScore": entry.get("confidenceScore", 1.0),
            "upstreamType": entry.get("upstreamType") or ("DATASET" if is_dataset else "FIELD_SET"),
            "downstreamType": entry.get("downstreamType") or "FIELD",
        }
        by_downstream = folded.setdefault(entry.get("transformOperation") or "NONE", {})
        by_query = by_downstream.setdefault(downstreams[0], {}).setdefault(entry.get("query") or "NONE", {})
        by_query.update({upstream: dict(value) for upstream in upstreams})
    return folded


def _list_fine_grained(folded: object) -> list[Any]:
    """The reverse of ``_map_fine_grained``: one entry for each operation, downstream and query."""
    if isinstance(folded, list):
        return folded
    found: list[Any] = []
    for operation, by_downstream in _items(folded):
        for downstream, by_query in _items(by_downstream):
            for query, by_upstream in _items(by_query):
                if by_upstream:
                    found.append(_fine_grained(operation, downstream, query, by_upstream))
    return found


def _fine_grained(operation: str, downstream: str, query: str, by_upstream: _Json) -> _Json:
    values = [value if isinstance(value, dict) else {} for value in by_upstream.values()]
    made: _Json = {
        "upstreamType": "FIELD_SET",
        "upstreams": list(by_upstream),
        "downstreamType": "FIELD",
        "downstreams": [downstream],
        "transformOperation": operation,
        "confidenceScore": min(
            [1.0, *(float(value["confidenceScore"]) for value in values if "confidenceScore" in value)]
        ),
    }
    for value in values:
        made.update({part: value[part] for part in ("upstreamType", "downstreamType") if part in value})
    if query.strip() and query != "NONE":
        made["query"] = query
    return made


def _items(value: object) -> list[tuple[str, Any]]:
    return (
        [(key, entry) for key, entry in value.items() if isinstance(entry, dict)]
        if isinstance(value, dict)
        else []
    )


def _entries(value: object) -> list[_Json]:
    return [entry for _, entry in _items(value)]
