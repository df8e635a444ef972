"""The door to spans in a folder or a bucket: it reads everything new once, and the days that this belongs to as a
whole.

Two passes. ``days`` reads what is new since the position into a spool and finds the days. ``count`` adds what earlier
runs read of these days, and passes on the answers of each day as a whole.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from datahub_llmops.answer_store.queries import dump_sorted
from datahub_llmops.answer_store.recorded import RecordedAnswer, RecordedWrites
from datahub_llmops.answer_store.segments import dump_line, load_line
from datahub_llmops.errors import AccessError, UnreadableError
from datahub_llmops.spans.assemble import REPEATED, UNSCORED
from datahub_llmops.spans.attributes import Selection
from datahub_llmops.spans.doors import matching, problems, storage_errors
from datahub_llmops.spans.doors import position as positions
from datahub_llmops.spans.doors.ahead import ahead
from datahub_llmops.spans.doors.apart import Apart
from datahub_llmops.spans.doors.bundles import Bundle, Bundles, size_of
from datahub_llmops.spans.doors.door import Counting, Days, ReadCounts, Tell
from datahub_llmops.spans.doors.garbage import collected_by_hand
from datahub_llmops.spans.doors.keys import DAY, HOUR
from datahub_llmops.spans.doors.matching import Found
from datahub_llmops.spans.doors.objects import Object, Place
from datahub_llmops.spans.doors.options import FilesOptions
from datahub_llmops.spans.doors.progress import Progress
from datahub_llmops.spans.doors.reading import ObjectReader, Outcome, Part
from datahub_llmops.spans.doors.rows import Row, tracers_of
from datahub_llmops.spans.doors.sealed import find_sealed
from datahub_llmops.spans.doors.search import search
from datahub_llmops.spans.doors.spool import EDGE, Spool
from datahub_llmops.spans.doors.storage_errors import StorageError, Watched
from datahub_llmops.spans.span import Span
from datahub_llmops.spans.twins import mixed_services

if TYPE_CHECKING:  # It loads DataHub, which takes a hundred megabytes.
    from datahub_llmops.ingestion.applications.rollup import Rollup

MAX_TRACE: Final = 100_000
"""Spans of one trace that are kept; the others are counted as cut."""
MAX_WRITES: Final = 10_000
"""Newest runs of writes that one run takes up."""
_SPAN: Final = 600
_COMPRESSED_SPAN: Final = 150
"""Fewest bytes that a span takes in an object: guesses that decide on the parts of the spool."""
_COMPRESSED: Final = (".gz", ".zst", ".zstd", ".parquet")
_Answer: TypeAlias = tuple[str, str, bytes, None, float]


class AssembledTrace(Protocol):
    """What is made of the spans of one trace."""

    @property
    def answers(self) -> Sequence[RecordedAnswer]: ...
    @property
    def orphans(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    def others(self) -> Mapping[str, int]:
        """Return what else is counted, by words that a person understands."""
        ...


class FilesDoor:
    """Reads objects through fsspec."""

    def __init__(
        self,
        options: FilesOptions,
        *,
        selection: Selection,
        assemble: Callable[[Sequence[Span]], AssembledTrace],
        tell: Tell,
        counts: ReadCounts | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Find the file systems.

        Raises:
            RecipeError: one of them is not installed or not known.
        """
        self.counts = counts if counts is not None else ReadCounts()
        self._options = options
        self._selection = selection
        self._assemble = assemble
        self._tell = tell
        self._now = now
        self._places = [Place(pattern, options.storage) for pattern in options.files]
        self._spool: Spool[Bundle] = Spool()
        self._sealed: Spool[_Answer] = Spool()
        self._reader = ObjectReader(selection, self.counts, self._take, self._take_answer)
        self._bundles = Bundles(self._reader.classes)
        self._old = positions.Position()
        self._gone: list[positions.Entry] = []
        self._waiting: list[tuple[Found, Part]] = []
        """What earlier runs read, and this one has not yet."""
        self._broken: list[tuple[Found, positions.Entry, str]] = []
        """What earlier runs read, and this one cannot."""
        self._entries: dict[bytes, positions.Entry] = {}
        self._fresh: set[bytes] = set()
        self._unsettled: set[int] = set()
        self._told: set[int] = set()
        """Days whose objects were removed, and of which a run has said so."""
        self._from = self._until = 0.0
        self._counting = False
        self._all_seen = True
        self._first = self._last = 0.0
        self._tracers: set[tuple[str, str]] = set()
        """Tracers of spans without a parent, with their services."""
        self._segment = ""
        self.writes: dict[object, RecordedWrites] = {}
        """New runs of writes, the newest state of each."""
        self._progress = Progress(self.counts)

    def days(self, position: Mapping[str, Any]) -> Days:
        """Read everything that is new, and return the days that it belongs to.

        Raises:
            AccessError: a place cannot be listed; the message says what to do.
        """
        old = self._old = positions.load(position)
        today = int(self._now()) // DAY * DAY
        horizon = max(today - self._options.max_days * DAY, old.closed)
        self._told = {day for day in old.told if day >= horizon}
        self._from, self._until = float(horizon - EDGE), float(self._now() + DAY)
        matched = matching.match(self._list(horizon - EDGE), old, self._cannot_open)
        self.counts.objects_vanished += matched.vanished
        self._all_seen = not matched.unopened
        self._gone = [entry for entry in matched.gone if (entry.last + 1) * HOUR > horizon]
        expected = sum(_expected_spans(found.object) for found in matched.found)
        self._spool.close()
        self._spool = Spool(expected, size_of)
        new: list[tuple[Found, Part]] = []
        for found in matched.found:
            if found.is_unchanged and found.before is not None:
                self._keep(found, found.before)
                self._waiting.append((found, Part()))
                self.counts.objects_unchanged += 1
                if found.before.end < found.object.size:
                    self._tell(problems.half_written(found.object.name))
            else:
                new.append((found, self._part(found)))
        with collected_by_hand():
            for number, ((found, part), opened) in enumerate(ahead(new, _open)):
                self._progress.at("new objects read", number, len(new))
                self._read_new(found, part, opened)
        return tuple(
            day
            for day in sorted({*self._spool.days(), *self._sealed.days()})
            if horizon <= day <= today + DAY
        )

    def _list(self, oldest: float) -> Iterator[tuple[Place, Object]]:
        for place in self._places:
            is_empty = True
            for one in place.list(lambda start, end: end + HOUR >= oldest):
                self.counts.objects_listed += 1
                if one.modified is not None and one.modified < oldest:
                    self.counts.objects_too_old += 1
                else:
                    is_empty = False
                    yield place, one
            if is_empty:
                self._tell(
                    problems.nothing_to_read(place.pattern, "objects", "`files`", self._options.max_days)
                )

    def _cannot_open(self, one: Object, error: StorageError) -> None:
        self.counts.objects_failed += 1
        self._tell(problems.unreadable(one.name, error))

    @staticmethod
    def _part(found: Found) -> Part:
        try:
            if found.before is not None and matching.has_only_grown(found):
                return Part(start=found.before.end)
        except StorageError:
            pass  # Reading the object will report it.
        return Part()

    def _read_new(self, found: Found, part: Part, opened: Callable[[], Watched]) -> None:
        before = found.before
        self._first, self._last = float("inf"), 0.0
        in_future = self.counts.spans_in_future
        try:
            outcome, tail = self._read(found, part, opened)
        except (StorageError, ModuleNotFoundError) as error:
            self._could_not_read(found, error)
            self._keep_earlier(found, str(error))
            return
        first, last = (int(self._first) // HOUR, int(self._last) // HOUR) if self._last else (0, 0)
        if part.start and before is not None:
            if before.last:
                first, last = min(first or before.first, before.first), max(last, before.last)
            self._waiting.append((found, Part(stop=before.end)))
        if self.counts.spans_in_future > in_future:
            self._tell(problems.from_the_future(found.object.name, self.counts.spans_in_future - in_future))
        self._say(found, outcome)
        if outcome.broken is not None:
            self._keep_earlier(found, outcome.broken)
            return
        if before is not None and found.object.size < before.end:
            self._gone.append(before)  # Something else was written in its place.
        if found.packed is not None and outcome.end < found.packed.end:
            self._gone.append(found.packed)  # It only begins alike.
        end = found.object.size if outcome.compressed else outcome.end
        entry = positions.Entry(found.identity, found.version, end, tail, found.head, first, last)
        self._keep(found, entry)
        self._fresh.add(found.identity)

    def _read(self, found: Found, part: Part, opened: Callable[[], Watched]) -> tuple[Outcome, int]:
        """Return what came of it, and the checksum by which the rest is found once the file has grown."""
        self._segment = found.object.name.rpartition("/")[2]
        with opened() as file:
            outcome = self._reader.read(file, part)
            # An object in a bucket is written as a whole, so it never grows.
            grows = found.place.is_local and outcome.end and not outcome.compressed
            tail = matching.tail_of(file, outcome.end) if grows else 0
        if outcome.unfinished and (outcome.compressed or not found.place.is_local):
            outcome.broken = problems.CUT_OFF
        self.counts.values_too_long = self._selection.dropped
        self.counts.records_unreadable += outcome.unreadable + outcome.too_long
        self.counts.records_unfinished += outcome.unfinished
        if outcome.broken is None:
            self.counts.objects_read += not self._counting
            self.counts.objects_read_again += self._counting
            self.counts.segments += outcome.answers + outcome.writes > 0
            self.counts.objects_without_spans += not (outcome.spans or outcome.answers) and outcome.others > 0
        else:
            self.counts.objects_failed += 1
        return outcome, tail

    def _keep(self, found: Found, entry: positions.Entry) -> None:
        self._entries[found.identity] = entry._replace(identity=found.identity, head=found.head)

    def _keep_earlier(self, found: Found, reason: str) -> None:
        """Remember of an object that cannot be read this time what an earlier run read, and that it has to be read."""
        if found.before is not None:
            self._keep(found, found.before._replace(version=bytes(8)))
            self._broken.append((found, found.before, reason))
        if found.packed is not None:
            self._gone.append(found.packed)

    def _say(self, found: Found, outcome: Outcome) -> None:
        """Report what is odd about an object."""
        name = found.object.name
        if outcome.broken is not None:
            self._tell(problems.broken(name, outcome.broken))
        if outcome.unreadable or outcome.too_long:
            self._tell(problems.not_understood(name, outcome.unreadable, outcome.too_long, outcome.format))

    def _could_not_read(self, found: Found, error: StorageError | ModuleNotFoundError) -> None:
        if isinstance(error, ModuleNotFoundError):
            self.counts.objects_failed += 1
            self._tell(problems.no_parquet(found.object.name))
        elif error.is_missing:
            self.counts.objects_vanished += 1
        else:
            self._cannot_open(found.object, error)

    def _take(self, rows: list[Row]) -> None:
        if not rows:
            return
        self._progress.tick()
        self._tracers |= tracers_of(rows, self._reader.classes)
        starts = [row[4] for row in rows]
        first, last = min(starts), max(starts)
        self._first = min(self._first, first)
        if first < self._from or last > self._until:
            kept = [row for row in rows if self._from <= row[4] <= self._until]
            if not self._counting:
                self.counts.spans_too_old += sum(row[4] < self._from for row in rows)
                self.counts.spans_in_future += sum(row[4] > self._until for row in rows)
            # If a clock is years ahead, its object does not belong to all the days until then.
            last = max([start for start in starts if start <= self._until], default=0.0)
            rows = kept
        self._last = max(self._last, last)
        try:
            self._spool.put(self._bundles.pack(rows))
        except OSError as error:
            raise AccessError(
                f"The temporary file in {tempfile.gettempdir()} cannot be written ({storage_errors.reason(error)}): "
                "spans need about 200 bytes each there. Free some space, or set TMPDIR to another folder."
            ) from None

    def _take_answer(self, answer: RecordedAnswer | RecordedWrites) -> None:
        if isinstance(answer, RecordedWrites):
            if not self._counting:
                self._take_writes(answer)
            return
        self._first = min(self._first, answer.started)
        if answer.started <= self._until:
            self._last = max(self._last, answer.started)
        elif not self._counting:
            self.counts.spans_in_future += 1
        if self._from <= answer.started <= self._until:
            # Without ``texts``, the line has no question and no answer.
            self._sealed.put([(answer.id, self._segment, dump_line(answer), None, answer.started)])

    def _take_writes(self, one: RecordedWrites) -> None:
        key = (one.host, one.run, dump_sorted(one.index))
        before = self.writes.get(key)
        if before is None and len(self.writes) >= MAX_WRITES:
            del self.writes[min(self.writes, key=lambda other: self.writes[other].ended)]
        if before is None or one.ended >= before.ended:
            self.writes[key] = one

    def count(self, days: Sequence[int], counting: Counting) -> Rollup:
        """Count whole days. Those of which earlier objects are gone or unreadable now are left out, and reported."""
        wanted = set(days)
        self._counting = True
        left = self._left_by_gone(wanted)
        with collected_by_hand():
            left |= self._read_rest(wanted - left)
            self.counts.days_left += len(left)
            whole = sorted(wanted - left)
            return counting.roll_up(self._answers(whole), recorded=self._recorded(whole))

    def _left_by_gone(self, days: set[int]) -> set[int]:
        left = {day for entry in self._gone if entry.last for day in days if _overlaps(entry, day, 0)}
        if left and not self._all_seen:
            self._unsettled |= left  # What looks gone may only have failed to open: the next run tries again.
        where = ", ".join(place.pattern for place in self._places)
        if left - self._told:
            self._tell(problems.removed(where, left - self._told))
        if left & self._told:
            self._tell(problems.known_before(problems.removed(where, left & self._told)))
        self._told |= left - self._unsettled
        return left

    def _read_rest(self, days: set[int]) -> set[int]:
        """Read what earlier runs read of these days. Return the days of which something cannot be read any more."""
        if not days:
            return set()
        self._from, self._until = float(min(days) - EDGE), float(max(days) + DAY + EDGE)
        needed: list[tuple[Found, Part]] = []
        waiting: list[tuple[Found, Part]] = []
        for found, part in self._waiting:
            entry = found.before
            near = entry is not None and entry.last and any(_overlaps(entry, day, EDGE) for day in days)
            (needed if near else waiting).append((found, part))
        self._waiting = waiting
        left: set[int] = set()
        for number, ((found, part), opened) in enumerate(ahead(needed, _open)):
            self._progress.at("objects of the same days read", number, len(needed))
            try:
                outcome, _ = self._read(found, part, opened)
                broken = outcome.broken
            except StorageError as error:
                broken = str(error)
                self.counts.objects_vanished += error.is_missing
                self.counts.objects_failed += not error.is_missing
            if broken is not None and found.before is not None:
                left |= self._leave(found, found.before, broken, days)
        for found, before, reason in self._broken:
            left |= self._leave(found, before, reason, days)
        return left

    def _leave(self, found: Found, before: positions.Entry, reason: str, days: set[int]) -> set[int]:
        own = {day for day in days if _overlaps(before, day, 0)}
        if own:
            self._unsettled |= own
            self._tell(problems.not_counted_again(found.object.name, reason, own))
        return own

    def _answers(self, days: Sequence[int]) -> Iterator[RecordedAnswer]:
        counts = self.counts
        mixed = mixed_services(self._tracers)
        for number, day in enumerate(days):
            self._progress.at("days counted", number, len(days))
            apart = Apart(day, mixed) if mixed else None
            cut: list[str] = []
            for bundles in self._spool.groups(day, MAX_TRACE, cut):
                self._progress.tick()
                spans = self._bundles.spans(bundles, MAX_TRACE)
                made = self._assemble(spans)
                # A trace that runs past midnight comes with both days. Each day takes the answers that began in it.
                own = [answer for answer in made.answers if day <= answer.started < day + DAY]
                if own or min(bundle[4] for bundle in bundles) >= day:
                    counts.traces += 1
                    counts.orphans += made.orphans
                    counts.duplicates += made.duplicates
                    counts.add_others(made.others())
                    counts.traces_without_answer += not made.answers
                if apart is None or not apart.takes(list(spans), own):
                    counts.answers += len(own)
                    yield from own
            if apart is not None:
                yield from self._kept(apart)
            counts.traces_cut += len(cut)
            if cut:
                self._tell(problems.too_many_spans(day, len(cut), MAX_TRACE, cut[0]))

    def _kept(self, apart: Apart) -> Iterator[RecordedAnswer]:
        for answer in apart.kept():
            self.counts.answers += 1
            yield answer
        self.counts.add_others({REPEATED: apart.left_out, UNSCORED: apart.unscored})

    def _recorded(self, days: Sequence[int]) -> Iterator[RecordedAnswer]:
        for day in days:
            for rows in self._sealed.groups(day, MAX_TRACE, []):
                # Of an answer that was sealed more than once, the newest segment has the newest state.
                found = load_line(max(rows, key=lambda row: row[1])[2])
                if isinstance(found, RecordedAnswer) and day <= found.started < day + DAY:
                    self.counts.answers += 1
                    yield found

    def position(self, *, again: bool = False) -> dict[str, Any]:
        """Return what was read. Objects of days that could not be counted are left out, so they are read again.

        With ``again``, the new objects stay known, since their days were counted, but not as they are now.
        """
        kept = {entry.identity: entry for entry in self._gone if entry.last}
        for identity, entry in self._entries.items():
            if identity in self._fresh and any(_overlaps(entry, day, 0) for day in self._unsettled):
                continue
            if again and identity in self._fresh:
                entry = entry._replace(version=bytes(8), tail=0)
            kept[identity] = entry
        return positions.Position(kept, self._old.closed, tuple(sorted(self._told))).dump()

    def trace(self, trace_id: str, at: datetime | None) -> list[Span]:
        """Return the spans of a trace, or of the one that has the answer of this id.

        Raises:
            AccessError: a place cannot be listed.
            UnreadableError: it was not found, and some objects could not be read.
        """
        found, failed = search(
            self._places, trace_id, at, self._selection, self._assemble, self._now(), self._reader.classes
        )
        if failed:
            self._tell(problems.perhaps_in_part(failed))
        return found

    def sealed(self, answer_id: str, at: datetime | None) -> tuple[RecordedAnswer | None, list[str]]:
        """Return an answer that a sealed segment has, and the segments that could not be read.

        Raises:
            AccessError: a place cannot be listed.
        """
        return find_sealed(self._places, answer_id, at, self._selection, self._now())

    def check(self) -> None:
        """List each place, and read the beginning of its first object.

        Raises:
            ConnectorError: a place cannot be listed or read; the message says what to do.
        """
        for place in self._places:
            one = next(place.list(lambda start, end: True), None)
            if one is None:
                raise UnreadableError(f"{place.pattern} has no objects: correct `files`.")
            try:
                with place.open(one) as file:
                    file.read(8)
            except StorageError as error:
                raise UnreadableError(
                    f"{one.name} cannot be read ({error}): give the credentials the right to "
                    "read objects, such as s3:GetObject."
                ) from None

    def close(self) -> None:
        """Remove the spool."""
        self._spool.close()
        self._sealed.close()


def _expected_spans(one: Object) -> int:
    return one.size // (_COMPRESSED_SPAN if one.name.endswith(_COMPRESSED) else _SPAN)


def _open(item: tuple[Found, Part]) -> Watched:
    found, _ = item
    return found.place.open(found.object)


def _overlaps(entry: positions.Entry, day: int, edge: int) -> bool:
    return entry.first * HOUR < day + DAY + edge and (entry.last + 1) * HOUR > day - edge
