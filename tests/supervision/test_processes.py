"""The processes of a run are heard, restarted with a record of it, and stopped within their time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from fake_process import FakeProcess

from appliance.audit.act import Act
from appliance.config.live import parse
from appliance.core.heartbeat import Heartbeat, Instructions
from appliance.core.telemetry import Meter
from appliance.deployment.authority import Window
from appliance.lab.simulation.scenario import document
from appliance.supervision import processes
from appliance.supervision.channel import SupervisorChannel
from appliance.supervision.health import CameraView
from appliance.supervision.metrics import CounterTotals
from appliance.supervision.processes import Processes, known
from appliance.supervision.run_status import RunStatus
from appliance.supervision.workers import RestartPolicy, Worker, WorkerSpec

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Channel:
    """Gives the heartbeats that wait.

    Attributes
    ----------
    silent
        How often it is listened to in vain before that.
    then
        Happens right after it was listened to, once.
    """

    def __init__(self) -> None:
        self.waiting: list[Heartbeat] = []
        self.silent = 0
        self.then: Callable[[], None] | None = None

    def beats(self, _: int, answer: Callable[[Heartbeat], Instructions]) -> Iterator[Heartbeat]:
        self.silent -= 1
        while self.waiting and self.silent < 0:
            beat = self.waiting.pop(0)
            yield beat
            answer(beat)
        then, self.then = self.then, None
        if then:
            then()


class Run:
    """A run with a hub and one camera whose processes are fakes."""

    def __init__(self, folder: Path) -> None:
        config = parse(document(folder, [{"name": "north", "source": "test:"}]), folder / "lfr.yaml")
        window = Window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
        policy = RestartPolicy(first_delay_s=0.0, jitter=0)
        self.status = RunStatus(config, lambda: NOON, CounterTotals(), window, gpu=False)
        self.hub = self.status.hub = Worker(WorkerSpec("hub", "nowhere:serve"), policy)
        self.camera = Worker(WorkerSpec("camera/north", "nowhere:serve"), policy)
        self.status.views = [CameraView(self.camera)]
        self.channel, self.acts = Channel(), list[tuple[str, dict[str, Any]]]()
        channel = cast("SupervisorChannel", self.channel)
        self.processes = Processes(self.status, channel, lambda _: Instructions(), self._record)

    def _record(self, act: Act) -> None:
        self.acts.append((act.name, act.as_json()))

    def beat(self, worker: Worker, state: str, meter: Meter | None = None, **facts: object) -> None:
        beat = Heartbeat(
            process=worker.name,
            incarnation=str(worker.pid),
            pid=worker.pid or 0,
            at_monotonic_s=0.0,
            state=state,
            samples=(meter or Meter()).snapshot(),
        )
        self.channel.waiting.append(beat.model_copy(update=facts))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    numbers = iter(range(100, 200))
    monkeypatch.setattr(WorkerSpec, "make", lambda _: FakeProcess(next(numbers)))
    made = Run(tmp_path)
    for worker in made.status.workers:
        worker.begin()
    made.processes.work_once(0.0)
    return made


def fake(worker: Worker) -> FakeProcess:
    assert isinstance(worker.process, FakeProcess)
    return worker.process


def test_what_a_worker_says_reaches_its_counts_and_its_camera(run: Run) -> None:
    meter = Meter()
    meter.count("lfr_people_seen_total", 3, camera="north")
    run.beat(run.camera, "live", meter, last_frame_age_s=0.1)
    run.processes.work_once(0.0)
    assert run.camera.ready
    assert run.status.people_seen() == 3
    assert run.status.views[0].last_frame_at is not None


def test_what_nobody_of_this_run_says_is_passed_over(run: Run) -> None:
    run.beat(Worker(WorkerSpec("camera/west", "nowhere:serve")), "live")
    run.processes.work_once(0.0)
    assert run.status.worker("camera/west") is None


def test_alerts_that_the_journal_held_before_are_those_of_the_hubs_first_word(run: Run) -> None:
    for alerts in (7, 9):
        meter = Meter()
        meter.count("lfr_alerts_total", alerts, camera="north", category="theft")
        run.beat(run.hub, "ready", meter)
        run.processes.work_once(0.0)
    assert run.status.alerts_base == {"north": 7}
    assert run.status.counted()["north"]["alerts"] == 2


def test_a_process_that_was_lost_starts_again_and_that_is_recorded(run: Run) -> None:
    meter = Meter()
    meter.count("lfr_frames_total", 5, camera="north")
    run.beat(run.camera, "live", meter)
    fake(run.camera).leave(-11)
    run.processes.work_once(0.0)
    assert run.status.counted()["north"]["frames"] == 5, "its last word was heard before it was given up"
    ((act, details),) = run.acts
    assert (act, details["worker"], details["why"]) == ("process.restarted", "camera/north", "killed by SIGSEGV")
    assert run.camera.restarts == 1


def test_a_last_word_that_is_still_on_its_way_is_waited_for(run: Run) -> None:
    run.beat(run.camera, "ended")
    run.channel.silent = 4
    fake(run.camera).leave(0)
    run.processes.work_once(0.0)
    assert (run.camera.ended, run.camera.restarts, run.acts) == (True, 0, []), "a recording is not read twice"


def test_who_leaves_after_it_was_listened_to_is_judged_in_the_next_round(run: Run) -> None:
    def end() -> None:
        run.beat(run.camera, "ended")
        fake(run.camera).leave(0)

    fake(run.hub).leave(-9)  # so that it is listened a second time, and after that the camera leaves
    run.channel.then = lambda: setattr(run.channel, "then", end)
    run.processes.work_once(0.0)
    assert not run.camera.ended
    run.processes.work_once(0.0)
    assert (run.camera.ended, run.camera.restarts) == (True, 0)


@pytest.mark.parametrize("code", [-9, 3])
def test_who_says_nothing_more_is_not_waited_for_long(run: Run, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LAST_WORD_S", 0.05)
    fake(run.camera).leave(code)
    run.processes.work_once(0.0)
    assert run.camera.restarts == 1


def test_stopping_waits_for_those_who_leave_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = fake(run.camera)

    def leave(worker: Worker) -> None:
        worker.should_run = False
        stopped.leave(0)

    monkeypatch.setattr(Worker, "ask_to_stop", leave)
    run.processes.stop([run.camera], 5.0, at_once=lambda: False)
    assert (run.camera.process, stopped.killed) == (None, False)
    assert run.hub.alive


@pytest.mark.parametrize(("within_s", "hurry"), [(0.0, False), (60.0, True)])
def test_who_does_not_leave_in_time_or_at_a_second_signal_is_killed(
    run: Run, monkeypatch: pytest.MonkeyPatch, within_s: float, hurry: bool
) -> None:
    monkeypatch.setattr(Worker, "ask_to_stop", lambda worker: setattr(worker, "should_run", False))
    stubborn = fake(run.camera)
    run.processes.stop([run.camera], within_s, at_once=lambda: hurry)
    assert stubborn.killed
    assert run.camera.restarts == 0


def test_a_line_of_the_log_says_only_what_is_known() -> None:
    assert known(provider="", detail="x") == {"detail": "x"}
