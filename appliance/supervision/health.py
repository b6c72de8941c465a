"""How the appliance is, put together from heartbeats each second: camera states, degradations, gauges.

Nothing here acts; the supervisor does what follows.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, cast

from appliance.alerts.messages import CameraState, Degradation
from appliance.core.clock import utc_now
from appliance.core.heartbeat import Heartbeat
from appliance.gallery.limits import RECALL_WANTED
from appliance.supervision.metrics import PROVIDERS, CounterTotals, Gauge
from appliance.supervision.workers import Worker

State = Literal["starting", "live", "reconnecting", "stalled", "ended", "stopped", "failed"]

STALLED_S = 3.0
DOWN_S = 5.0
UP_S = 2.0
CLOSING = timedelta(minutes=15)
DISK_LOW_BYTES = 1_000_000_000
DISK_CRITICAL_BYTES = 200_000_000


@dataclass
class CameraView:
    """One camera as the supervisor sees it over time.

    Attributes
    ----------
    down
        It gave no frame for `DOWN_S` and has not returned; recorded once each way.
    """

    worker: Worker
    began_at: float | None = None
    last_frame_at: float | None = None
    down: bool = False
    state: State = "starting"
    since: datetime = field(default_factory=utc_now)
    detail: str = ""

    @property
    def name(self) -> str:
        """The camera's name."""
        return self.worker.name.removeprefix("camera/")

    def take(self, beat: Heartbeat, now: float) -> None:
        """A heartbeat came."""
        if self.began_at is None and (self.worker.ready or beat.state == "failed"):
            self.began_at = now
        if beat.last_frame_age_s is not None:
            self.last_frame_at = max(self.last_frame_at or -math.inf, now - beat.last_frame_age_s)

    def age_s(self, now: float) -> float | None:
        """Seconds since the newest frame, or since it should have given one; None before that."""
        newest = [moment for moment in (self.last_frame_at, self.began_at) if moment is not None]
        return max(0.0, now - max(newest)) if newest else None

    def look(self, now: float) -> State:
        """Settle state and detail as of now."""
        state, detail = self._judge(now)
        if state != self.state:
            self.since = utc_now()
        self.state, self.detail = state, detail
        return state

    def _judge(self, now: float) -> tuple[State, str]:
        worker, beat = self.worker, self.worker.beat
        if worker.ended:
            return "ended", "its file is done"
        if worker.failed:
            return "failed", f"its process keeps failing ({worker.last_loss}); tried again once a minute"
        if not worker.should_run:
            return "stopped", ""
        if not worker.alive or beat is None:
            return "starting", f"its process was lost ({worker.last_loss}) and starts again" if worker.last_loss else ""
        if beat.state == "draining":
            return "ended", "its file is done; the last alerts are handed over"
        if beat.state in ("live", "reconnecting", "failed", "ended"):
            age = self.age_s(now)
            if beat.state == "live" and age is not None and age > STALLED_S:
                return "stalled", f"no picture for {age:.0f} s"
            return cast("State", beat.state), beat.detail
        return "starting", beat.detail

    def changed(self, now: float) -> Literal["down", "up"] | None:
        """Whether it just went down or came back."""
        age = self.age_s(now)
        giving = self.state == "live" and age is not None and age < UP_S
        if self.down and (giving or self.state in ("ended", "stopped")):
            self.down = False
            return "up" if giving else None
        if not self.down and self.state not in ("ended", "stopped"):
            silent = self.state == "failed" or (age is not None and age > DOWN_S)
            if silent:
                self.down = True
                return "down"
        return None

    def message(self, now: float, totals: CounterTotals, base: dict[str, int]) -> CameraState:
        """For status and console."""
        beat, camera = self.worker.beat, self.name
        age = self.age_s(now) if self.last_frame_at is not None else None
        return CameraState(
            name=camera,
            state=self.state,
            since=self.since,
            detail=self.detail,
            last_frame_age_s=None if age is None else round(age, 2),
            fps=round(beat.fps, 1) if beat and self.state == "live" else 0.0,
            people_seen=base.get(camera, 0) + int(totals.total("lfr_people_seen", camera=camera)),
            alerts=int(totals.total("lfr_alerts", camera=camera)),
            frames=int(totals.total("lfr_frames", camera=camera)),
            dropped=int(totals.total("lfr_frames_dropped", camera=camera)),
            provider=beat.provider if beat else "",
            restarts=self.worker.restarts,
        )


