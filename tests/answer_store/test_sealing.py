"""Sealing: everything arrives, at least once and under the same names again, whatever fails on the way."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answer_store.test_segments import CANARY, never, without_numbers
from datahub_llmops.answer_store import sealing, segments
from datahub_llmops.answer_store.bucket import Bucket
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.format import load_answer, load_writes
from datahub_llmops.answer_store.recorded import Identities, RecordedAnswer
from datahub_llmops.answer_store.segments import Record
from datahub_llmops.errors import StoreError

NOW = 1_700_000_000


def an_id(number: int, begun: float = NOW) -> str:
    return f"{int(begun * 1000):012x}{number:016x}"


def put(
    path: Path, numbers: range, *, application: str = "bot", begun: float = NOW, status: str = "ok"
) -> None:
    """Answers and a run of writes, as the hooks write them."""
    with closing(Store.open(str(path))) as store, store.transaction():
        index = store.intern("index", {"platform": "qdrant", "host": "q:6333", "collection": "docs"})
        retriever = store.intern("retriever", {"class": "R"})
        prompt = store.intern("prompt", {"digest": "t1:ab", "messages": [["human", CANARY]]})
        name = store.intern("application", {"name": application})
        for number in numbers:
            body = {
                "f": "langchain",
                "h": "pod",
                "r": [{"ms": 1, "t": retriever, "x": index, "c": [[f"c{number}"]]}],
                "p": [prompt],
                "at": CANARY,
            }
            store.put_answer(an_id(number, begun), begun + 1, name, status, json.dumps(body), ())
        run = store.intern("run", {"run": f"run-{application}"})
        store.put_write(run, begun, begun + 2, name, index, {"f": "langchain", "n": {"added": 3}})


def stored(path: Path) -> dict[str, Record]:
    with closing(Store.read(path)) as store:
        known = Identities(store)
        answers = {row.id: load_answer(row, known) for row in store.answers()}
        return {**answers, **{row.run: load_writes(row, known) for row in store.writes()}}


def name_of(record: Record) -> str:
    return record.id if isinstance(record, RecordedAnswer) else record.run


def files(folder: Path) -> list[Path]:
    """In the order of their names, which is the order of sealing."""
    return sorted(folder.rglob("*.jsonl.zst"), key=lambda path: path.name)


def arrived(folder: Path) -> tuple[dict[str, Record], Counter[str]]:
    """The newest state of each record, and how often each is there."""
    found: dict[str, Record] = {}
    times: Counter[str] = Counter()
    for path in files(folder):
        for record in segments.iterate(str(path), never):
            found[name_of(record)] = record
            times[name_of(record)] += 1
            said = segments.parse_path(str(path))
            assert said is not None
            assert said.application == record.application
            assert said.hour <= record.started < said.hour + 3600
    return found, times


def plain(records: dict[str, Record]) -> dict[str, Any]:
    return {name: without_numbers(one) for name, one in records.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "bucket"


def seal(path: Path, target: Path | str, **options: Any) -> tuple[sealing.Sealed, list[str]]:
    said: list[str] = []
    done = sealing.seal(str(path), str(target), **{"texts": False, "say": said.append, **options})
    return done, said


def test_everything_arrives_once_and_only_what_is_new_later(path: Path, target: Path) -> None:
    put(path, range(3))
    put(path, range(3, 5), application="a/b", begun=NOW + 3600)
    assert seal(path, target)[0].records == 7
    assert seal(path, target)[0] == sealing.Sealed()
    put(path, range(5, 6))
    assert seal(path, target)[0].records == 2  # The run of writes has another state.
    found, times = arrived(target)
    without_texts = {
        name: replace(one, answer_text=None, prompts=({"digest": "t1:ab"},))
        if isinstance(one, RecordedAnswer)
        else one
        for name, one in stored(path).items()
    }
    assert plain(found) == plain(without_texts)
    assert {name for name, count in times.items() if count > 1} == {"run-bot"}
    assert {one.parts[-4] for one in files(target)} == {"bot", "a%2Fb"}
    assert CANARY.encode() not in b"".join(one.read_bytes() for one in files(target))


def test_texts_only_where_asked_for(path: Path, target: Path) -> None:
    put(path, range(2))
    seal(path, target, texts=True)
    assert plain(arrived(target)[0]) == plain(stored(path))


def test_a_rewritten_answer_is_there_in_its_newest_state(path: Path, target: Path) -> None:
    put(path, range(3))
    seal(path, target)
    put(path, range(1, 2), status="interrupted")
    seal(path, target)
    found, times = arrived(target)
    assert [found[an_id(n)].status for n in range(3)] == ["ok", "interrupted", "ok"]  # type: ignore[union-attr]
    assert times[an_id(1)] == 2


def test_plans_are_bounded(path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MAX_RECORDS", 4)
    put(path, range(10))
    assert seal(path, target)[0].segments == 3
    assert [len(list(segments.iterate(str(one), never))) for one in files(target)] == [4, 4, 3]
    monkeypatch.setattr(sealing, "MAX_BYTES", 1)
    put(path, range(10, 12))
    assert seal(path, target)[0].segments == 3


@pytest.mark.parametrize("failing", range(4))
def test_a_retry_gives_the_same_names_and_bytes(
    path: Path, target: Path, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MAX_RECORDS", 4)
    for hour in range(3):
        put(path, range(hour * 3, hour * 3 + 3), application=f"bot-{hour}", begun=NOW + hour * 3600)
    made: list[tuple[str, bytes]] = []
    real = Bucket.put

    def put_or_fail(self: Bucket, name: str, content: bytes) -> None:
        if len(made) == failing:
            made.append((name, content))
            raise StoreError("segments at bucket: the network is gone")
        made.append((name, content))
        real(self, name, content)

    monkeypatch.setattr(Bucket, "put", put_or_fail)
    with pytest.raises(StoreError, match="the network is gone"):
        seal(path, target)
    before = dict(made)
    put(path, range(100, 101), application="later")  # What comes meanwhile changes no plan.
    seal(path, target)
    after: dict[str, bytes] = {}
    for name, content in made:
        assert after.setdefault(name, content) == content
    assert before.items() <= after.items()
    found, times = arrived(target)
    assert found.keys() == stored(path).keys()
    assert set(times.values()) == {1}


SEALER = """
import sys
from datahub_llmops.answer_store import sealing
sealing.MAX_RECORDS = 5
sealing.seal(sys.argv[1], sys.argv[2], texts=False, say=print)
"""


def test_killed_at_random_points_nothing_is_lost_and_nothing_is_there_twice(path: Path, target: Path) -> None:
    put(path, range(400))
    chance = random.Random(7)
    command = [sys.executable, "-c", SEALER, str(path), str(target)]
    kills = 0
    for attempt in range(60):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        have = len(files(target))
        while process.poll() is None and len(files(target)) == have:
            time.sleep(0.001)
        if process.poll() is None and attempt < 12:
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert kills > 5, "kills that hit nothing prove nothing"
    found, times = arrived(target)
    assert found.keys() == stored(path).keys()
    assert set(times.values()) == {1}


def test_answers_that_the_store_drops_first_are_said(path: Path, target: Path) -> None:
    put(path, range(10))
    seal(path, target)
    put(path, range(10, 20))
    with closing(Store.open(str(path))) as store:
        assert store._drop_oldest_tenth()  # One that was sealed.
    assert seal(path, target)[1] == []
    put(path, range(20, 40))
    with closing(Store.open(str(path))) as store:
        for _ in range(10):
            assert store._drop_oldest_tenth()
    done, said = seal(path, target)
    assert 1 <= done.dropped <= 20 - done.records + 1
    assert said == [
        f"segments: up to {done.dropped} answers were dropped by the store before they were sealed: raise max_bytes,"
        " or lower ship_every"
    ]


def test_a_store_that_is_pruned_while_it_is_sealed(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MAX_RECORDS", 5)
    put(path, range(20))
    real = Bucket.put

    def prune_first(self: Bucket, name: str, content: bytes) -> None:
        with closing(Store.open(str(path))) as store:
            store._drop_oldest_tenth()
            with store.transaction():
                store._db.execute("DELETE FROM identities WHERE kind = 'prompt'")
        real(self, name, content)

    monkeypatch.setattr(Bucket, "put", prune_first)
    done, _ = seal(path, target)
    assert done.records + done.dropped >= 21
    assert all(one.application == "bot" for one in arrived(target)[0].values())


def test_another_store_another_target_and_a_lost_state_begin_anew(path: Path, target: Path) -> None:
    put(path, range(3))
    seal(path, target)
    other = target.with_name("other")
    assert seal(path, other)[0].records == 4
    state = Path(f"{path}.segments.json")
    assert state.stat().st_mode & 0o777 == 0o600
    assert str(other) not in state.read_text()  # It may have a password.
    for content in ("", "[]", '{"target": 7}', "\0" * 20_000):
        state.write_text(content)
        assert seal(path, other)[0].records == 4
    for beside in path.parent.glob("answers.db*"):
        if beside != state:
            beside.unlink()
    put(path, range(50, 52))
    assert seal(path, other)[0].records == 3
    assert {an_id(n) for n in (0, 1, 2, 50, 51)} <= arrived(other)[0].keys()


def test_a_record_that_cannot_be_understood_is_named_and_the_rest_arrives(path: Path, target: Path) -> None:
    put(path, range(3))
    with closing(Store.open(str(path))) as store, store.transaction():
        store._db.execute("UPDATE answers SET body = ? WHERE id = ?", (f"not JSON {CANARY}", an_id(1)))
    done, said = seal(path, target)
    assert (done.records, done.passed_over) == (3, 1)
    assert said == [f"segments: answer {an_id(1)} cannot be understood and was skipped: it is not JSON"]
    assert seal(path, target)[0].records == 0


def test_a_target_that_cannot_be_written(path: Path, tmp_path: Path) -> None:
    put(path, range(1))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"^segments at .*file/bucket: Not a directory$"):
        seal(path, tmp_path / "file" / "bucket")


def test_a_folder_of_the_store_that_cannot_be_written(path: Path, target: Path) -> None:
    put(path, range(1))
    Path(f"{path}.segments.json.part").mkdir()
    with pytest.raises(StoreError, match="so nothing is sealed: this file records how far"):
        seal(path, target)
    assert files(target) == []


def test_no_store(path: Path, target: Path) -> None:
    with pytest.raises(StoreError, match="no answer store at"):
        seal(path, target)
