"""The processes of a run: their heartbeats are taken, and each is started, killed, restarted or stopped as is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import structlog

from appliance.audit.act import Act
from appliance.audit.acts import ProcessRestarted
from appliance.core.heartbeat import Heartbeat, Instructions
from appliance.supervision.channel import SupervisorChannel
from appliance.supervision.run_status import RunStatus
from appliance.supervision.workers import Worker

log = structlog.get_logger()

_LISTEN_MS = 20
_LAST_WORD_S = 1.0
"""How long the last heartbeat of a process that left by itself is waited for: it may still be on its way."""


class Processes:
    """Keeps the workers of a run as they should be.

    Parameters
    ----------
    run
        Whose workers, and where their counts and states go.
    channel
        Where they are heard.
    wanted
        What is answered to a heartbeat.
    record
        Writes an act into the audit record, or says in the log that it could not; gets `process.restarted`.
    """

    def __init__(
        self,
        run: RunStatus,
        channel: SupervisorChannel,
        wanted: Callable[[Heartbeat], Instructions],
        record: Callable[[Act], None],
    ) -> None:
        self._run = run
        self._channel = channel
        self._wanted = wanted
        self._record = record

    def work_once(self, wait_s: float) -> None:
        """Take the heartbeats that have arrived (waiting for the first), and start, kill or reap what is due."""
        workers = self._run.workers
        self._take_beats(int(wait_s * 1000))
        left = {worker.name: worker for worker in workers if worker.has_left}
        self._hear_last_words(left.values())
        now = time.monotonic()
        for worker in workers:
            if worker.has_left and worker.name not in left:
                continue  # it left just now: its last word is listened for in the next round
            restarts = worker.restarts
            lost = worker.do_what_is_due(now)
            if lost:
                self._run.totals.lost(worker.name)
                say = log.error if worker.failed else log.warning
                often = " too often; it counts as failed" if worker.failed else ""
                say(f"{worker.name} was lost{often}", why=lost, again_in_s=round(worker.waits_s(now), 1))
            if worker.restarts > restarts:
                log.info(f"{worker.name} starts again", restarts=worker.restarts)
                self._record(ProcessRestarted(worker=worker.name, why=worker.last_loss, restarts=worker.restarts))

    def stop(self, workers: Sequence[Worker], within_s: float, at_once: Callable[[], bool]) -> None:
        """Ask, wait, and kill what has not left in time, or when `at_once()` says so."""
        for worker in workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + within_s
        while any(worker.process is not None for worker in workers):
            self._take_beats(_LISTEN_MS)
            now = time.monotonic()
            for worker in workers:
                worker.do_what_is_due(now)
            if now > deadline or at_once():
                for worker in workers:
                    if worker.process is not None:
                        log.warning(f"{worker.name} did not stop in time and was killed")
                        worker.kill()
        self._take_beats(_LISTEN_MS)  # their last counts

    def _hear_last_words(self, left: Collection[Worker]) -> None:
        """Without it, a recording that ended would be read once more, and a complaint would not be told."""
        deadline = time.monotonic() + _LAST_WORD_S
        if left:
            self._take_beats(_LISTEN_MS)
        while any(worker.owes_last_word for worker in left) and time.monotonic() < deadline:
            self._take_beats(_LISTEN_MS)

    def _take_beats(self, wait_ms: int) -> None:
        run = self._run
        for beat in self._channel.beats(wait_ms, self._wanted):
            worker = run.worker(beat.process)
            if worker is None:
                continue
            now, was_ready = time.monotonic(), worker.ready
            run.totals.take(beat.process, beat.incarnation, beat.samples)
            if worker is run.hub and run.alerts_base is None:
                names = [camera.name for camera in run.config.cameras]
                run.alerts_base = {name: int(run.totals.total("lfr_alerts", camera=name)) for name in names}
            if worker.take(beat, now):
                for view in run.views:
                    if view.worker is worker:
                        view.take(beat, now)
                if worker.ready and not was_ready:
                    took_s = round(now - worker.started_at, 1)
                    log.info(f"{worker.name} is ready", after_s=took_s, **known(provider=beat.provider))


def known(**details: str) -> dict[str, str]:
    """Only what there is something to say about, for a line of the log."""
    return {name: text for name, text in details.items() if text}
