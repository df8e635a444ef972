"""``check``: whether the index behind a retriever can be trusted, from inside an application.

The answer comes from memory. A child process asks the catalog, so that neither its work nor a server's delay is on the
application's threads, and DataHub is never imported here. ``datahub-llmops check`` is that child: both say the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from datahub_llmops.answer_store.location import environment
from datahub_llmops.assets.index_identity import index_urn
from datahub_llmops.hooks import native_threads, store_identity
from datahub_llmops.hooks.guard import guarded
from datahub_llmops.hooks.names import dataset_urn

Verdict: TypeAlias = Literal["ok", "not ok", "not known"]

DEFAULT_AGE: Final = 3_600.0
"""Seconds for which a verdict holds unless the caller says otherwise."""
LIMIT: Final = 120.0
"""Seconds that one question may take."""
RETRY: Final = 60.0
"""Seconds until a question that failed is asked again."""
MAX_KEPT: Final = 1_000
_CODES: Final = frozenset({0, 1, 2})
_POLL: Final = 0.05


class IndexVerdict(NamedTuple):
    """What ``check`` says of an index."""

    verdict: Verdict
    codes: tuple[str, ...] = ()
    """Codes of the findings that are not ok, then of those that are not known."""
    urn: str | None = None
    age: float | None = None
    """Seconds since the catalog was asked; ``None`` if it has not answered yet."""
    reason: str | None = None
    """Why the verdict is not known, if not because of a finding."""
    report: Mapping[str, Any] = {}
    """The whole report, as ``datahub-llmops check --json`` prints it."""

    @property
    def ok(self) -> bool:
        """Whether the index is ok. Not known is not ok."""
        return self.verdict == "ok"


class _Kept(NamedTuple):
    asked: float
    """Monotonic time."""
    report: Mapping[str, Any] | None
    reason: str | None


def check(
    target: object, *, max_age: float = DEFAULT_AGE, catalog: str | None = None, policy: str | None = None
) -> IndexVerdict:
    """Say whether the index behind ``target`` can be trusted, at once and without a question on this thread.

    The first call for an index returns *not known*, and asks the catalog in the background. Call it when the
    application starts, and before each use. A verdict is renewed before it expires.

    Args:
        target: a retriever or vector store of LangChain or LlamaIndex, an index's URN, or its short name.
        max_age: seconds for which a verdict holds. An older one is not known.
        catalog: as for the command: a file or a server's URL. Default: ``DATAHUB_LLMOPS_CATALOG``, else the file that
            the sink ``llm-local`` writes by default.
        policy: file with the options of the checks, as for the command.

    Returns:
        The verdict. It never raises.
    """
    return _check(target, max_age, catalog, policy) or IndexVerdict("not known", reason="the check failed")


@guarded("check")
def _check(target: object, max_age: float, catalog: str | None, policy: str | None) -> IndexVerdict:
    name = target if isinstance(target, str) else _identify(target)
    if not name or name.startswith("-"):
        return IndexVerdict(
            "not known", reason="its index is not known: give its URN, or name_index(store, urn)"
        )
    urn = dataset_urn(name)
    key = (name, catalog or environment("CATALOG"), policy)
    kept = _kept.get(key)
    now = time.monotonic()
    age = None if kept is None else now - kept.asked
    if age is None or age > (max_age / 2 if kept is not None and kept.report is not None else RETRY):
        _ask(key)
    if kept is None or age is None:
        return IndexVerdict(
            "not known", urn=urn, reason="the catalog was not asked yet: ask again in a moment"
        )
    if kept.report is None:
        return IndexVerdict("not known", urn=urn, age=age, reason=kept.reason)
    if age > max_age:
        return IndexVerdict(
            "not known", urn=urn, age=age, reason="the last verdict is too old", report=kept.report
        )
    return IndexVerdict(
        kept.report["verdict"], _codes(kept.report), kept.report["urn"], age, None, kept.report
    )


def _codes(report: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        finding["code"]
        for verdict in ("not ok", "not known")
        for finding in report["findings"]
        if finding["verdict"] == verdict
    )


# Which index

_identified: Final[dict[int, tuple[weakref.ref[Any], str | None]]] = {}


def _identify(target: object) -> str | None:
    known = _identified.get(id(target))
    if known is not None and known[0]() is target:
        return known[1]
    raw = store_identity.identify_store(_store_of(target))
    given = raw.get("urn")
    urn = given if isinstance(given, str) else index_urn(raw)
    key = id(target)
    with contextlib.suppress(TypeError):
        _identified[key] = weakref.ref(target, lambda _gone: _identified.pop(key, None)), urn
    return urn


def _store_of(target: object) -> object:
    for describe in (
        store_identity.describe_langchain_retriever,
        store_identity.describe_llamaindex_retriever,
    ):
        _, store = describe(target)
        if store is not None:
            return store
    return target


# The thread that asks

_Key: TypeAlias = tuple[str, str | None, str | None]
_kept: Final[dict[_Key, _Kept]] = {}
_waiting: Final[deque[_Key]] = deque()
_pending: Final[set[_Key]] = set()
_asking = 0
"""The process whose thread asks. After a fork there is none."""


def _ask(key: _Key) -> None:
    """Have the question asked, unless it is waiting already. It costs the caller a thread's start at most."""
    global _asking
    if _asking != os.getpid():
        _asking = os.getpid()
        _pending.clear()
        _waiting.clear()
    if key in _pending:
        return
    _pending.add(key)
    _waiting.append(key)
    if len(_pending) == 1:
        native_threads.start_thread(_work)


def _work() -> None:
    """Ask until nothing waits any more."""
    while True:
        try:
            key = _waiting.popleft()
        except IndexError:
            return
        kept = _answer(key) or _Kept(time.monotonic(), None, "the check failed")
        while len(_kept) >= MAX_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = kept
        _pending.discard(key)


@guarded("check's question")
def _answer(key: _Key) -> _Kept:
    name, catalog, policy = key
    command = [sys.executable, "-m", "datahub_llmops.cli.main"]
    command += ["--catalog", catalog] if catalog else []
    command += ["check", name, "--json"]
    command += ["--policy", policy] if policy else []
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        code = _run(command, out, said)
        asked = time.monotonic()
        out.seek(0)
        report = _parse(out.read()) if code in _CODES else None
        if report is not None:
            return _Kept(asked, report, None)
        said.seek(0)
        lines = said.read(2_000).decode("utf-8", "replace").strip().splitlines()
        why = lines[0].removeprefix("Error: ") if lines else f"the check ended with {code}"
        return _Kept(asked, None, why[:300])


def _run(command: list[str], out: Any, said: Any) -> int | None:
    """Run a command and return its exit code; ``None`` if it took too long. It polls: gevent replaces waiting."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=said,
        env={**os.environ, "DATAHUB_LLMOPS_DISABLED": "1"},
        start_new_session=True,
    )
    end = time.monotonic() + LIMIT
    while child.poll() is None:
        if time.monotonic() > end:
            child.kill()
            child.wait()
            return None
        native_threads.sleep(_POLL)
    return child.returncode


def _parse(text: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    known = isinstance(found, dict) and found.get("verdict") in ("ok", "not ok", "not known")
    return found if known and isinstance(found.get("findings"), list) else None
