"""The supervisor: starts hub, console and cameras, keeps them alive, says how they are, and ends them in order.

One thread, one loop. Everything that happens, happens in a turn of the loop: heartbeats, processes, then, each at its
own interval, the window, the watchlist file, the guard, the tally and the status.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Literal

import psutil
import structlog

from appliance import __version__
from appliance.alerts.alert import Degradation, Status
from appliance.config import Config
from appliance.errors import LfrError
from appliance.ops import board
from appliance.ops.board import CameraView
from appliance.ops.listwatch import ListWatch
from appliance.ops.metrics import Exporter, Gauge, Ledger
from appliance.ops.notify import Notifier
from appliance.ops.rooms import GuardFacts, Rooms, Window
from appliance.ops.runtime import RunLock, RuntimeDir
from appliance.ops.summary import CameraSummary, Summary
from appliance.ops.switchboard import Switchboard
from appliance.ops.workers import RestartPolicy, Worker
from appliance.telemetry import Beat, Wanted
from appliance.types import utc_now, utc_text

log = structlog.get_logger()
Phase = Literal["waiting", "running", "ended", "purged"]


@dataclass(frozen=True)
class Pace:
    """How often and how long, in seconds; the defaults are the appliance's own."""

    turn_s: float = 0.1
    status_s: float = 1.0
    list_s: float = 2.0
    tally_s: float = 5.0
    guard_s: float = 2.0
    countdown_s: float = 300.0
    cameras_stop_s: float = 2.5
    hub_stop_s: float = 1.5
    drain_s: float = 10.0
    purge_s: float = 30.0


class _Stopped(BaseException):
    """A signal came before the loop ran."""


