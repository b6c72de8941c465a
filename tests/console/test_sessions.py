"""Sessions end by themselves; guessing gets slower; neither grows without bound."""

from typing import Any

import pytest

from appliance.console import sessions as module
from appliance.console.sessions import LockOut, Sessions
from appliance.console.users import User

ANNA = User("anna", "operator", "hash")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def clock() -> Any:
    return Clock()


def test_a_session_is_found_by_its_own_token_only(clock: Any) -> None:
    sessions = Sessions(clock=clock)
    session = sessions.open(ANNA)
    assert sessions.get(session.token) is session
    assert sessions.get("") is None
    assert sessions.get(session.csrf) is None
    assert session.token not in repr(session)


def test_a_session_ends_after_its_hours_however_busy(clock: Any) -> None:
    sessions = Sessions(hours=1, idle_minutes=60, clock=clock)
    session = sessions.open(ANNA)
    for _ in range(7):
        clock.now += 500
        sessions.touch(session)
    assert sessions.alive(session)
    clock.now += 101
    assert sessions.get(session.token) is None


def test_near_the_end_of_its_hours_a_session_no_longer_promises_to_last(clock: Any) -> None:
    sessions = Sessions(hours=1, idle_minutes=30, clock=clock)
    session = sessions.open(ANNA)
    assert sessions.can_last(session)
    clock.now += 1799
    sessions.touch(session)
    assert sessions.can_last(session)
    clock.now += 2
    sessions.touch(session)
    assert not sessions.can_last(session)


def test_a_session_ends_when_nobody_does_anything(clock: Any) -> None:
    sessions = Sessions(hours=8, idle_minutes=10, clock=clock)
    session = sessions.open(ANNA)
    clock.now += 599
    assert sessions.seconds_left(session) == pytest.approx(1)
    clock.now += 1
    assert not sessions.alive(session)
    assert len(sessions) == 0


def test_sessions_are_bounded(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    sessions = Sessions(clock=clock)
    opened = [sessions.open(ANNA) for _ in range(5)]
    assert [sessions.alive(session) for session in opened] == [False, False, True, True, True]


def test_guessing_gets_slower_and_slower_but_ends(clock: Any) -> None:
    lock = LockOut(clock)
    waits = []
    for _ in range(12):
        clock.now += lock.wait_s("anna", "10.0.0.9")
        waits.append(lock.failed("anna", "10.0.0.9"))
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:8] == [30, 60, 120, 240]
    assert max(waits) == module.LONGEST_LOCK_S


def test_the_name_is_locked_from_every_address_and_the_address_for_every_name(clock: Any) -> None:
    lock = LockOut(clock)
    for i in range(5):
        lock.failed("anna", f"10.0.0.{i}")
    assert lock.wait_s("Anna ", "10.0.0.99") > 0
    assert lock.wait_s("ben", "10.0.0.1") == 0
    for i in range(20):
        lock.failed(f"user{i}", "10.0.0.50")
    assert lock.wait_s("ben", "10.0.0.50") > 0


def test_a_sign_in_forgives_the_name_but_not_the_address(clock: Any) -> None:
    lock = LockOut(clock)
    for _ in range(19):
        lock.failed("ben", "10.0.0.50")
    lock.succeeded("ben")
    assert lock.wait_s("ben", "10.0.0.51") == 0
    lock.failed("anna", "10.0.0.50")
    assert lock.wait_s("ben", "10.0.0.50") > 0


def test_what_is_remembered_of_failures_is_bounded(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRIED", 10)
    lock = LockOut(clock)
    for i in range(100):
        lock.failed(f"user{i}", f"10.0.{i}.1")
    assert len(lock) == 10
