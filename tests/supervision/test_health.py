"""A camera is judged by the age of its newest frame, not by what its process says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.core.heartbeat import Heartbeat
from appliance.core.telemetry import Meter
from appliance.supervision import health
from appliance.supervision.health import CameraView
from appliance.supervision.metrics import CounterTotals
from appliance.supervision.workers import Worker, WorkerSpec


class Process:
    pid = 7
    exitcode = None

    def is_alive(self) -> bool:
        return True


def view_of(state: str = "live", age_s: float | None = 0.1, at: float = 100.0, **facts: Any) -> CameraView:
    worker = Worker(WorkerSpec("camera/north", "nowhere:serve"))
    worker.should_run, worker.process = True, Process()
    view = CameraView(worker)
    beat = Heartbeat(
        process="camera/north", incarnation="a", pid=7, at_monotonic_s=at, state=state, last_frame_age_s=age_s
    )
    beat = beat.model_copy(update=facts)
    worker.take(beat, at)
    view.take(beat, at)
    return view


@pytest.mark.parametrize(
    ("state", "later_s", "judged"),
    [
        ("live", 0.5, "live"),
        ("live", 3.5, "stalled"),
        ("reconnecting", 0.5, "reconnecting"),
        ("draining", 0.5, "ended"),
        ("ready", 0.5, "starting"),
    ],
)
def test_what_a_camera_says_is_checked_against_its_newest_frame(state: Any, later_s: Any, judged: Any) -> None:
    assert view_of(state).look(100 + later_s) == judged


def test_down_and_up_are_told_once_each() -> None:
    view = view_of()
    view.look(104)
    assert view.changed(104) is None
    view.look(106)
    assert view.changed(106) == "down"
    assert view.changed(107) is None
    view.take(view.worker.beat, 108)
    view.worker.take(view.worker.beat, 108)
    view.look(108.1)
    assert view.changed(108.1) == "up"
    assert view.changed(108.2) is None


def test_a_camera_that_never_gave_a_picture_has_an_age_that_grows() -> None:
    assert view_of("failed", None).age_s(160) == 60


def test_a_gpu_that_is_not_used_is_said() -> None:
    found = list(health.camera_degradations([view_of(provider="cpu")], gpu=True))
    assert [one.code for one in found] == ["provider"]
    assert not list(health.camera_degradations([view_of(provider="cuda")], gpu=True))
    assert not list(health.camera_degradations([view_of(provider="cpu")], gpu=False))


@pytest.mark.parametrize(("kind", "severity"), [("exact", "warning"), ("hnsw", "critical")])
def test_a_search_index_that_misses_is_said(kind: Any, severity: Any) -> None:
    found = list(health.camera_degradations([view_of(index_recall=0.98, index_kind=kind)], gpu=False))
    assert [(one.code, one.severity) for one in found] == [("recall", severity)]


def test_alerts_that_a_camera_lost_are_said_also_after_its_process_was_lost() -> None:
    totals, view = CounterTotals(), view_of()
    assert not list(health.loss_degradations([view], totals))
    for incarnation, lost in (("a", 1), ("b", 2)):
        meter = Meter()
        meter.count("lfr_outbox_lost_total", lost, camera="north")
        totals.take("camera/north", incarnation, meter.snapshot())
    totals.lost("camera/north")
    (said,) = health.loss_degradations([view], totals)
    assert (said.code, said.severity) == ("alerts", "critical")
    assert "Camera north lost 3 alerts" in said.text


@pytest.mark.parametrize(("minutes", "said"), [(16, False), (14, True), (-1, False)])
def test_the_closing_window_is_said_a_quarter_of_an_hour_before(minutes: Any, said: Any) -> None:
    now = datetime(2026, 11, 21, 15, tzinfo=UTC)
    assert bool(list(health.window_degradation(now + timedelta(minutes=minutes), now))) == said


def test_the_last_minute_is_not_rounded_up() -> None:
    now = datetime(2026, 11, 21, 15, tzinfo=UTC)
    (said,) = health.window_degradation(now + timedelta(seconds=5), now)
    assert "less than a minute" in said.text
