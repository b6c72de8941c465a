"""How a source is, readable from any thread while another one works it."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime
from typing import Literal

from appliance.camera.sources.buffers import BufferPool
from appliance.core.clock import utc_now
from appliance.core.credentials import mask_credentials
from appliance.core.types import Frame

State = Literal["starting", "live", "reconnecting", "ended", "failed"]

FPS_WINDOW_S = 3.0


class SourceStatus:
    """The part of a source that others look at; the source itself is made of it.

    Parameters
    ----------
    buffers
        The most frames that exist at one time, those that the reader holds included.
    finite
        Whether the source ends by itself.
    """

    def __init__(self, buffers: int, finite: bool) -> None:
        self.finite = finite
        self._pool = BufferPool(buffers)
        self._status_lock = threading.Lock()
        self._state: State = "starting"
        self._since = utc_now()
        self._detail = ""
        self._dropped: dict[str, int] = {}
        self._reconnects = 0
        self._frames = 0
        self._resolution_wh: tuple[int, int] | None = None
        self._stamps: deque[float] = deque(maxlen=128)

    @property
    def state(self) -> State:
        """`starting`, `live`, `reconnecting`, `ended` (a finite source is done) or `failed` (it will not come back)."""
        with self._status_lock:
            return self._state

    @property
    def since(self) -> datetime:
        """Since when the state is what it is, UTC."""
        with self._status_lock:
            return self._since

    @property
    def detail(self) -> str:
        """What is not right and what to do, as a plain sentence without credentials; empty when all is well."""
        with self._status_lock:
            return self._detail

    @property
    def dropped(self) -> dict[str, int]:
        """Frames that nobody will see, by reason.

        `superseded` by a newer one, `unreleased` (the reader held every buffer), `unreadable` (an image of a folder),
        `undecodable` (a picture of a stream), `missing` (a file ended early).
        """
        with self._status_lock:
            return dict(self._dropped)

    @property
    def reconnects(self) -> int:
        """How often a lost source came back."""
        with self._status_lock:
            return self._reconnects

    @property
    def frames(self) -> int:
        """Frames captured, those dropped as superseded included."""
        with self._status_lock:
            return self._frames

    @property
    def resolution_wh(self) -> tuple[int, int] | None:
        """Width and height of the newest frame, pixels; None before the first."""
        with self._status_lock:
            return self._resolution_wh

    @property
    def fps(self) -> float:
        """Frames a second over the last seconds, measured; 0 when none came."""
        with self._status_lock:
            recent = [stamp for stamp in self._stamps if stamp > time.monotonic() - FPS_WINDOW_S]
        if len(recent) < 2 or recent[-1] == recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])

    @property
    def last_frame_age_s(self) -> float | None:
        """Seconds since the newest frame was captured; None before the first."""
        with self._status_lock:
            return time.monotonic() - self._stamps[-1] if self._stamps else None

    @property
    def buffers_held(self) -> int:
        """How many buffers are out: with the reader, or waiting for it."""
        return self._pool.held

    def release(self, frame: Frame) -> None:
        """Wipe a frame that was read, in place, and take its buffer back; a second time does nothing."""
        self._pool.release(frame)

    def _set_state(self, state: State, detail: str = "") -> None:
        with self._status_lock:
            if state != self._state:
                self._state, self._since = state, utc_now()
            self._detail = mask_credentials(detail)

    def _count_dropped(self, reason: str, amount: int = 1) -> None:
        with self._status_lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + amount

    def _set_dropped(self, counts: dict[str, int]) -> None:
        """Take over what a reader has counted, in absolute numbers."""
        if counts:
            with self._status_lock:
                self._dropped.update(counts)

    def _count_frame(self, at_monotonic_s: float, resolution_wh: tuple[int, int]) -> None:
        with self._status_lock:
            self._frames += 1
            self._stamps.append(at_monotonic_s)
            self._resolution_wh = resolution_wh
