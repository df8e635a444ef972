"""Weave's references: how a call, a version or an op is named across its API.

https://docs.wandb.ai/weave/guides/tracking/objects
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from datahub_llmops.net.json_values import text

_REF: Final = re.compile(
    r"weave:///[^/]+/[^/]+/(?P<kind>call|object|op)/(?P<name>[^/:]+)(?::(?P<digest>[^/]+))?(?:/.*)?"
)


@dataclass(frozen=True, slots=True)
class Ref:
    """What a reference names. A call has its id for a name, and no digest."""

    kind: str
    name: str
    digest: str | None


def parse_ref(value: object) -> Ref | None:
    """Read a reference; ``None`` for any other value.

    >>> parse_ref("weave:///acme/rag-bot/op/answer:m0A4")
    Ref(kind='op', name='answer', digest='m0A4')
    >>> parse_ref("weave:///acme/rag-bot/call/01a2"), parse_ref("answer")
    (Ref(kind='call', name='01a2', digest=None), None)
    """
    found = _REF.fullmatch(text(value) or "")
    return None if found is None else Ref(found["kind"], found["name"], found["digest"])


def object_ref(project: str, name: str, digest: str) -> str:
    """Write the reference of one version of an object.

    >>> object_ref("acme/rag-bot", "support-answer", "8GhG")
    'weave:///acme/rag-bot/object/support-answer:8GhG'
    """
    return f"weave:///{project}/object/{name}:{digest}"
