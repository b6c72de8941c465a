"""A worker's line to the supervisor: heartbeats up, what is wanted down; never waited for."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import zmq
from pydantic import BaseModel, Field

from appliance.core.clock import utc_now, utc_text
from appliance.core.sockets import Limits, Peer, connect, receive, send
from appliance.core.telemetry import Meter, Sample

BEAT_EVERY_S = 0.5
LAST_WORD_MS = 2000
"""How long the end of a process waits for its last heartbeat to leave; no longer than a camera has to stop."""


class Heartbeat(BaseModel):
    """A worker's heartbeat to the supervisor: how it is, in absolute numbers since it was started."""

    process: str = Field(description="hub, console or camera/NAME")
    incarnation: str = Field(description="new at each start, so that counters can be added up")
    pid: int
    at_monotonic_s: float
    state: str = Field("starting", description="starting, ready, live, reconnecting, ended, failed …")
    since_utc: str = ""
    detail: str = Field("", description="a plain sentence, without credentials")
    last_frame_age_s: float | None = None
    fps: float = 0.0
    provider: str = ""
    watchlist: str = Field("", description="sha256 of the sealed file in use")
    watchlist_entries: int = 0
    index_recall: float | None = None
    index_kind: str = ""
    trouble: str = Field("", description="what is wrong although it is live, a plain sentence; shown as degraded")
    pending: int = Field(0, description="alerts that the hub has not yet acknowledged")
    samples: list[Sample] = Field(default_factory=list)


class Instructions(BaseModel):
    """What the supervisor wants of a worker, told with every answer to a heartbeat."""

    watchlist: str = Field("", description="sha256 of the sealed file to use; a camera that uses another one changes")
    watchlist_min_sequence: int = 0
    recognise_until_utc: str = Field("", description="end of the window; a camera stops there by itself")
    stop: bool = False


class HeartbeatSender:
    """Tells the supervisor how this process is and hears what it wants.

    Call `beat` from the loop that does the work, so that a loop that is stuck falls silent.

    Parameters
    ----------
    runtime
        The supervisor's runtime folder; None when there is no supervisor (beats go nowhere).
    process
        `hub`, `console` or `camera/NAME`.

    Attributes
    ----------
    wanted
        The supervisor's newest answer.
    meter
        The counters that travel with each beat.
    """

    def __init__(self, runtime: Path | None, process: str) -> None:
        self.instructions = Instructions()
        self.meter = Meter()
        self._process = process
        self._incarnation = uuid.uuid4().hex
        self._next_s = 0.0
        self._since = utc_text(utc_now())
        self._state = ""
        self._socket: zmq.Socket[bytes] | None = None
        if runtime is not None:
            # The last word of a process that cannot start must arrive, though it is said before anybody is connected.
            limits = Limits(outgoing=8, linger_ms=LAST_WORD_MS, queue_when_away=True)
            self._socket = connect(zmq.Context(), zmq.DEALER, Peer(f"ipc://{runtime}/supervisor"), limits)

    def beat(self, state: str, *, now: bool = False, **facts: object) -> None:
        """Send a heartbeat if one is due (or `now`, or the state changed), and take in the newest answer.

        `facts` are further fields of `Heartbeat`.
        """
        if self._socket is None:
            return
        moment_s = time.monotonic()
        if state != self._state:
            self._state, self._since, now = state, utc_text(utc_now()), True
        if now or moment_s >= self._next_s:
            self._next_s = moment_s + BEAT_EVERY_S
            beat = Heartbeat(
                process=self._process,
                incarnation=self._incarnation,
                pid=os.getpid(),
                at_monotonic_s=moment_s,
                state=state,
                since_utc=self._since,
                samples=self.meter.snapshot(),
                **facts,
            )
            send(self._socket, [b"beat", beat.model_dump_json().encode()])  # if not: the next beat says it all again
        while (frames := receive(self._socket)) is not None:
            if frames[0] == b"instructions" and len(frames) == 2:
                self.instructions = Instructions.model_validate_json(frames[1])

    def close(self) -> None:
        """Let the last heartbeat leave."""
        if self._socket is not None:
            self._socket.close()
            self._socket.context.term()  # waits, as the end of the process would not
