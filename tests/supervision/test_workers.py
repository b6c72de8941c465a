"""A process is started, watched and restarted as its policy says; nothing here is a real one."""

from typing import Any

import pytest
from fake_process import FakeProcess

from appliance.core.heartbeat import Heartbeat
from appliance.supervision.workers import RestartPolicy, Worker, WorkerSpec


def test_the_wait_before_a_restart_doubles_up_to_a_cap() -> None:
    policy = RestartPolicy(first_delay_s=0.5, max_delay_s=8, jitter=0)
    assert [policy.delay_s(losses, 0.3) for losses in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_the_wait_is_jittered_so_that_processes_do_not_all_start_at_once(draw: Any, wait: Any) -> None:
    assert RestartPolicy(first_delay_s=1, jitter=0.25).delay_s(1, draw) == wait


class Given:
    """Makes fake processes; a spec whose processes can be told to leave."""

    def __init__(self, policy: RestartPolicy) -> None:
        self.made: list[FakeProcess] = []
        self.worker = Worker(WorkerSpec("hub", "nowhere:serve"), policy, draw=lambda: 0.5)

    def make(self) -> FakeProcess:
        self.made.append(FakeProcess(100 + len(self.made)))
        return self.made[-1]

    def beat(self, now: float, state: str = "ready", pid: int | None = None, **facts: Any) -> bool:
        number = self.made[-1].pid if pid is None else pid
        beat = Heartbeat(process="hub", incarnation="a", pid=number or 0, at_monotonic_s=now, state=state, **facts)
        return self.worker.take(beat, now)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    policy = RestartPolicy(jitter=0, first_delay_s=1, stuck_s=10, warming_s=30, cap=2, failed_delay_s=100)
    made = Given(policy)
    monkeypatch.setattr(WorkerSpec, "make", lambda _: made.make())
    made.worker.begin()
    made.worker.do_what_is_due(0.0)
    return made


def test_a_process_that_was_lost_comes_back_after_its_wait(given: Given) -> None:
    given.made[-1].leave(3)
    assert given.worker.do_what_is_due(5.0) == "left with exit code 3"
    assert given.worker.waits_s(5.0) == 1
    given.worker.do_what_is_due(5.9)
    assert (len(given.made), given.worker.restarts) == (1, 0)
    given.worker.do_what_is_due(6.0)
    assert (len(given.made), given.worker.restarts) == (2, 1)


def test_one_that_is_lost_too_often_in_a_row_has_failed_until_it_works_well_again(given: Given) -> None:
    now = 0.0
    for _ in range(3):
        given.made[-1].leave(-9)
        now += 200
        assert given.worker.do_what_is_due(now) == "killed by SIGKILL"
        assert given.worker.failed == (given.worker.losses > 2)
        now += 200
        given.worker.do_what_is_due(now)
    assert given.worker.hopeless
    given.beat(now)
    given.beat(now + 59)
    assert given.worker.failed
    given.beat(now + 61)
    assert (given.worker.failed, given.worker.losses) == (False, 0)


def test_one_that_falls_silent_is_killed_sooner_when_it_was_warm(given: Given) -> None:
    assert given.worker.do_what_is_due(29.0) is None
    assert given.beat(29.0, "starting")
    assert given.worker.do_what_is_due(31.0) == "killed: not ready after 31 s"
    assert given.made[-1].killed
    given.worker.do_what_is_due(40.0)
    given.beat(41.0)
    assert given.worker.do_what_is_due(50.0) is None
    assert given.worker.do_what_is_due(52.0) == "killed: no heartbeat for 11 s"


def test_a_heartbeat_of_an_earlier_process_is_not_taken(given: Given) -> None:
    assert not given.beat(1.0, pid=99)
    assert not given.worker.ready
    assert given.beat(1.0)
    assert given.worker.ready


def test_a_camera_with_warm_models_is_ready_whatever_its_source_does(given: Given) -> None:
    given.beat(1.0, "starting")
    assert not given.worker.ready
    given.beat(2.0, "starting", provider="cpu")
    assert given.worker.ready
    given.beat(3.0, "failed")
    assert not given.worker.ready


def test_what_said_that_it_failed_is_killed_after_a_while_and_its_complaint_is_kept(given: Given) -> None:
    given.beat(1.0, "failed", detail="There is no such file.")
    assert given.worker.do_what_is_due(5.0) is None
    assert given.worker.do_what_is_due(12.0) == "killed: it had failed (There is no such file)"
    assert not given.worker.hopeless, "once may be chance"
    given.worker.do_what_is_due(20.0)
    given.beat(21.0, "failed", detail="There is no such file.")
    given.worker.do_what_is_due(40.0)
    assert given.worker.hopeless


def test_what_has_ended_by_itself_stays_ended(given: Given) -> None:
    given.beat(1.0, "ended")
    given.made[-1].leave(0)
    assert given.worker.do_what_is_due(2.0) is None
    assert given.worker.ended
    given.worker.do_what_is_due(100.0)
    assert len(given.made) == 1


def test_what_leaves_unasked_is_lost_though_its_code_is_zero(given: Given) -> None:
    given.beat(1.0)
    given.made[-1].leave(0)
    assert given.worker.do_what_is_due(2.0) == "left without being asked to"


def test_what_was_asked_to_stop_is_not_lost_and_not_started_again(given: Given) -> None:
    given.worker.should_run = False
    given.made[-1].leave(-15)
    assert given.worker.do_what_is_due(2.0) is None
    given.worker.do_what_is_due(100.0)
    assert (len(given.made), given.worker.losses) == (1, 0)
