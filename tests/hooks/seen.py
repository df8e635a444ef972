"""What a test's application left in its store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer, RecordedWrites
from datahub_llmops.answers import explain
from datahub_llmops.hooks import Handle


def stored_answers(path: Path) -> list[RecordedAnswer]:
    """Oldest first."""
    store = Store.read(path)
    known = Identities(store)
    found = [load_answer(row, known) for row in store.answers()]
    store.close()
    return found[::-1]


def stored_writes(path: Path) -> list[RecordedWrites]:
    """In the order of their last change."""
    store = Store.read(path)
    known = Identities(store)
    found = [load_writes(row, known) for row in store.writes()]
    store.close()
    return found


def explained(path: Path) -> set[str]:
    """Ids of the answers that ``explain`` walks back to at least one document and one model."""
    store = Store.read(path)
    found = {
        row.id
        for row in store.answers()
        if (one := explain.explain(store, explain.find(store, row.id), None)).documents and one.models
    }
    store.close()
    return found


@dataclass(frozen=True, slots=True)
class Host:
    """The application under test."""

    handle: Handle
    path: Path

    def answers(self) -> list[RecordedAnswer]:
        """All of them, oldest first, once everything is written."""
        assert self.handle.flush(10)
        return stored_answers(self.path)

    def answer(self) -> RecordedAnswer:
        """The only one there is."""
        found = self.answers()
        assert len(found) == 1, [one.root for one in found]
        return found[0]

    def writes(self) -> list[RecordedWrites]:
        """All runs of writes, once everything is written."""
        assert self.handle.flush(10)
        return stored_writes(self.path)
