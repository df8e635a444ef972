"""Names of the attributes that the hooks set on OpenTelemetry spans, and that readers of spans look for.

Lists are arrays of strings, also of one. A span has what happened while it was the current one, each thing once: a
tracer's own span of a retrieval one index, the span of a request all of them. What the hooks do not know is left out.
No attribute holds a value of the application's data.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "datahub_llmops."

ANSWER_ID: Final = PREFIX + "answer.id"
"""The id of the answer, as ``explain`` takes it. A span that several answers were made under has that of the last."""
ANSWER_IDS: Final = PREFIX + "answer.ids"
"""List: the ids of all answers that were made under the span, where they are several."""
APPLICATION: Final = PREFIX + "application"
"""The application that gave the answer, by the name that ``attach`` or the block around it has."""
VERSION: Final = PREFIX + "application.version"
"""The version of the application, if the application states one."""
RECORDED: Final = PREFIX + "recorded"
"""True if an answer store on ``HOST`` takes the answer, false if the hooks stamp only. Left out by older hooks."""
HOST: Final = PREFIX + "host"
"""The host of the application, by the name that recorded answers have."""
INDEX: Final = PREFIX + "index"
"""List: URNs of the indexes that were searched, as a recipe without `instances` names them. The application may have
given one itself; every other is of environment PROD and no platform instance, because the hooks know of neither."""
INDEX_RAW: Final = PREFIX + "index.raw"
"""List: raw identities of the same indexes as JSON objects with sorted keys, as the answer store has them (platform,
host or path, tenant, database, schema, collection, partition, else urn or class). A reader resolves these with its
recipe's `instances`, and looks at ``INDEX`` only where this is missing or cut off."""
PROMPT: Final = PREFIX + "prompt"
"""List: identities of the prompts that were rendered as JSON objects with sorted keys: registry, name and version, or
urn, or the digest of the template."""
SOURCES: Final = PREFIX + "sources"
"""List: digests of the sources of a retrieval's chunks. Equal sets of sources have equal digests. A retrieval has none
if one of its chunks has no source, or one that is not an address."""
CUT: Final = PREFIX + "cut"
"""True if a list would be longer than ``MAX_LISTED``; the rest is left out."""

MAX_LISTED: Final = 64
"""The longest list of an attribute."""
