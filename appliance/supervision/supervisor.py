"""The supervisor: starts hub, console and cameras, keeps them alive, says how they are, and ends them in order.

One thread, one loop. Everything that happens, happens in a turn of the loop: heartbeats, processes, then, each at its
own interval, the window, the watchlist file, the guard, the tally and the status.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import LfrError
from appliance.core.heartbeat import Heartbeat, Instructions
from appliance.supervision.addresses import require_free
from appliance.supervision.channel import SupervisorChannel
from appliance.supervision.deployment_port import DeploymentPort, Window
from appliance.supervision.health import CameraView
from appliance.supervision.list_watch import ListWatch
from appliance.supervision.loop import Due, Intervals, Signals, Stopped
from appliance.supervision.metrics import CounterTotals, Exporter
from appliance.supervision.run_folder import RunLock, RuntimeDir
from appliance.supervision.run_status import RunStatus
from appliance.supervision.summary import Summary
from appliance.supervision.systemd import Notifier
from appliance.supervision.workers import RestartPolicy, Worker

log = structlog.get_logger()


class Supervisor:
    """One run of the appliance.

    Parameters
    ----------
    config
        The configuration.
    deployment
        The deployment: `supervision.live_deployment.LiveDeployment`, or a scripted one in tests.
    policy, intervals
        How patient, how often.
    clock
        The time of day, aware.
    """

    def __init__(
        self,
        config: Config,
        deployment: DeploymentPort,
        *,
        policy: RestartPolicy | None = None,
        intervals: Intervals | None = None,
        clock: Callable[[], datetime] = utc_now,
        notifier: Notifier | None = None,
    ) -> None:
        self.config = config
        self.deployment = deployment
        self.intervals = intervals or Intervals()
        self.summary: Summary | None = None
        window = Window(config.deployment.starts, config.deployment.ends)
        self.status = RunStatus(config, clock, CounterTotals(), window)
        self._policy = policy or RestartPolicy()
        self._notifier = notifier or Notifier()
        self._signals = Signals()
        self._due = Due()
        self._tally_waits = False
        self._exporter = Exporter(
            self.status.totals,
            [camera.name for camera in config.cameras],
            self.status.gauges,
            lambda: {worker.name: worker.restarts for worker in self.status.workers},
        )

    # ------------------------------------------------------------------ start

    def run(self) -> int:
        """Run until the sources end, the deployment is over, or a signal comes; returns the exit code.

        Raises
        ------
        LfrError
            What keeps it from starting, or what was not done at its end.
        """
        self._signals.install()
        try:
            lock = RunLock(self.config.alerts.state_dir)
            try:
                self.deployment.prepare()
                self.status.window = self.deployment.window()
                runtime = RuntimeDir()
                try:
                    return self._run_in(runtime.path)
                finally:
                    runtime.close()
            finally:
                lock.close()
        except Stopped:
            log.info("stopped before anything was started")
            return 0
        finally:
            self._signals.restore()

    def _run_in(self, runtime: Path) -> int:
        it, deployment = self.status, self.deployment
        self._list = it.sealed = ListWatch(self.config.watchlist.file, runtime, deployment)
        self._hub = it.hub = Worker(deployment.hub_spec(runtime), self._policy)
        console = deployment.console_spec(runtime)
        it.console = Worker(console, self._policy) if console else None
        if it.over:
            if not self._start_late():
                return 0
        else:
            deployment.require()
            self._exporter.categories = tuple(sorted(self._list.open().counts))
            it.people_base, it.uncertain_base = deployment.people_base(), deployment.uncertain_base()
        names = [camera.name for camera in self.config.cameras]
        specs = [deployment.camera_spec(name, runtime, self._list.accepted) for name in names]
        it.views = [CameraView(Worker(spec, self._policy)) for spec in specs]
        require_free(self.config)
        self._channel = SupervisorChannel(runtime)
        try:
            self._exporter.serve(self.config.metrics.listen)
            log.info("metrics", address=self.config.metrics.listen)
            self._signals.preparing = False
            return self._loop()
        finally:
            for worker in it.workers:
                worker.should_run = False
                worker.kill()
            self._exporter.close()
            self._channel.close()
            self._list.forget()

    def _start_late(self) -> bool:
        """Started after the end: destroy what is due; True when officers may still decide on kept alerts."""
        it = self.status
        it.phase = "ended"
        self.deployment.end(it.window.over or "the end time had passed when the appliance was started")
        self.deployment.purge()
        kept_until = self.deployment.kept_until()
        if it.console is None or kept_until is None or it.clock() >= kept_until:
            log.info(
                "this deployment is over; nothing was started",
                ended=it.window.over or utc_text(it.window.ends),
                alerts_kept_until=utc_text(kept_until) if kept_until else "none are kept",
            )
            self._notifier.ready()  # its work is done; to leave without a word would be a failed start
            return False
        log.info("this deployment is over; alerts can be decided on until they are purged", purge=utc_text(kept_until))
        return True

    # ------------------------------------------------------------------- loop

    def _loop(self) -> int:
        self._hub.begin()
        if self.status.console is not None:
            self.status.console.begin()
        while True:
            if self._signals.count:
                log.info("stopping: a signal came")
                return self._shut_down()
            now = time.monotonic()
            self._turn(self.intervals.turn_s)
            if self._due("status", self.intervals.status_s, now) and self._each_second(now):
                return self._shut_down()

    def _turn(self, wait_s: float) -> None:
        """Hear what has arrived, and start, kill or reap what is due."""
        workers = self.status.workers
        self._hear(int(wait_s * 1000))
        if any(worker.process is not None and worker.process.exitcode is not None for worker in workers):
            self._hear(20)  # the last heartbeat of a process that just left
        now = time.monotonic()
        for worker in workers:
            restarts = worker.restarts
            lost = worker.tend(now)
            if lost:
                self.status.totals.lost(worker.name)
                say = log.error if worker.failed else log.warning
                often = " too often; it counts as failed" if worker.failed else ""
                say(f"{worker.name} was lost{often}", why=lost, again_in_s=round(worker.waits_s(now), 1))
            if worker.restarts > restarts:
                log.info(f"{worker.name} starts again", restarts=worker.restarts)
                self._record("process.restarted", worker=worker.name, why=worker.last_fall, restarts=worker.restarts)

    def _hear(self, wait_ms: int) -> None:
        it = self.status
        for beat in self._channel.beats(wait_ms, self._wanted):
            worker = it.worker(beat.process)
            if worker is None:
                continue
            now, was_ready = time.monotonic(), worker.ready
            it.totals.take(beat.process, beat.incarnation, beat.samples)
            if worker is it.hub and it.alerts_base is None:
                names = [camera.name for camera in self.config.cameras]
                it.alerts_base = {name: int(it.totals.total("lfr_alerts", camera=name)) for name in names}
            if worker.heard(beat, now):
                for view in it.views:
                    if view.worker is worker:
                        view.take(beat, now)
                if worker.ready and not was_ready:
                    took_s = round(now - worker.started_at, 1)
                    log.info(f"{worker.name} is ready", after_s=took_s, **_known(provider=beat.provider))

    def _wanted(self, beat: Heartbeat) -> Instructions:
        worker, facts = self.status.worker(beat.process), self._list.facts
        return Instructions(
            watchlist=facts.digest if facts else "",
            watchlist_min_sequence=facts.sequence if facts else 0,
            recognise_until_utc=utc_text(self.status.window.ends),
            stop=worker is None or not worker.should_run,
        )

    def _each_second(self, now: float) -> bool:
        """What is done once a second; True when the run is over."""
        it = self.status
        over = self._keep_window(now)
        if it.phase == "running":
            if self._due("list", self.intervals.list_s, now):
                self._follow_list()
            if self._due("guard", self.intervals.guard_s, now):
                self._keep_guard()
            if self._due("tally", self.intervals.tally_s, now):
                self._keep_tally()
            over = over or self._sources_done()
        for view in it.views:
            state = view.look(now)
            turned = view.turned(now) if it.phase == "running" else None
            if turned:
                say = log.error if turned == "down" else log.info
                say(f"camera {view.name} is {turned}", state=state, **_known(detail=view.detail))
                self._record(f"camera.{turned}", camera=view.name, state=state, detail=view.detail)
        self._say(now)
        return over

    def _keep_window(self, now: float) -> bool:
        """Follow the deployment's window; True when there is nothing left to do."""
        it = self.status
        it.window = self.deployment.window()
        moment = it.clock()
        if it.phase == "waiting" and not it.over:
            if moment >= it.window.starts:
                self._start_cameras()
            elif self._due("countdown", self.intervals.countdown_s, now):
                left = int((it.window.starts - moment).total_seconds())
                log.info("waiting for the start of the window", starts=utc_text(it.window.starts), left=_span(left))
        if it.phase in ("waiting", "running") and it.over:
            self._end()
            self._due("purge", self.intervals.purge_s, now)
            return it.console is None
        if it.phase == "ended" and self._due("purge", self.intervals.purge_s, now):
            kept_until = self.deployment.kept_until()
            if kept_until is None or it.clock() >= kept_until:
                log.info("the time of the last alert is over: nothing is left to decide")
                return True
        return False

    def _start_cameras(self) -> None:
        it = self.status
        it.phase = "running"
        try:
            self.deployment.require()
            self.deployment.started()
        except LfrError as error:
            self._halt(str(error), "end")
            return
        entries = len(self._list.facts) if self._list.facts is not None else 0
        say = log.info if entries else log.warning
        say("recognition starts", cameras=len(it.views), entries=entries, ends=utc_text(it.window.ends))
        for worker in it.cameras:
            worker.begin()

    def _halt(self, why: str, code: str) -> None:
        """Stop recognition, not the deployment; `code` is that of the degradation."""
        if not self.status.halted:
            self.status.halted, self.status.halted_code = why, code
            log.error("recognition is stopped", why=why)
            self._stop(self.status.cameras, self.intervals.cameras_stop_s)
            self._record("deployment.stop", why=why)

    def _follow_list(self) -> None:
        """Take up a list that changed; what cannot be recorded (a full disk) must not stop the cameras."""
        try:
            changed = self._list.poll()
        except (LfrError, OSError) as error:
            log.error("the change of the watchlist could not be recorded", reason=str(error))
            return
        if changed and self._list.facts:
            self._exporter.categories = tuple(sorted(self._list.facts.counts))

    def _keep_tally(self) -> None:
        """Write down who was counted; on a full disk the counts wait in memory, and everything else goes on."""
        try:
            self.deployment.save_tally(self.status.counted())
        except (LfrError, OSError) as error:
            if not self._tally_waits:
                log.error("the counts cannot be written and wait in memory", reason=str(error))
            self._tally_waits = True
        else:
            self._tally_waits = False

    def _keep_guard(self) -> None:
        it = self.status
        before, it.guard = it.guard, self.deployment.guard(it.people_seen(), it.uncertain())
        if it.guard.breach and not before.breach:
            log.error("guard", sentence=it.guard.sentence)
            self._record("guard.breach", sentence=it.guard.sentence, rate=it.guard.rate)
        elif before.breach and not it.guard.breach:
            log.info("guard", sentence=it.guard.sentence)
            self._record("guard.clear", sentence=it.guard.sentence, rate=it.guard.rate)
        if it.guard.unknown and not before.unknown:
            log.warning("guard", sentence=it.guard.sentence)
        if it.guard.stop:
            self._halt(it.guard.sentence, "guard")
        facts = self._list.facts
        if facts is not None and facts.expires_at is not None and it.clock() >= facts.expires_at:
            self._halt(f"The watchlist expired at {utc_text(facts.expires_at)}.", "watchlist")

    def _sources_done(self) -> bool:
        """Whether every source was finite and is done (or never will be)."""
        it = self.status
        if it.halted or not it.views:
            return False
        hopeless = [view.worker for view in it.views if self._finite(view) and _hopeless(view.worker)]
        if not all(worker.ended or worker in hopeless for worker in it.cameras):
            return False
        if hopeless:
            broken = "; ".join(f"{worker.name} ({worker.last_fall})" for worker in hopeless)
            it.failure = f"Not every camera could work: {broken}."
        log.info("all sources are done" if not hopeless else "no source is left")
        deadline = time.monotonic() + self.intervals.drain_s
        while time.monotonic() < deadline and not self._signals.count:
            self._turn(0.05)
            if self._hub.ready and self._hub.beat is not None and self._hub.beat.pending == 0:
                return True
        if not self._signals.count:
            log.error("the hub did not come to rest", waited_s=self.intervals.drain_s)
            why = f" ({self._hub.last_fall.rstrip('.')})" if self._hub.last_fall else ""
            it.failure = it.failure or f"The hub, which journals the alerts, was not there at the end{why}."
        return True

    def _finite(self, view: CameraView) -> bool:
        """Whether a source is a file, a folder or made here: waiting for it to come back is useless."""
        source = next(camera.source for camera in self.config.cameras if camera.name == view.name)
        return source.startswith(("/", "test:", "street:")) and not source.startswith("/dev/")

    def _say(self, now: float) -> None:
        it = self.status
        it.degraded = it.find_degraded(now)
        self._channel.tell_hub(it.status(now))
        if not it.ready and it.warm:
            it.ready = True
            self._notifier.ready()
            took_s = round(now - it.began_at, 1)
            log.info("ready", phase=it.phase, after_s=took_s, metrics=self.config.metrics.listen)
        if self._hub.ready and now - self._hub.heard_at < self._policy.stuck_s:
            self._notifier.alive()
        live = sum(view.state == "live" for view in it.views)
        trouble = f"; {it.degraded[0].text}" if it.degraded else ""
        self._notifier.say(f"{it.phase}: {live} of {len(it.views)} cameras live{trouble}")

    def _record(self, act: str, **details: object) -> None:
        try:
            self.deployment.record(act, **details)
        except (LfrError, OSError) as error:
            log.error("the audit record could not be written", act=act, reason=str(error))

    # ------------------------------------------------------------------- end

    def _end(self) -> None:
        """The deployment is over: cameras stop, everything is destroyed, hub and console go on."""
        it = self.status
        reason = it.window.over or "the end time"
        log.info("the deployment ends: cameras stop and the watchlist is destroyed", reason=reason)
        was_running, it.phase = it.phase == "running", "ended"
        self._stop(it.cameras, self.intervals.cameras_stop_s)
        if was_running:
            self._keep_tally()
        self._list.forget()
        self._while_turning(lambda: self.deployment.end(reason))
        kept_until = self.deployment.kept_until()
        log.info(
            "the deployment has ended",
            alerts_kept_until=utc_text(kept_until) if kept_until else "none are kept",
            **_known(console=self.config.console.listen if it.console and self.config.console else ""),
        )

    def _while_turning(self, work: Callable[[], None]) -> None:
        """Do something slow in a thread, so that officers and systemd do not wait for it meanwhile."""
        failures: list[str] = []

        def run() -> None:
            try:
                work()
            except (LfrError, OSError) as error:
                failures.append(str(error))

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="end")
        thread.start()
        while thread.is_alive():
            now = time.monotonic()
            self._turn(self.intervals.turn_s)
            if self._due("status", self.intervals.status_s, now):
                self._say(now)
        if failures:
            self.status.failure = failures[0]
            log.error("the end is not complete", reason=failures[0])

    def _stop(self, workers: Sequence[Worker], within_s: float) -> None:
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
        it = self.status
        self._notifier.stopping()
        self._stop([*it.cameras, *([it.console] if it.console else [])], self.intervals.cameras_stop_s)
        self._stop([self._hub], self.intervals.hub_stop_s)
        if it.phase == "running":
            self._keep_tally()
            if self._signals.count and not it.halted:
                self._record("deployment.stop", why="the appliance was stopped")
        now = time.monotonic()
        for view in it.views:
            view.look(now)
        self.summary = it.summary()
        if self._signals.count > 1:
            log.warning("stopped at once, at the second signal")
            return 1
        if it.phase == "ended":
            self.deployment.purge()
        if it.failure:
            raise LfrError(it.failure)
        return 0


def _hopeless(worker: Worker) -> bool:
    """It fell too often, or said twice that its source is no good."""
    return worker.failed or (worker.falls >= 2 and bool(worker.complaint))


def _known(**details: str) -> dict[str, str]:
    """Only what there is something to say about."""
    return {name: text for name, text in details.items() if text}


def _span(seconds: int) -> str:
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"
