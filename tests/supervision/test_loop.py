"""Intervals pass once, and signals are counted or interrupt a slow start."""

import os
import signal
from collections.abc import Iterator

import pytest

from appliance.supervision.loop import Intervals, Schedule, Signals, Stopped


def test_something_is_due_at_once_and_then_after_its_interval() -> None:
    schedule = Schedule()
    assert [schedule.due("list", 2.0, now) for now in (0.0, 1.9, 2.0, 2.1, 9.0, 9.5)] == [
        True, False, True, False, True, False,
    ]  # fmt: skip


def test_things_are_due_independently() -> None:
    schedule = Schedule()
    assert schedule.due("list", 2.0, 0.0)
    assert schedule.due("guard", 2.0, 0.0)


def test_the_whole_appliance_is_gone_within_five_seconds_of_being_asked() -> None:
    assert Intervals().cameras_stop_s + Intervals().hub_stop_s < 5


@pytest.fixture
def signals() -> Iterator[Signals]:
    made = Signals()
    made.install()
    yield made
    made.restore()


def test_a_signal_interrupts_a_slow_start(signals: Signals) -> None:
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals.count == 1


def test_later_signals_are_only_counted(signals: Signals) -> None:
    signals.preparing = False
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert signals.count == 2


def test_what_handled_signals_before_does_so_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    made = Signals()
    made.install()
    assert signal.getsignal(signal.SIGTERM) != before
    made.restore()
    assert signal.getsignal(signal.SIGTERM) == before