class _Due:
    """Says when an interval has passed."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def __call__(self, what: str, every_s: float, now: float) -> bool:
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_s
        return True


@dataclass
class _Signals:
    """Which signals came; the second one means at once."""

    count: int = 0
    preparing: bool = True
    before: dict[int, object] = field(default_factory=dict)

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.before[number] = signal.signal(number, self._came)

    def restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _came(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        if self.preparing:
            raise _Stopped(number)


class Supervisor:
    """One run of the appliance.

    Parameters
    ----------
    config
        The configuration.
    rooms
        The deployment: `ops.duties.Duties`, or a scripted one in tests.
    policy, pace
        How patient, how often.
    clock
        The time of day, aware.
    """

    def __init__(
        self,
        config: Config,
        rooms: Rooms,
        *,
        policy: RestartPolicy | None = None,
        pace: Pace | None = None,
        clock: Callable[[], datetime] = utc_now,
        notifier: Notifier | None = None,
    ) -> None:
        self.config = config
        self.rooms = rooms
        self.pace = pace or Pace()
        self.clock = clock
        self.phase: Phase = "waiting"
        self.summary: Summary | None = None
        self.ledger = Ledger()
        self._policy = policy or RestartPolicy()
        self._notifier = notifier or Notifier()
        self._signals = _Signals()
        self._due = _Due()
        self._ready = False
        self._guard = GuardFacts()
        self._halted = ""
        self._gpu = board.gpu_present()
        self._began = time.monotonic()
        self._degraded: list[Degradation] = []
        self._window = Window(config.deployment.starts, config.deployment.ends)
        self._views: list[CameraView] = []
        self._base: dict[str, int] = {}
        self._failure = ""
        self.exporter = Exporter(
            self.ledger,
            [camera.name for camera in config.cameras],
            self._gauges,
            lambda: {worker.name: worker.restarts for worker in self._workers},
        )

    # ------------------------------------------------------------------ start

    def run(self) -> int:
        """Run until the sources end, the deployment is over, or a signal comes; returns the exit code.

        Raises
        ------
        LfrError
            What keeps it from starting.
        """
        self._signals.install()
        lock = RunLock(self.config.alerts.state_dir)
        try:
            return self._run()
        except _Stopped:
            log.info("stopped before anything was started")
            return 0
        finally:
            self._signals.restore()
            lock.close()

    def _run(self) -> int:
        self.rooms.prepare()
        self._window = self.rooms.window()
        runtime = RuntimeDir()
        try:
            return self._run_in(runtime.path)
        finally:
            runtime.close()

    def _run_in(self, runtime: Path) -> int:
        self._list = ListWatch(self.config.watchlist.file, runtime, self.rooms)
        self._hub = Worker(self.rooms.hub_spec(runtime), self._policy)
        console = self.rooms.console_spec(runtime)
        self._console = Worker(console, self._policy) if console else None
        if self._over():
            if not self._late():
                return 0
        else:
            self.rooms.require()
            facts = self._list.open()
            self.exporter.categories = tuple(sorted(facts.counts))
            self._base = self.rooms.people_base()
        cameras = [
            Worker(self.rooms.camera_spec(camera.name, runtime, self._list.accepted), self._policy)
            for camera in self.config.cameras
        ]
        self._views = [CameraView(worker) for worker in cameras]
        self._board = Switchboard(runtime)
        try:
            port = self.exporter.serve(self.config.metrics.listen)
            log.info("metrics", address=self.config.metrics.listen, port=port)
            self._signals.preparing = False
            return self._loop()
        finally:
            for worker in self._workers:
                worker.wanted = False
                worker.kill()
            self.exporter.close()
            self._board.close()
            self._list.forget()

    def _late(self) -> bool:
        """Started after the end: destroy what is due; True when officers may still decide on kept alerts."""
        self.phase = "ended"
        self.rooms.end(self._window.over or "the end time had passed when the appliance was started")
        purge_at = self.rooms.purge_due()
        if self._console is None or purge_at is None:
            log.info(
                "this deployment is over; nothing was started",
                ended=self._window.over or utc_text(self._window.ends),
                alerts_kept_until=utc_text(purge_at) if purge_at else "none are kept",
            )
            return False
        log.info("this deployment is over; alerts can be decided on until they are purged", purge=utc_text(purge_at))
        return True

    # ------------------------------------------------------------------- loop

    @property
    def _workers(self) -> list[Worker]:
        others = [worker for worker in (getattr(self, "_hub", None), getattr(self, "_console", None)) if worker]
        return [*others, *(view.worker for view in self._views)]

    def _loop(self) -> int:
        self._hub.begin()
        if self._console is not None:
            self._console.begin()
        while True:
            if self._signals.count:
                log.info("stopping: a signal came")
                return self._shut_down()
            now = time.monotonic()
            self._turn(now)
            if self._due("status", self.pace.status_s, now) and self._each_second(now):
                return self._shut_down()

    def _turn(self, now: float, wait_s: float | None = None) -> None:
        wait = self.pace.turn_s if wait_s is None else wait_s
        self._hear(int(wait * 1000))
        if any(worker.process is not None and worker.process.exitcode is not None for worker in self._workers):
            self._hear(20)  # the last heartbeat of a process that just left
        now = time.monotonic()
        for worker in self._workers:
            restarts = worker.restarts
            lost = worker.tend(now)
            if lost:
                self.ledger.lost(worker.name)
                say = log.error if worker.failed else log.warning
                say(
                    f"{worker.name} was lost" + (" too often; it counts as failed" if worker.failed else ""),
                    why=lost,
                    again_in_s=round(worker.waits_s(now), 1),
                )
            if worker.restarts > restarts:
                log.info(f"{worker.name} starts again", restarts=worker.restarts)
                self._record("process.restarted", worker=worker.name, why=worker.last_fall, restarts=worker.restarts)

    def _hear(self, wait_ms: int) -> None:
        for beat in self._board.beats(wait_ms, self._wanted):
            worker = next((one for one in self._workers if one.name == beat.process), None)
            if worker is None:
                continue
            now = time.monotonic()
            was_ready = worker.ready
            self.ledger.take(beat.process, beat.incarnation, beat.samples)
            if worker.heard(beat, now):
                for view in self._views:
                    if view.worker is worker:
                        view.take(beat, now)
                if worker.ready and not was_ready:
                    log.info(f"{worker.name} is ready", provider=beat.provider or None, after_s=_age(worker, now))

    def _wanted(self, beat: Beat) -> Wanted:
        worker = next((one for one in self._workers if one.name == beat.process), None)
        facts = self._list.facts
        return Wanted(
            watchlist=facts.digest if facts else "",
            watchlist_min_sequence=facts.sequence if facts else 0,
            recognise_until_utc=utc_text(self._window.ends),
            stop=worker is None or not worker.wanted,
        )

    def _each_second(self, now: float) -> bool:
        """What is done once a second; True when the run is over."""
        over = self._keep_window(now)
        if self.phase == "running":
            if self._due("list", self.pace.list_s, now) and self._list.poll() and self._list.facts:
                self.exporter.categories = tuple(sorted(self._list.facts.counts))
            if self._due("guard", self.pace.guard_s, now):
                self._keep_guard()
            if self._due("tally", self.pace.tally_s, now):
                self.rooms.save_tally(self._seen())
            over = over or self._sources_done()
        for view in self._views:
            state = view.look(now)
            turned = view.turned(now) if self.phase == "running" else None
            if turned:
                say = log.error if turned == "down" else log.info
                say(f"camera {view.name} is {turned}", state=state, detail=view.detail or None)
                self._record(f"camera.{turned}", camera=view.name, state=state, detail=view.detail)
        self._say(now)
        return over

    def _keep_window(self, now: float) -> bool:
        """Follow the deployment's window; True when there is nothing left to do."""
        self._window = self.rooms.window()
        moment = self.clock()
        if self.phase == "waiting" and not self._over():
            if moment >= self._window.starts:
                self._start_cameras()
            elif self._due("countdown", self.pace.countdown_s, now):
                left = int((self._window.starts - moment).total_seconds())
                log.info("waiting for the start of the window", starts=utc_text(self._window.starts), left=_span(left))
        if self.phase in ("waiting", "running") and self._over():
            self._end()
            self._due("purge", self.pace.purge_s, now)
            return self._console is None
        if self.phase == "ended" and self._due("purge", self.pace.purge_s, now) and self.rooms.purge_due() is None:
            self.phase = "purged"
            log.info("every alert is purged: nothing is left to decide")
            return True
        return False

    def _over(self) -> bool:
        return bool(self._window.over) or self.clock() >= self._window.ends

    def _start_cameras(self) -> None:
        try:
            self.rooms.require()
        except LfrError as error:
            self._halt(str(error))
            return
        self.phase = "running"
        self._record("deployment.start", cameras=[view.name for view in self._views])
        log.info("recognition starts", cameras=len(self._views), ends=utc_text(self._window.ends))
        if not self._halted:
            for view in self._views:
                view.worker.begin()

    def _halt(self, why: str) -> None:
        """Stop recognition, not the deployment."""
        if not self._halted:
            self._halted = why
            log.error("recognition is stopped", why=why)
            self._stop([view.worker for view in self._views], self.pace.cameras_stop_s)
            self._record("deployment.stop", why=why)

    def _keep_guard(self) -> None:
        seen = sum(counts["people"] for counts in self._seen().values()) + sum(self._base.values())
        before, self._guard = self._guard, self.rooms.guard(seen)
        if self._guard.breach and not before.breach:
            log.error("guard", sentence=self._guard.sentence)
            self._record("guard.breach", sentence=self._guard.sentence, rate=self._guard.rate)
        elif before.breach and not self._guard.breach:
            log.info("guard", sentence=self._guard.sentence)
            self._record("guard.clear", sentence=self._guard.sentence, rate=self._guard.rate)
        if self._guard.stop:
            self._halt(self._guard.sentence)
        facts = self._list.facts
        if facts is not None and facts.expires_at is not None and self.clock() >= facts.expires_at:
            self._halt(f"The watchlist expired at {utc_text(facts.expires_at)}.")

    def _end(self) -> None:
        reason = self._window.over or "the end time"
        log.info("the deployment ends: cameras stop and the watchlist is destroyed", reason=reason)
        running, self.phase = self.phase == "running", "ended"
        self._stop([view.worker for view in self._views], self.pace.cameras_stop_s)
        if running:
            self.rooms.save_tally(self._seen())
        self._list.forget()
        try:
            self.rooms.end(reason)
        except LfrError as error:
            self._failure = str(error)
            log.error("the end is not complete", reason=self._failure)
        purge_at = self.rooms.purge_due()
        log.info(
            "the deployment has ended",
            alerts_kept_until=utc_text(purge_at) if purge_at else "none are kept",
            console=self.config.console.listen if self._console and self.config.console else None,
        )

    def _sources_done(self) -> bool:
        """Whether every source was finite and is done (or never will be)."""
        if self._halted or not self._views:
            return False
        hopeless = [v for v in self._views if _finite(self.config, v) and (v.worker.failed or v.state == "failed")]
        if not all(view.worker.ended or view in hopeless for view in self._views):
            return False
        if hopeless:
            broken = "; ".join(f"{view.name}: {view.detail or view.worker.last_fall}" for view in hopeless)
            self._failure = f"These sources could not be read: {broken}."
        log.info("all sources are done" if not hopeless else "no source is left")
        deadline = time.monotonic() + self.pace.drain_s
        while time.monotonic() < deadline and not self._signals.count:
            self._turn(time.monotonic(), 0.05)
            if self._hub.ready and self._hub.beat is not None and self._hub.beat.pending == 0:
                return True
        log.warning("the hub did not come to rest", waited_s=self.pace.drain_s)
        return True

    # ------------------------------------------------------------- what it says

    def _say(self, now: float) -> None:
        self._degraded = list(self._find_degraded(now))
        self._board.tell_hub(self.status(now))
        if not self._ready and self._warm():
            self._ready = True
            self._notifier.ready()
            log.info("ready", phase=self.phase, after_s=round(now - self._began, 1), metrics=self.config.metrics.listen)
        if self._hub.ready and now - self._hub.heard_at < self._policy.stuck_s:
            self._notifier.alive()
        live = sum(view.state == "live" for view in self._views)
        trouble = f"; {self._degraded[0].text}" if self._degraded else ""
        self._notifier.say(f"{self.phase}: {live} of {len(self._views)} cameras live{trouble}")

    def _warm(self) -> bool:
        cameras = [view.worker for view in self._views] if self.phase == "running" and not self._halted else []
        others = [self._hub, *([self._console] if self._console else [])]
        return self.phase != "purged" and all(worker.ready or worker.ended for worker in [*others, *cameras])

    def _find_degraded(self, now: float) -> list[Degradation]:
        found = list(board.worker_degradation(self._hub, "hub", now))
        if self._console is not None:
            found += board.worker_degradation(self._console, "console", now)
        if self._failure:
            found.append(Degradation(code="end", text=self._failure, severity="critical"))
        if self.phase in ("waiting", "running"):
            found += board.window_degradation(self._window.ends, self.clock())
            if self._list.refused:
                text = f"A new watchlist was refused; the one before is in use. {self._list.refused}"
                found.append(Degradation(code="watchlist", text=text))
        if self.phase == "running":
            found += board.camera_degradations(self._views, self._gpu)
            if self._halted:
                text = f"Recognition is stopped: {self._halted}"
                found.append(Degradation(code="guard", text=text, severity="critical"))
            elif self._guard.breach:
                found.append(Degradation(code="guard", text=self._guard.sentence, severity="critical"))
        return [*found, *board.disk_degradation(self.config.alerts.state_dir)]

    def status(self, now: float) -> Status:
        """The status of this second."""
        cameras = [view.message(now, self.ledger, self._base) for view in self._views]
        facts = self._list.facts if self.phase in ("waiting", "running") else None
        return Status(
            at=utc_now(),
            deployment=self.config.deployment.id,
            location=self.config.deployment.location,
            phase=self.phase,
            starts=self._window.starts,
            ends=self._window.ends,
            cameras=cameras,
            people_seen=sum(camera.people_seen for camera in cameras),
            alerts=sum(camera.alerts for camera in cameras),
            watchlist_entries=len(facts) if facts else 0,
            watchlist=facts.digest[:12] if facts else "",
            false_alert_rate=self._guard.rate,
            false_alert_limit=self.config.guard.false_alert_rate,
            false_alert_interval=self._guard.interval,
            degraded=self._degraded,
        )

    def _gauges(self) -> list[Gauge]:
        now = time.monotonic()
        gauges = list(board.camera_gauges(self._views, now))
        left = (self._window.ends - self.clock()).total_seconds() if self.phase in ("waiting", "running") else 0.0
        gauges += [
            ("lfr_false_alert_rate", {}, self._guard.rate or 0.0),
            ("lfr_deployment_seconds_remaining", {}, max(0.0, left)),
            ("lfr_build_info", {"version": __version__}, 1.0),
            ("lfr_ready", {}, float(self._ready)),
            ("lfr_disk_free_bytes", {}, float(board.disk_free(self.config.alerts.state_dir))),
            ("lfr_process_resident_bytes", {"process": "supervisor"}, _resident(os.getpid())),
        ]
        codes = {"camera", "hub", "provider", "window", "guard", "watchlist", "recall", "disk", "console", "end"}
        found = {one.code for one in self._degraded}
        gauges += [("lfr_degraded", {"code": code}, float(code in found)) for code in sorted(codes)]
        for worker in self._workers:
            labels, pid = {"process": worker.name}, worker.pid
            heard = worker.alive and worker.beat is not None
            gauges.append(("lfr_process_up", labels, float(worker.ready)))
            gauges.append(
                ("lfr_process_heartbeat_age_seconds", labels, now - worker.heard_at if heard else float("nan"))
            )
            gauges.append(("lfr_alerts_pending", labels, float(worker.beat.pending) if worker.beat else 0.0))
            gauges.append(("lfr_process_resident_bytes", labels, _resident(pid) if pid else 0.0))
        return gauges

    def _seen(self) -> dict[str, dict[str, int]]:
        """What was counted in this run, by camera."""
        names = [camera.name for camera in self.config.cameras]
        keys = {"people": "lfr_people_seen", "frames": "lfr_frames", "faces": "lfr_faces", "alerts": "lfr_alerts"}
        return {name: {key: int(self.ledger.total(base, camera=name)) for key, base in keys.items()} for name in names}

    def _record(self, act: str, **details: object) -> None:
        try:
            self.rooms.record(act, **details)
        except LfrError as error:
            log.error("the audit record could not be written", act=act, reason=str(error))

    # ------------------------------------------------------------------- end

    def _stop(self, workers: list[Worker], within_s: float) -> None:
        """Ask, wait, and kill what has not left in time."""
        for worker in workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + within_s
        while any(worker.process is not None for worker in workers):
            self._hear(20)
            now = time.monotonic()
            for worker in workers:
                worker.tend(now)
            if now > deadline or self._signals.count > 1:
                for worker in workers:
                    if worker.process is not None:
                        log.warning(f"{worker.name} did not stop in time and was killed")
                        worker.kill()
        self._hear(20)  # their last counts

    def _shut_down(self) -> int:
        self._notifier.stopping()
        cameras = [view.worker for view in self._views]
        self._stop([*cameras, *([self._console] if self._console else [])], self.pace.cameras_stop_s)
        self._stop([self._hub], self.pace.hub_stop_s)
        if self._views and self.phase == "running":
            self.rooms.save_tally(self._seen())
            if self._signals.count and not self._halted:
                self._record("deployment.stop", why="the appliance was stopped")
        self.summary = self._summarise()
        if self._signals.count > 1:
            log.warning("stopped at once, at the second signal")
            return 1
        if self._failure:
            raise LfrError(self._failure)
        return 0

    def _summarise(self) -> Summary:
        now = time.monotonic()
        states = [view.message(now, self.ledger, {}) for view in self._views]
        return Summary(
            deployment=self.config.deployment.id,
            seconds=round(now - self._began, 1),
            cameras=[CameraSummary.of(state) for state in states],
            restarts={worker.name: worker.restarts for worker in self._workers if worker.restarts},
        )


def _finite(config: Config, view: CameraView) -> bool:
    """Whether a source is a file or folder: waiting for it to come back is useless."""
    source = next(camera.source for camera in config.cameras if camera.name == view.name)
    return source.startswith("/") and not source.startswith("/dev/")


def _age(worker: Worker, now: float) -> float:
    return round(now - worker.started_at, 1)


def _span(seconds: int) -> str:
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"


def _resident(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0.0
