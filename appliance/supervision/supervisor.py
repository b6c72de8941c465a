"""The supervisor: starts hub, console and cameras, keeps them alive, says how they are, and ends them in order.

One thread, one loop. Everything that happens, happens in a round of the loop: heartbeats and processes (`processes`),
then, each at its own interval, the window, the watchlist file, the guard, the tally and the status.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from appliance.audit.act import APPLIANCE, Act
from appliance.audit.acts import CameraDown, CameraUp, DeploymentStop, GuardBreach, GuardClear
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuditError, LfrError
from appliance.core.heartbeat import Heartbeat, Instructions
from appliance.deployment import authority
from appliance.supervision.addresses import require_free
from appliance.supervision.channel import SupervisorChannel
from appliance.supervision.deployment_port import DeploymentPort
from appliance.supervision.health import CameraView
from appliance.supervision.list_watch import ListWatch
from appliance.supervision.loop import Intervals, Schedule, Signals, Stopped
from appliance.supervision.metrics import CounterTotals, Exporter
from appliance.supervision.processes import Processes, known
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
        self.status = RunStatus(config, clock, CounterTotals(), authority.window(config))
        self._policy = policy or RestartPolicy()
        self._notifier = notifier or Notifier()
        self._signals = Signals()
        self._schedule = Schedule()
        self._tally_waits = False
        self._audit = AuditRecord(config.alerts.state_dir)
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
        run, deployment = self.status, self.deployment
        self._list = run.sealed = ListWatch(self.config.watchlist.file, runtime, deployment, self._audit)
        self._hub = run.hub = Worker(deployment.specs.hub(runtime), self._policy)
        console = deployment.specs.console(runtime)
        run.console = Worker(console, self._policy) if console else None
        if run.over:
            if not self._start_late():
                return 0
        else:
            deployment.require()
            self._exporter.categories = tuple(sorted(self._list.open().used.by_category))
            run.people_base, run.uncertain_base = deployment.people_base(), deployment.uncertain_base()
        names = [camera.name for camera in self.config.cameras]
        specs = [deployment.specs.camera(name, runtime, self._list.accepted) for name in names]
        run.views = [CameraView(Worker(spec, self._policy)) for spec in specs]
        require_free(self.config)
        self._channel = SupervisorChannel(runtime)
        self._processes = Processes(run, self._channel, self._wanted, self._record)
        try:
            self._exporter.serve(self.config.metrics.listen)
            log.info("metrics", address=self.config.metrics.listen)
            self._signals.preparing = False
            return self._loop()
        finally:
            for worker in run.workers:
                worker.should_run = False
                worker.kill()
            self._exporter.close()
            self._channel.close()
            self._list.forget()

    def _start_late(self) -> bool:
        """Started after the end: destroy what is due; True when officers may still decide on kept alerts."""
        run = self.status
        run.phase = "ended"
        self.deployment.end(run.window.over or "the end time had passed when the appliance was started")
        self.deployment.purge()
        kept_until = self.deployment.kept_until()
        if run.console is None or kept_until is None or run.clock() >= kept_until:
            log.info(
                "this deployment is over; nothing was started",
                ended=run.window.over or utc_text(run.window.ends),
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
            self._processes.work_once(self.intervals.round_s)
            if self._schedule.due("status", self.intervals.status_s, now) and self._do_each_second(now):
                return self._shut_down()

    def _wanted(self, beat: Heartbeat) -> Instructions:
        worker, facts = self.status.worker(beat.process), self._list.facts
        return Instructions(
            watchlist=facts.digest if facts else "",
            watchlist_min_sequence=facts.sequence if facts else 0,
            recognise_until_utc=utc_text(self.status.window.ends),
            stop=worker is None or not worker.should_run,
        )

    def _do_each_second(self, now: float) -> bool:
        """What is done once a second; True when the run is over."""
        run = self.status
        over = self._follow_window(now)
        if run.phase == "running":
            if self._schedule.due("list", self.intervals.list_s, now):
                self._follow_list()
            if self._schedule.due("guard", self.intervals.guard_s, now):
                self._check_guard()
            if self._schedule.due("tally", self.intervals.tally_s, now):
                self._save_tally()
            over = over or self._sources_done()
        for view in run.views:
            state = view.look(now)
            changed = view.changed(now) if run.phase == "running" else None
            if changed:
                say, act = (log.error, CameraDown) if changed == "down" else (log.info, CameraUp)
                say(f"camera {view.name} is {changed}", state=state, **known(detail=view.detail))
                self._record(act(camera=view.name, state=state, detail=view.detail))
        self._tell(now)
        return over

    def _follow_window(self, now: float) -> bool:
        """Follow the deployment's window; True when there is nothing left to do."""
        run = self.status
        run.window = self.deployment.window()
        moment = run.clock()
        if run.phase == "waiting" and not run.over:
            if moment >= run.window.starts:
                self._start_cameras()
            elif self._schedule.due("countdown", self.intervals.countdown_s, now):
                left_min = round((run.window.starts - moment).total_seconds() / 60, 1)
                log.info("waiting for the start of the window", starts=utc_text(run.window.starts), left_min=left_min)
        if run.phase in ("waiting", "running") and run.over:
            self._end()
            self._schedule.due("purge", self.intervals.purge_s, now)
            return run.console is None
        if run.phase == "ended" and self._schedule.due("purge", self.intervals.purge_s, now):
            kept_until = self.deployment.kept_until()
            if kept_until is None or run.clock() >= kept_until:
                log.info("the time of the last alert is over: nothing is left to decide")
                return True
        return False

    def _start_cameras(self) -> None:
        run = self.status
        run.phase = "running"
        try:
            self.deployment.require()
            self.deployment.started()
        except LfrError as error:
            self._halt(str(error), "end")
            return
        entries = len(self._list.facts) if self._list.facts is not None else 0
        say = log.info if entries else log.warning
        say("recognition starts", cameras=len(run.views), entries=entries, ends=utc_text(run.window.ends))
        for worker in run.cameras:
            worker.begin()

    def _halt(self, why: str, code: str) -> None:
        """Stop recognition, not the deployment; `code` is that of the degradation."""
        if not self.status.halted:
            self.status.halted, self.status.halted_code = why, code
            log.error("recognition is stopped", why=why)
            self._stop(self.status.cameras, self.intervals.cameras_stop_s)
            self._record(DeploymentStop(why=why))

    def _follow_list(self) -> None:
        """Take up a list that changed; what cannot be recorded (a full disk) must not stop the cameras."""
        try:
            changed = self._list.poll()
        except (LfrError, OSError) as error:
            log.error("the change of the watchlist could not be recorded", reason=str(error))
            return
        if changed and self._list.facts:
            self._exporter.categories = tuple(sorted(self._list.facts.used.by_category))

    def _save_tally(self) -> None:
        """Write down who was counted; on a full disk the counts wait in memory, and everything else goes on."""
        try:
            self.deployment.save_tally(self.status.counted())
        except (LfrError, OSError) as error:
            if not self._tally_waits:
                log.error("the counts cannot be written and wait in memory", reason=str(error))
            self._tally_waits = True
        else:
            self._tally_waits = False

    def _check_guard(self) -> None:
        run = self.status
        before, now = run.guard, self.deployment.guard(run.people_seen(), run.uncertain())
        run.guard = now
        if now.breach != before.breach:
            say, act = (log.error, GuardBreach) if now.breach else (log.info, GuardClear)
            say("guard", sentence=now.sentence)
            self._record(act(sentence=now.sentence, rate=now.rate))
        if now.unknown and not before.unknown:
            log.warning("guard", sentence=now.sentence)
        if now.stop:
            self._halt(now.sentence, "guard")
        facts = self._list.facts
        if facts is not None and facts.expires_at is not None and run.clock() >= facts.expires_at:
            self._halt(f"The watchlist expired at {utc_text(facts.expires_at)}.", "watchlist")

    def _sources_done(self) -> bool:
        """Whether every source was finite and is done (or never will be)."""
        run = self.status
        if run.halted or not run.views:
            return False
        hopeless = run.hopeless_cameras
        if not all(worker.ended or worker in hopeless for worker in run.cameras):
            return False
        if hopeless:
            broken = "; ".join(f"{worker.name} ({worker.last_loss})" for worker in hopeless)
            run.failure = f"Not every camera could work: {broken}."
        log.info("all sources are done" if not hopeless else "no source is left")
        deadline = time.monotonic() + self.intervals.drain_s
        while time.monotonic() < deadline and not self._signals.count:
            self._processes.work_once(0.05)
            if self._hub.ready and self._hub.beat is not None and self._hub.beat.pending == 0:
                return True
        if not self._signals.count:
            log.error("the hub did not come to rest", waited_s=self.intervals.drain_s)
            why = f" ({self._hub.last_loss.rstrip('.')})" if self._hub.last_loss else ""
            run.failure = run.failure or f"The hub, which journals the alerts, was not there at the end{why}."
        return True

    def _tell(self, now: float) -> None:
        run = self.status
        run.degraded = run.find_degraded(now)
        self._channel.tell_hub(run.status(now))
        if not run.ready and run.warm:
            run.ready = True
            self._notifier.ready()
            took_s = round(now - run.began_at, 1)
            log.info("ready", phase=run.phase, after_s=took_s, metrics=self.config.metrics.listen)
        if self._hub.ready and now - self._hub.heard_at < self._policy.stuck_s:
            self._notifier.alive()
        live = sum(view.state == "live" for view in run.views)
        trouble = f"; {run.degraded[0].text}" if run.degraded else ""
        self._notifier.say(f"{run.phase}: {live} of {len(run.views)} cameras live{trouble}")

    def _record(self, act: Act) -> None:
        try:
            self._audit.append(act, APPLIANCE)
        except (AuditError, OSError) as error:
            log.error("the audit record could not be written", act=act.name, reason=str(error))

    # ------------------------------------------------------------------- end

    def _end(self) -> None:
        """The deployment is over: cameras stop, everything is destroyed, hub and console go on."""
        run = self.status
        reason = run.window.over or "the end time"
        log.info("the deployment ends: cameras stop and the watchlist is destroyed", reason=reason)
        was_running, run.phase = run.phase == "running", "ended"
        self._stop(run.cameras, self.intervals.cameras_stop_s)
        if was_running:
            self._save_tally()
        self._list.forget()
        self._in_a_thread(lambda: self.deployment.end(reason))
        kept_until = self.deployment.kept_until()
        log.info(
            "the deployment has ended",
            alerts_kept_until=utc_text(kept_until) if kept_until else "none are kept",
            **known(console=self.config.console.listen if run.console and self.config.console else ""),
        )

    def _in_a_thread(self, work: Callable[[], None]) -> None:
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
            self._processes.work_once(self.intervals.round_s)
            if self._schedule.due("status", self.intervals.status_s, now):
                self._tell(now)
        if failures:
            self.status.failure = failures[0]
            log.error("the end is not complete", reason=failures[0])

    def _stop(self, workers: Sequence[Worker], within_s: float) -> None:
        self._processes.stop(workers, within_s, at_once=lambda: self._signals.count > 1)

    def _shut_down(self) -> int:
        run = self.status
        self._notifier.stopping()
        self._stop([*run.cameras, *([run.console] if run.console else [])], self.intervals.cameras_stop_s)
        self._stop([self._hub], self.intervals.hub_stop_s)
        if run.phase == "running":
            self._save_tally()
            if self._signals.count and not run.halted:
                self._record(DeploymentStop(why="the appliance was stopped"))
        for view in run.views:
            view.look(time.monotonic())
        self.summary = run.summary()
        if self._signals.count > 1:
            log.warning("stopped at once, at the second signal")
            return 1
        if run.phase == "ended":
            self.deployment.purge()
        if run.failure:
            raise LfrError(run.failure)
        return 0
