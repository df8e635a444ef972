"""Names of everything that the answer store keeps under a short key, and the version of its format.

An answer takes half a kilobyte on disk because its keys have one or two letters. A key means different things in
different objects, so each kind of object has a class of its own here; no other module spells a key out. Numbers are
row ids of the table ``identities``. ``format`` reads and writes whole objects. This module stands alone because the
hooks write rows themselves (``hooks/row_encoder.py``) and must not load the classes of recorded answers.
"""

from __future__ import annotations

from typing import Final

from datahub_llmops.errors import StoreError

VERSION: Final = 1
"""The format of tables and keys, kept as ``PRAGMA user_version``. A store without a version has version 1."""


def check_version(version: int, path: str) -> None:
    """Accept every version up to ours.

    Raises:
        StoreError: a newer release has written the store.
    """
    if version > VERSION:
        raise StoreError(
            f"answer store {path} has format version {version}, this release reads version {VERSION}:"
            " upgrade datahub-llmops"
        )


class AnswerKey:
    """Keys of ``answers.body``, a JSON object."""

    FRAMEWORK: Final = "f"
    HOST: Final = "h"
    FRAMEWORK_VERSION: Final = "fv"
    ROOT: Final = "o"
    VERSION: Final = "v"
    ERROR: Final = "e"
    PARTS_CUT: Final = "x"
    WEIGHT: Final = "w"
    RETRIEVALS: Final = "r"
    PROMPTS: Final = "p"
    """A list of identity numbers."""
    MODELS: Final = "m"
    TOOLS: Final = "t"
    """A list of ``[identity number, milliseconds, status]``."""
    QUERY_DIGEST: Final = "q"
    QUERY_TEXT: Final = "qt"
    ANSWER_TEXT: Final = "at"


class RetrievalKey:
    """Keys of one retrieval, a JSON object."""

    MILLISECONDS: Final = "ms"
    RETRIEVER: Final = "t"
    INDEX: Final = "x"
    EMBEDDING: Final = "e"
    COMPOSITE: Final = "n"
    WITHIN: Final = "p"
    """Position of the enclosing retrieval in the answer's list."""
    STATUS: Final = "s"
    CHUNKS: Final = "c"
    """A list of ``[id, score, source, key, run, place]``; what is missing at the end is left out."""
    CHUNKS_CUT: Final = "cut"


class ModelKey:
    """Keys of one model call, a JSON object."""

    MILLISECONDS: Final = "ms"
    ASKED: Final = "a"
    SERVED: Final = "s"
    PROMPT: Final = "p"
    """Position of the prompt in the answer's list."""
    CACHED: Final = "hit"
    TOKENS_IN: Final = "in"
    TOKENS_OUT: Final = "out"
    TOKENS_CACHED: Final = "cr"
    TOKENS_CACHE_WRITE: Final = "cw"
    TOKENS_REASONING: Final = "rs"
    COST: Final = "c"
    FINGERPRINT: Final = "fp"
    STATUS: Final = "st"
    ERROR: Final = "er"


class WritesKey:
    """Keys of ``writes.body``, a JSON object; also of the facts that the hooks collect about a job."""

    FRAMEWORK: Final = "f"
    HOST: Final = "h"
    EMBEDDING: Final = "e"
    COUNTS: Final = "n"
    SOURCES: Final = "s"
    """Chunks by the identity number of their source."""
    SOURCES_UNKNOWN: Final = "s0"
    SOURCES_CUT: Final = "sx"
    ERROR: Final = "er"
    JOB: Final = "job"
    FLOW: Final = "flow"
    ORCHESTRATOR: Final = "orchestrator"
    SPLITTER: Final = "splitter"
    PIPELINE: Final = "pipeline"
    STEPS: Final = "steps"
    NAMESPACE: Final = "namespace"
    LOADER: Final = "loader"
    STATE: Final = "state"
    """``OPEN`` while a named job runs, then ``ENDED``. A process that is killed leaves it open. Stores of release 0.1.0
    do not have it."""


OPEN: Final = "open"
ENDED: Final = "ended"
FACTS: Final = (WritesKey.PIPELINE, WritesKey.STEPS, WritesKey.NAMESPACE, WritesKey.LOADER, WritesKey.STATE)
