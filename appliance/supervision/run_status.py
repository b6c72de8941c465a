"""Where one run of the appliance stands: what the supervisor changes, and what is said of it.

Nothing here acts. The supervisor is the only one that changes these values; the metrics server's thread only reads.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import psutil

from appliance import __version__
from appliance.alerts.messages import Degradation, Status
from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.supervision import health
from appliance.supervision.deployment_port import GuardFacts, Window
from appliance.supervision.health import CameraView
from appliance.supervision.list_watch import ListWatch
from appliance.supervision.metrics import CounterTotals, Gauge
from appliance.supervision.summary import CameraSummary, Summary
from appliance.supervision.workers import Worker
from appliance.vision.gpu import gpu_present

Phase = Literal["waiting", "running", "ended", "purged"]
CODES = (
    "alerts",
    "camera",
    "console",
    "disk",
    "end",
    "guard",
    "hub",
    "provider",
    "rate",
    "recall",
    "watchlist",
    "window",
)
"""Every code of a degradation, so that each has a series from the start."""

_COUNTED = {
    "people": "lfr_people_seen",
    "uncertain": "lfr_people_uncertain",
    "frames": "lfr_frames",
    "faces": "lfr_faces",
    "dropped": "lfr_frames_dropped",
    "alerts": "lfr_alerts",
}


@dataclass
class RunStatus:
    """One run.

    Attributes
    ----------
    halted
        Why recognition is stopped although the window is open (guard, expired list); empty when it is not.
    failure
        What went wrong that makes the run's exit code 1.
    people_base
        People seen by camera in earlier runs of this deployment.
    uncertain_base
        Of these, how many may have been counted before.
    alerts_base
        Alerts by camera that the journal held before this run.
    """

    config: Config
    clock: Callable[[], datetime]
    totals: CounterTotals
    window: Window
    phase: Phase = "waiting"
    hub: Worker | None = None
    console: Worker | None = None
    views: list[CameraView] = field(default_factory=list)
    sealed: ListWatch | None = None
    guard: GuardFacts = field(default_factory=GuardFacts)
    halted: str = ""
    halted_code: str = "guard"
    failure: str = ""
    ready: bool = False
    people_base: dict[str, int] = field(default_factory=dict)
    uncertain_base: int = 0
    alerts_base: dict[str, int] | None = None
    degraded: tuple[Degradation, ...] = ()
    began_at: float = field(default_factory=time.monotonic)
    gpu: bool = field(default_factory=gpu_present)

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Hub, console, cameras."""
        others = tuple(worker for worker in (self.hub, self.console) if worker is not None)
        return (*others, *self.cameras)

    @property
    def cameras(self) -> tuple[Worker, ...]:
        """The cameras' processes."""
        return tuple(view.worker for view in self.views)

    @property
    def hopeless_cameras(self) -> list[Worker]:
        """The cameras whose source is a file, a folder or made here, and which will never work: none comes back."""
        sources = {camera.name: camera.source for camera in self.config.cameras}

        def finite(source: str) -> bool:
            return source.startswith(("/", "test:", "street:")) and not source.startswith("/dev/")

        return [view.worker for view in self.views if finite(sources[view.name]) and view.worker.hopeless]

    def worker(self, name: str) -> Worker | None:
        """The worker of that name."""
        return next((worker for worker in self.workers if worker.name == name), None)

    @property
    def over(self) -> bool:
        """Whether recognition must be at its end."""
        return bool(self.window.over) or self.clock() >= self.window.ends

    @property
    def warm(self) -> bool:
        """Whether everything that should run now has said that it can work."""
        cameras = self.cameras if self.phase == "running" and not self.halted else ()
        others = tuple(worker for worker in (self.hub, self.console) if worker is not None)
        return all(worker.ready or worker.ended for worker in (*others, *cameras))

    def counted(self) -> dict[str, dict[str, int]]:
        """What was counted in this run, by camera."""
        base = self.alerts_base or {}
        found = {}
        for camera in self.config.cameras:
            name = camera.name
            counts = {key: int(self.totals.total(series, camera=name)) for key, series in _COUNTED.items()}
            counts["alerts"] = max(0, counts["alerts"] - base.get(name, 0))
            found[name] = counts
        return found

    def people_seen(self) -> int:
        """In the whole deployment."""
        return sum(counts["people"] for counts in self.counted().values()) + sum(self.people_base.values())

    def uncertain(self) -> int:
        """Of the people seen in the whole deployment, how many may have been counted before."""
        return sum(counts["uncertain"] for counts in self.counted().values()) + self.uncertain_base

    def find_degraded(self, now: float) -> tuple[Degradation, ...]:
        """What is not as it should be, the gravest first."""
        found: list[Degradation] = []
        for worker, code in ((self.hub, "hub"), (self.console, "console")):
            if worker is not None:
                found += health.worker_degradation(worker, code, now)
        found += health.loss_degradations(self.views, self.totals)
        if self.failure:
            found.append(Degradation(code="end", text=self.failure, severity="critical"))
        if self.phase in ("waiting", "running"):
            found += health.window_degradation(self.window.ends, self.clock())
            if self.sealed is not None and self.sealed.refused:
                text = f"A new watchlist was refused; the one before is in use. {self.sealed.refused}"
                found.append(Degradation(code="watchlist", text=text))
            if self.sealed is not None and self.sealed.facts is not None:
                found += health.expiry_degradation(self.sealed.facts.expires_at, self.window.ends, self.clock())
        if self.phase == "running":
            if self.halted:
                text = f"Recognition is stopped: {self.halted}"
                found.append(Degradation(code=self.halted_code, text=text, severity="critical"))
            else:
                found += health.camera_degradations(self.views, self.gpu)
                if self.guard.breach:
                    found.append(Degradation(code="guard", text=self.guard.sentence, severity="critical"))
                elif self.guard.unknown:
                    found.append(Degradation(code="rate", text=self.guard.sentence))
        found += health.disk_degradation(self.config.alerts.state_dir)
        return tuple(sorted(found, key=lambda one: one.severity != "critical"))

    def status(self, now: float) -> Status:
        """The status of this second."""
        cameras = [view.message(now, self.totals, self.people_base) for view in self.views]
        facts = self.sealed.facts if self.sealed is not None and self.phase in ("waiting", "running") else None
        return Status(
            at=utc_now(),
            deployment=self.config.deployment.id,
            location=self.config.deployment.location,
            phase=self.phase,
            starts=self.window.starts,
            ends=self.window.ends,
            cameras=cameras,
            people_seen=sum(camera.people_seen for camera in cameras),
            alerts=sum(camera.alerts for camera in cameras),
            watchlist_entries=len(facts) if facts else 0,
            watchlist=facts.digest[:12] if facts else "",
            false_alert_rate=self.guard.rate,
            false_alert_limit=self.config.guard.false_alert_rate,
            false_alert_interval=self.guard.interval,
            degraded=list(self.degraded),
        )

    def gauges(self) -> list[Gauge]:
        """What the supervisor itself knows, for a scrape."""
        now = time.monotonic()
        gauges = list(health.camera_gauges(self.views, now))
        left = (self.window.ends - self.clock()).total_seconds() if self.phase in ("waiting", "running") else 0.0
        codes = {one.code for one in self.degraded}
        gauges += [
            ("lfr_false_alert_rate", {}, math.nan if self.guard.rate is None else self.guard.rate),
            ("lfr_deployment_seconds_remaining", {}, max(0.0, left)),
            ("lfr_build_info", {"version": __version__}, 1.0),
            ("lfr_ready", {}, float(self.ready)),
            ("lfr_disk_free_bytes", {}, float(health.disk_free(self.config.alerts.state_dir))),
            ("lfr_process_resident_bytes", {"process": "supervisor"}, _resident(os.getpid())),
            *(("lfr_degraded", {"code": code}, float(code in codes)) for code in CODES),
        ]
        for worker in self.workers:
            labels, pid, beat = {"process": worker.name}, worker.pid, worker.beat
            heard = worker.alive and beat is not None
            gauges += [
                ("lfr_process_up", labels, float(worker.ready)),
                ("lfr_process_heartbeat_age_seconds", labels, now - worker.heard_at if heard else float("nan")),
                ("lfr_alerts_pending", labels, float(beat.pending) if beat else 0.0),
                ("lfr_process_resident_bytes", labels, _resident(pid) if pid else 0.0),
            ]
        return gauges

    def summary(self) -> Summary:
        """What this run did."""
        now, counted = time.monotonic(), self.counted()
        cameras = []
        for view in self.views:
            state, counts = view.message(now, self.totals, {}), counted[view.name]
            cameras.append(CameraSummary.of(state.model_copy(update={"alerts": counts["alerts"]})))
        return Summary(
            deployment=self.config.deployment.id,
            seconds=round(now - self.began_at, 1),
            cameras=cameras,
            restarts={worker.name: worker.restarts for worker in self.workers if worker.restarts},
        )


def _resident(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0.0
