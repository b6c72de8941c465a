"""One supervised process: started by its factory, watched by its heartbeats, restarted with back-off and a cap.

`Worker` holds no socket and no thread: whoever owns it hands it heartbeats (`take`) and time (`do_what_is_due`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

import structlog

from appliance.core.errors import LfrError
from appliance.core.heartbeat import Heartbeat
from appliance.core.process import die_with_parent, name_process
from appliance.core.reference import find
from appliance.core.telemetry import configure_logging

log = structlog.get_logger()
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class RestartPolicy:
    """How patient the supervisor is with a worker; every time in seconds.

    Attributes
    ----------
    first_delay_s, max_delay_s
        The wait before the first restart, doubled for each further one up to the longest, each ± `jitter` of itself.
    cap, cap_window_s
        After more than `cap` losses in a row, none of them after `cap_window_s` of good work, the worker counts as
        failed: it is then tried only once in `failed_delay_s`.
    stuck_s, warming_s
        A worker that was ready and stays silent this long is killed; one that is still warming has longer.
    """

    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    jitter: float = 0.25
    cap: int = 5
    cap_window_s: float = 60.0
    failed_delay_s: float = 60.0
    stuck_s: float = 10.0
    warming_s: float = 300.0

    def delay_s(self, losses: int, draw: float) -> float:
        """The wait before restart number `losses` (from 1); `draw` is uniform in 0 to 1."""
        delay = min(self.first_delay_s * 2.0 ** max(0, losses - 1), self.max_delay_s)
        return delay * (1 + self.jitter * (2 * draw - 1))


@dataclass(frozen=True)
class WorkerSpec:
    """How a process is made; calling it again is the restart.

    Attributes
    ----------
    name
        As its heartbeats say: `hub`, `console` or `camera/NAME`.
    target
        `package.module:function`, called in the new process with `settings`; the supervisor never imports it, as what
        a worker needs would fill its memory too.
    settings
        Anything picklable; a callable without arguments is asked for it at each start.
    """

    name: str
    target: str
    settings: Any = None

    def make(self) -> BaseProcess:
        """A new process, not yet started."""
        settings = self.settings() if callable(self.settings) else self.settings
        return _spawn.Process(
            target=_enter, args=(self.name, self.target, settings, os.getpid()), name=self.name, daemon=True
        )


def _enter(name: str, target: str, settings: Any, supervisor: int) -> None:
    """The first thing that runs in a worker."""
    die_with_parent()
    if os.getppid() != supervisor:
        os._exit(1)
    # A core dump would write frames, crops and templates to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(PermissionError):
        os.setsid()  # Ctrl-C in the terminal is the supervisor's to handle, in its order
    name_process(f"lfr {name.removeprefix('camera/')}")
    configure_logging(name)
    try:
        find(target)(settings)
    except LfrError as error:
        structlog.get_logger().error(str(error))
        sys.exit(1)


@dataclass
class Worker:
    """A process that is kept running until it has ended by itself or is told to stop.

    Attributes
    ----------
    restarts
        How often it was started again.
    losses
        How often in a row it was lost without having worked well for `policy.cap_window_s`.
    failed
        It was lost more often than `policy.cap`.
    ended
        It left by itself, its work done.
    complaint
        What it said when it reported that it had failed.
    """

    spec: WorkerSpec
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    draw: Callable[[], float] = random.random
    process: BaseProcess | None = None
    beat: Heartbeat | None = None
    heard_at: float = 0.0
    started_at: float = 0.0
    restarts: int = 0
    failed: bool = False
    ended: bool = False
    should_run: bool = False
    last_loss: str = ""
    losses: int = 0
    complaint: str = ""
    _good_since: float = 0.0
    _failed_since: float = 0.0
    _next_start_at: float = 0.0
    _started_once: bool = False

    @property
    def name(self) -> str:
        """As in its heartbeats."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self.process.pid if self.process is not None else None

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.is_alive()

    @property
    def ready(self) -> bool:
        """Whether the process that runs now has said that it is warm: a camera's source may still be starting."""
        return self.alive and self.beat is not None and self.beat.state != "failed" and _warm(self.beat)

    @property
    def has_left(self) -> bool:
        """Whether its process is over, and `do_what_is_due` has not yet looked at why."""
        return self.process is not None and self.process.exitcode is not None

    @property
    def owes_last_word(self) -> bool:
        """Whether its process left by itself, and has not (yet) been heard to say that it ended or failed."""
        left_with = self.process.exitcode if self.process is not None else None
        said = self.beat is not None and self.beat.state in ("ended", "failed")
        return left_with is not None and left_with >= 0 and not said

    def begin(self) -> None:
        """Want it to run from the next `do_what_is_due` on."""
        self.should_run, self.ended, self._next_start_at = True, False, 0.0

    def take(self, beat: Heartbeat, now: float) -> bool:
        """Take a heartbeat; False when it is not from the process that runs now."""
        if beat.pid != self.pid:
            return False
        self.beat, self.heard_at = beat, now
        if beat.state == "failed":
            self.complaint = beat.detail
            self._failed_since = self._failed_since or now
        elif _warm(beat):
            self._failed_since = 0.0
            self._good_since = self._good_since or now
            if now - self._good_since > self.policy.cap_window_s:
                self.losses, self.failed, self.complaint = 0, False, ""
        return True

    def do_what_is_due(self, now: float) -> str | None:
        """Start, kill or reap as is due; returns why a process was lost, when one was lost unasked."""
        lost = None
        if self.process is not None:
            if self.process.exitcode is None:
                lost = self._stuck(now)
                if lost:
                    self.kill()
                    self._note_loss(now, lost)
            elif (
                self.should_run and self.process.exitcode == 0 and self.beat is not None and self.beat.state == "ended"
            ):
                self._clear()
                self.ended, self.should_run = True, False
            else:
                code = self.process.exitcode
                self._clear()
                if self.should_run:
                    lost = _why(code) + (f": {self.complaint.rstrip('.')}" if self.complaint else "")
                    self._note_loss(now, lost)
        if self.should_run and self.process is None and now >= self._next_start_at:
            self._start(now)
        return lost

    @property
    def hopeless(self) -> bool:
        """It was lost too often, or said twice that what it was told to do cannot be done."""
        return self.failed or (self.losses >= 2 and bool(self.complaint))

    def waits_s(self, now: float) -> float:
        """Seconds until the next attempt to start it; 0 when it runs or is not wanted."""
        return max(0.0, self._next_start_at - now) if self.should_run and self.process is None else 0.0

    def ask_to_stop(self) -> None:
        """SIGTERM, and no restart."""
        self.should_run = False
        if self.process is not None and self.process.is_alive() and self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None and self.process.pid:
            self.process.kill()
            self.process.join(2)
        self._clear()

    def _stuck(self, now: float) -> str | None:
        """Why the process that runs must be killed; None when it need not."""
        if self._failed_since and now - self._failed_since > self.policy.stuck_s:
            return f"killed: it had failed ({self.complaint.rstrip('.')})"
        warm = self.beat is not None and (_warm(self.beat) or self.beat.state == "failed")
        silent = now - max(self.heard_at, self.started_at)
        if warm and silent > self.policy.stuck_s:
            return f"killed: no heartbeat for {silent:.0f} s"
        if not warm and now - self.started_at > self.policy.warming_s:
            return f"killed: not ready after {now - self.started_at:.0f} s"
        return None

    def _start(self, now: float) -> None:
        if self._started_once:
            self.restarts += 1
        self._started_once = True
        self.beat, self._good_since, self._failed_since = None, 0.0, 0.0
        self.started_at = self.heard_at = now
        self.process = self.spec.make()
        self.process.start()

    def _note_loss(self, now: float, why: str) -> None:
        self.last_loss = why
        self.losses += 1
        self.failed = self.losses > self.policy.cap
        delay = self.policy.failed_delay_s if self.failed else self.policy.delay_s(self.losses, self.draw())
        self._next_start_at = now + delay

    def _clear(self) -> None:
        if self.process is not None and self.process.exitcode is not None:
            self.process.close()
        self.process = None


def _warm(beat: Heartbeat) -> bool:
    """Whether it is at work: a camera names its provider once its models are warm, whatever its source does."""
    return beat.state != "starting" or bool(beat.provider)


def _why(exitcode: int) -> str:
    if exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-exitcode).name}"
    if exitcode == 0:
        return "left without being asked to"
    return f"left with exit code {exitcode}"
