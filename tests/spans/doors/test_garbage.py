from __future__ import annotations

import gc
import weakref

import pytest

from datahub_llmops.spans.doors.garbage import collect, collected_by_hand


class Ring:
    """An object in a cycle."""

    def __init__(self) -> None:
        self.itself = self


def test_the_collector_is_off_inside_and_on_again_after_an_error() -> None:
    seen = []

    def fail() -> None:
        with collected_by_hand():
            seen.append(gc.isenabled())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [False]
    assert gc.isenabled()


def test_one_that_somebody_switched_off_stays_off() -> None:
    gc.disable()
    try:
        with collected_by_hand():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_cycles_do_not_pile_up() -> None:
    gone = weakref.ref(Ring())
    with collected_by_hand():
        other = weakref.ref(Ring())
        assert other() is not None
        collect()
        assert other() is None
    gc.collect()
    assert gone() is None
