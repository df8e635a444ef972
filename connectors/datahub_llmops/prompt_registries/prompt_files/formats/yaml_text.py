"""YAML that others wrote: plain data only, and bounded.

A safe loader builds no objects, but a few lines of nested aliases still become gigabytes, and an alias of its own
container never ends.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from datahub_llmops.prompt_registries.prompt_files.formats.parsed import MalformedError

_MOST_NODES: Final = 100_000
"""Nodes of a document after its aliases are replaced."""
_DEEPEST: Final = 50

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str) -> object:
    """Parse a document.

    Raises:
        MalformedError: it is no YAML, is too deep, or grows without bounds.
    """
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _measure(root, {}, 0)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise MalformedError(
            f"it is not valid YAML, at line {mark.line + 1}" if mark else "it is not valid YAML"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        raise MalformedError("it is not valid YAML") from None


def _measure(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """The number of nodes below ``node``, counting an alias as often as it is used."""
    if depth > _DEEPEST:
        raise MalformedError("its YAML is nested too deeply")
    found = known.get(id(node))
    if found is not None:
        if found == 0:  # Being measured now: an alias of its own container.
            raise MalformedError("an alias in its YAML contains itself")
        return found
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_measure(item, known, depth + 1) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        size += sum(_measure(part, known, depth + 1) for pair in node.value for part in pair)
    if size > _MOST_NODES:
        raise MalformedError("its YAML is too large")
    known[id(node)] = size
    return size
