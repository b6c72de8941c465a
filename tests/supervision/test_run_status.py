"""What is said of a run: never better than what is known."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_process import FakeProcess

from appliance.config.live import Config, parse
from appliance.core.heartbeat import Heartbeat
from appliance.core.telemetry import Meter
from appliance.lab.simulation.scenario import document
from appliance.supervision.deployment_port import GuardFacts, Window
from appliance.supervision.health import CameraView
from appliance.supervision.metrics import CounterTotals
from appliance.supervision.run_status import CODES, RunStatus
from appliance.supervision.workers import Worker, WorkerSpec

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "state").mkdir()
    cameras = [{"name": name, "source": "test:"} for name in ("north", "south")]
    return parse(document(tmp_path, cameras), tmp_path / "lfr.yaml")


def run_of(config: Config, **changes: Any) -> RunStatus:
    window = Window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    made = RunStatus(config, lambda: NOON, CounterTotals(), window, gpu=False)
    made.phase = "running"
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def counted(run: RunStatus, camera: str, **counts: float) -> None:
    meter = Meter()
    for name, count in counts.items():
        meter.count(f"lfr_{name}_total", count, camera=camera)
    run.totals.take(f"camera/{camera}", "a", meter.snapshot())


def view(name: str, **facts: Any) -> CameraView:
    worker = Worker(WorkerSpec(f"camera/{name}", "nowhere:serve"))
    worker.should_run, worker.process = True, FakeProcess(7)
    beat = Heartbeat(process=worker.name, incarnation="a", pid=7, at_monotonic_s=0.0, state="live", provider="cpu")
    made = CameraView(worker)
    worker.take(beat.model_copy(update={"last_frame_age_s": 0.0, **facts}), 0.0)
    assert worker.beat
    made.take(worker.beat, 0.0)
    made.look(0.0)
    return made


def gauge(run: RunStatus, name: str, **labels: str) -> float:
    (found,) = [value for have, with_labels, value in run.gauges() if have == name and with_labels == labels]
    return found


def test_people_are_added_up_over_cameras_and_earlier_runs(config: Config) -> None:
    run = run_of(config, people_base={"north": 10}, uncertain_base=4)
    counted(run, "north", people_seen=5, people_uncertain=2)
    counted(run, "south", people_seen=7)
    assert (run.people_seen(), run.uncertain()) == (22, 6)
    assert run.counted()["north"]["uncertain"] == 2


def test_alerts_of_earlier_runs_are_not_this_runs(config: Config) -> None:
    run = run_of(config, alerts_base={"north": 3})
    counted(run, "north", alerts=5)
    assert run.counted()["north"]["alerts"] == 2


class TestFalseAlertRate:
    @pytest.mark.parametrize("facts", [GuardFacts(), GuardFacts(unknown=True, sentence="It is not known.")])
    def test_one_that_is_not_known_is_no_number_anywhere(self, config: Config, facts: GuardFacts) -> None:
        run = run_of(config, guard=facts)
        assert math.isnan(gauge(run, "lfr_false_alert_rate"))
        assert run.status(0.0).false_alert_rate is None
        assert run.status(0.0).false_alert_interval is None

    def test_one_that_is_known_is_told_also_when_it_is_zero(self, config: Config) -> None:
        run = run_of(config, guard=GuardFacts(0.0, (0.0, 0.1)))
        assert gauge(run, "lfr_false_alert_rate") == 0.0
        assert run.status(0.0).false_alert_rate == 0.0

    def test_the_banner_says_why_it_is_not_known(self, config: Config) -> None:
        run = run_of(config, guard=GuardFacts(unknown=True, sentence="It is not known."))
        (said,) = [one for one in run.find_degraded(0.0) if one.code == "rate"]
        assert (said.text, said.severity) == ("It is not known.", "warning")
        run.degraded = (said,)
        assert gauge(run, "lfr_degraded", code="rate") == 1

    def test_a_breach_is_said_as_a_breach(self, config: Config) -> None:
        run = run_of(config, guard=GuardFacts(0.5, (0.2, 0.8), breach=True, sentence="Too many."))
        assert [(one.code, one.severity) for one in run.find_degraded(0.0) if one.code in ("guard", "rate")] == [
            ("guard", "critical")
        ]


def test_every_degradation_has_a_series_from_the_start(config: Config) -> None:
    series = {labels["code"] for name, labels, value in run_of(config).gauges() if name == "lfr_degraded"}
    assert series == set(CODES)


def test_the_gravest_comes_first_and_a_halt_replaces_what_cameras_say(config: Config) -> None:
    run = run_of(config, views=[view("north", trouble="few frames")], failure="The key is still there.")
    counted(run, "north", outbox_lost=1)
    found = run.find_degraded(0.0)
    assert [one.code for one in found if one.severity == "critical"] == ["alerts", "end"]
    assert next(one.code for one in found if one.severity == "warning") == "camera"
    assert found[0].severity == "critical"
    run.halted, run.halted_code = "The list expired.", "watchlist"
    assert "camera" not in {one.code for one in run.find_degraded(0.0)}
    assert "Recognition is stopped: The list expired." in {one.text for one in run.find_degraded(0.0)}


def test_warm_waits_for_cameras_only_while_they_should_recognise(config: Config) -> None:
    cold = view("north", state="starting", provider="")
    run = run_of(config, views=[cold])
    assert not run.warm
    run.halted = "stopped"
    assert run.warm
    run.halted, run.phase = "", "waiting"
    assert run.warm


def test_the_window_is_over_by_its_end_or_by_what_ended_it(config: Config) -> None:
    run = run_of(config)
    assert not run.over
    run.window = Window(run.window.starts, run.window.ends, "withdrawn")
    assert run.over
    run.window = Window(run.window.starts, NOON)
    assert run.over
    run.phase = "ended"
    assert gauge(run, "lfr_deployment_seconds_remaining") == 0


def test_a_worker_is_found_by_its_name(config: Config) -> None:
    run = run_of(config, hub=Worker(WorkerSpec("hub", "nowhere:serve")), views=[view("north")])
    assert run.worker("hub") is run.hub
    assert run.worker("camera/north") is run.cameras[0]
    assert run.worker("camera/west") is None


def test_the_summary_counts_this_run_alone(config: Config) -> None:
    run = run_of(config, views=[view("north")], people_base={"north": 100}, alerts_base={"north": 3})
    counted(run, "north", people_seen=5, alerts=4, frames=50)
    run.cameras[0].restarts = 2
    made = run.summary()
    assert (made.people_seen, made.alerts, made.frames) == (5, 1, 50)
    assert made.restarts == {"camera/north": 2}
    assert run.status(0.0).people_seen == 105
