"""Applies JSON patch operations (RFC 6902) to a document of dictionaries and lists.

https://datatracker.ietf.org/doc/html/rfc6902
"""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

_Json: TypeAlias = "dict[str, Any]"

OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


class PatchError(ValueError):
    """A patch cannot be applied. The message names the operation and path, never a value."""


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def make_way(node: _Json, operation: _Json) -> None:
    """Create the maps on the path, and for a removal also its target, so that the operation cannot fail."""
    steps = _steps(operation["path"])
    removes = operation["op"] == "remove"
    here: Any = node
    for step in steps if removes else steps[:-1]:
        if not isinstance(here, dict):
            return
        if here.get(step) is None:
            here[step] = {}
        here = here[step]


def apply_operation(node: _Json, operation: _Json) -> None:
    """Apply one operation to ``node`` in place.

    Raises:
        PatchError: it does not apply.
    """
    op, path = operation["op"], operation["path"]
    if op in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str) or not source.startswith("/"):
            raise PatchError(f"{op} {path}: no path to take from")
        value = copy.deepcopy(_get(node, source, op))
        if op == "move":
            _remove(node, source)
        _put(node, path, value, op)
    elif op == "remove":
        _remove(node, path)
    elif "value" not in operation:
        raise PatchError(f"{op} {path}: no value")
    elif op == "test":
        if _get(node, path, op) != operation["value"]:
            raise PatchError(f"test {path}: it has another value")
    else:
        if op == "replace":
            _get(node, path, op)
        _put(node, path, copy.deepcopy(operation["value"]), op)


def _holder(node: Any, path: str, op: str) -> tuple[Any, str]:
    steps = _steps(path)
    for step in steps[:-1]:
        node = _below(node, step, path, op)
    return node, steps[-1]


def _below(node: Any, step: str, path: str, op: str) -> Any:
    if isinstance(node, dict) and step in node:
        return node[step]
    if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
        return node[int(step)]
    raise PatchError(f"{op} {path}: there is nothing at this path")


def _get(node: Any, path: str, op: str) -> Any:
    holder, last = _holder(node, path, op)
    return _below(holder, last, path, op)


def _put(node: Any, path: str, value: Any, op: str) -> None:
    holder, last = _holder(node, path, op)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and last == "-" and op != "replace":
        holder.append(value)
    elif isinstance(holder, list) and last.isdecimal() and int(last) < len(holder) + (op != "replace"):
        if op == "replace":
            holder[int(last)] = value
        else:
            holder.insert(int(last), value)
    else:
        raise PatchError(f"{op} {path}: nothing can be put there")


def _remove(node: Any, path: str) -> None:
    holder, last = _holder(node, path, "remove")
    _below(holder, last, path, "remove")
    if isinstance(holder, dict):
        del holder[last]
    else:
        del holder[int(last)]