def camera_degradations(views: list[CameraView], gpu: bool) -> Iterator[Degradation]:
    """What is wrong with cameras, each in a sentence."""
    for view in views:
        beat = view.worker.beat
        if view.state in ("stalled", "reconnecting", "failed") or view.down:
            why = f": {view.detail}" if view.detail else ""
            text = f"Camera {view.name} gives no pictures ({view.state} since {view.since:%H:%M:%S} UTC){why}."
            severity: Literal["warning", "critical"] = "critical" if view.down else "warning"
            yield Degradation(code="camera", text=text.replace("..", "."), camera=view.name, severity=severity)
        if beat is None or not view.worker.alive:
            continue
        if beat.trouble:
            yield Degradation(code="camera", text=f"Camera {view.name}: {beat.trouble}", camera=view.name)
        if gpu and beat.provider.lower().startswith("cpu"):
            text = f"Camera {view.name} runs on the CPU although this machine has an NVIDIA GPU."
            yield Degradation(code="provider", text=text, camera=view.name)
        if beat.index_recall is not None and beat.index_recall < RECALL_WANTED:
            found = f"{beat.index_recall:.2%} of what the exact search finds"
            if beat.index_kind == "exact":
                text = f"Camera {view.name}: the search index found {found}; the exact search is used instead."
                yield Degradation(code="recall", text=text, camera=view.name)
            else:
                text = f"Camera {view.name}: the search index finds only {found}."
                yield Degradation(code="recall", text=text, camera=view.name, severity="critical")


def loss_degradations(views: list[CameraView], totals: CounterTotals) -> Iterator[Degradation]:
    """Said from the first alert that a camera lost to the end of the run, also when its process starts again."""
    for view in views:
        lost = int(totals.total("lfr_outbox_lost", camera=view.name))
        if lost:
            what = "1 alert that was" if lost == 1 else f"{lost} alerts that were"
            text = f"Camera {view.name} lost {what} never in the journal; the log says why."
            yield Degradation(code="alerts", text=text, camera=view.name, severity="critical")


def worker_degradation(worker: Worker, code: str, now: float, silent_s: float = 3.0) -> Iterator[Degradation]:
    """What is wrong with hub or console."""
    if not worker.should_run:
        return
    if worker.failed:
        text = f"The {worker.name} keeps failing ({worker.last_loss}); it is tried again once a minute."
        yield Degradation(code=code, text=text, severity="critical")
    elif not worker.alive:
        text = f"The {worker.name} was lost ({worker.last_loss}) and starts again."
        yield Degradation(code=code, text=text, severity="critical")
    elif worker.ready and now - worker.heard_at > silent_s:
        text = f"The {worker.name} has not been heard for {now - worker.heard_at:.0f} s."
        yield Degradation(code=code, text=text, severity="critical")


def window_degradation(ends: datetime, moment: datetime) -> Iterator[Degradation]:
    """Said when the window closes soon."""
    left = ends - moment
    if timedelta() < left < CLOSING:
        seconds = left.total_seconds()
        soon = "less than a minute" if seconds < 60 else f"{round(seconds / 60)} min"
        text = f"Recognition ends in {soon}, at {ends:%H:%M} UTC. An extension needs a new authorisation."
        yield Degradation(code="window", text=text)


def expiry_degradation(expires_at: datetime | None, ends: datetime, moment: datetime) -> Iterator[Degradation]:
    """Said when the watchlist expires soon, and before the window ends."""
    if expires_at is not None and expires_at < ends and expires_at - moment < CLOSING:
        text = f"The watchlist expires at {expires_at:%H:%M} UTC; recognition stops then."
        yield Degradation(code="watchlist", text=text)


def disk_degradation(state_dir: Path) -> Iterator[Degradation]:
    """Said when there is little room left for the journal."""
    free = disk_free(state_dir)
    if free < DISK_LOW_BYTES:
        text = f"Only {free / 1e6:.0f} MB are free where alerts are kept ({state_dir})."
        yield Degradation(code="disk", text=text, severity="critical" if free < DISK_CRITICAL_BYTES else "warning")


def disk_free(state_dir: Path) -> int:
    """Free bytes where the journal is."""
    return shutil.disk_usage(state_dir).free


def provider_name(provider: str) -> str:
    """`cpu`, `cuda` or `tensorrt` from what a worker says (`CUDAExecutionProvider` or `cuda`)."""
    name = provider.lower().removesuffix("executionprovider")
    return "tensorrt" if name == "trt" else name


def camera_gauges(views: list[CameraView], now: float) -> Iterator[Gauge]:
    """Gauges that follow from the cameras' heartbeats."""
    running = dict.fromkeys(PROVIDERS, 0)
    entries, recalls = 0, []
    for view in views:
        beat = view.worker.beat if view.worker.alive else None
        yield "lfr_camera_up", {"camera": view.name}, float(view.state == "live" and not view.down)
        age = view.age_s(now)
        yield "lfr_camera_last_frame_age_seconds", {"camera": view.name}, math.nan if age is None else age
        if beat is not None:
            entries = max(entries, beat.watchlist_entries)
            if beat.provider:
                name = provider_name(beat.provider)
                running[name] = running.get(name, 0) + 1
            if beat.index_recall is not None:
                recalls.append(beat.index_recall)
    yield "lfr_watchlist_entries", {}, float(entries)
    yield "lfr_index_recall", {}, min(recalls) if recalls else math.nan
    for name, count in running.items():
        yield "lfr_execution_provider", {"provider": name}, float(count)
