"""Live sources: a capture thread that always holds only the newest frame, and reconnects for ever."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from appliance.camera.sources.reader import Reader
from appliance.camera.sources.status import SourceStatus, State
from appliance.core.clock import utc_now
from appliance.core.errors import SourceError, SourceRefused, SourceUnusable
from appliance.core.types import Frame, Image

CLOSE_S = 1.5
CATCH_UP_S = 2.0


@dataclass(frozen=True)
class Timing:
    """How patient a live source is, in seconds."""

    open_timeout_s: float = 10.0
    """A camera that has not answered, or sent a picture, by then is tried again."""
    read_timeout_s: float = 5.0
    """A stream that sends nothing for so long is stalled and opened again."""
    backoff_first_s: float = 0.5
    """Wait after the first failure; doubles with each further one, less up to half of it by chance."""
    backoff_cap_s: float = 30.0
    """The longest wait."""
    refused_s: float = 60.0
    """Wait after user and password were refused (twice an attempt), so that the camera does not lock us out."""
    hang_s: float = 30.0
    """A call into the decoder that takes so long beyond its time-outs is taken for hung."""


class LiveSource(SourceStatus):
    """Frames as they come; whoever reads too slowly gets the newest, and the others are counted as dropped.

    Nothing here blocks the reader: `read` waits as long as it is told to, `close` at most two seconds, whatever the
    decoder does.

    Parameters
    ----------
    reader
        Where the pictures come from; used by the capture thread alone.
    name
        The camera's name, for the thread.
    opened
        The reader is open already.
    """

    def __init__(
        self, reader: Reader, name: str, timing: Timing | None = None, buffers: int = 4, opened: bool = False
    ) -> None:
        super().__init__(buffers, reader.finite)
        self._timing = timing or Timing()
        self._reader = reader
        self._is_open = opened
        self._fresh = threading.Condition()
        self._slot: Frame | None = None
        self._done = False
        self._stop = threading.Event()
        self._busy_since: float | None = None
        self._lost_before = False
        self._failures = 0
        self._index = -1
        self._thread = threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """As `SourceStatus.state`; a source whose last frame is still to be read has not ended."""
        if self._hung_s is not None:
            return "failed"
        state = super().state
        with self._fresh:
            return "live" if state == "ended" and self._slot is not None else state

    @property
    def detail(self) -> str:
        """As `SourceStatus.detail`."""
        hung_s = self._hung_s
        if hung_s is not None:
            return f"The video decoder has not answered for {hung_s:.0f} s; restart this camera's process."
        return super().detail

    @property
    def _hung_s(self) -> float | None:
        """For how long the decoder has held the capture thread beyond reason; None when it has not."""
        since = self._busy_since
        if since is None:
            return None
        took_s = time.monotonic() - since
        patience_s = 2 * self._timing.open_timeout_s + self._timing.read_timeout_s + self._timing.hang_s
        return took_s if took_s > patience_s else None

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not read yet.

        Its picture belongs to the reader until it calls `release`. None when there was none within `timeout_s`, and at
        once when the source is closed, has ended or failed: `state` tells.
        """
        with self._fresh:
            self._fresh.wait_for(lambda: self._slot is not None or self._done, timeout_s)
            frame, self._slot = self._slot, None
            return frame

    def close(self) -> None:
        """Stop capturing and wipe what nobody has read; returns within two seconds even if the decoder hangs."""
        self._stop.set()
        with self._fresh:
            self._done = True
            self._discard_slot()
            self._fresh.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        state: State = "failed"
        detail = "The capture thread ended unexpectedly; the log says why."
        try:
            while not self._stop.is_set():
                try:
                    if not self._is_open:
                        with self._busy():
                            self._reader.open()
                        self._is_open = True
                    if self._stream():
                        state, detail = "ended", self._reader.notice
                        return
                    self._lost("The camera stopped sending pictures.", None)
                except SourceUnusable as error:
                    state, detail = "failed", str(error)
                    return
                except SourceError as error:
                    self._lost(str(error), error)
            state, detail = "ended", ""
        finally:
            self._set_dropped(self._reader.dropped)
            self._set_state(state, detail)
            self._close_reader()
            with self._fresh:
                self._done = True
                self._fresh.notify_all()

    def _lost(self, why: str, error: SourceError | None) -> None:
        """Say so, let go, and wait before the next attempt."""
        self._lost_before = self._lost_before or self.frames > 0
        self._set_state("reconnecting", why)
        self._close_reader()
        self._stop.wait(self._backoff_s(error))

    def _close_reader(self) -> None:
        self._is_open = False
        with self._busy():
            self._reader.close()

    def _backoff_s(self, error: SourceError | None) -> float:
        timing = self._timing
        wait_s: float = min(timing.backoff_cap_s, timing.backoff_first_s * 2 ** min(self._failures, 16))
        if isinstance(error, SourceRefused):
            wait_s = max(wait_s, timing.refused_s)
        self._failures += 1
        # Chance keeps the cameras of one van from all coming back in the same instant.
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def _stream(self) -> bool:
        """Publish pictures until the end (True) or until the source is lost (False)."""
        reader = self._reader
        started_s = time.monotonic()
        first_media_s: float | None = None
        while not self._stop.is_set():
            with self._busy():
                there = reader.advance()
            at_utc, at_s = utc_now(), time.monotonic()
            self._set_dropped(reader.dropped)
            if not there:
                return not reader.live
            self._index += 1
            if not reader.live:
                if first_media_s is None:
                    first_media_s, started_s = reader.media_s, at_s
                due_s = started_s + reader.media_s - first_media_s
                if self._stop.wait(max(0.0, due_s - at_s)):
                    break
                at_utc, at_s = utc_now(), time.monotonic()
                if at_s - due_s > CATCH_UP_S:
                    # The machine slept; a recording does not run after what it missed.
                    started_s += at_s - due_s
                elif reader.fps and at_s - due_s > 1.5 / reader.fps:
                    self._count_dropped("superseded")
                    continue
            self._capture(at_utc, at_s)
        return True

    def _capture(self, at_utc: datetime, at_s: float) -> None:
        reader = self._reader
        buffer = self._buffer()
        if buffer is None:
            self._count_dropped("unreleased")
            return
        try:
            with self._busy():
                image, truth = reader.retrieve(buffer)
        except SourceError:
            self._pool.give_back(buffer)
            self._count_dropped("undecodable")
            return
        image = self._pool.exchange(buffer, image)
        media_s = None if reader.live else reader.media_s
        frame = Frame(image, self._index, at_utc, at_s, media_s, truth)
        self._count_frame(at_s, (image.shape[1], image.shape[0]))
        if self._state != "live":
            if self._lost_before:
                with self._status_lock:
                    self._reconnects += 1
            self._failures = 0
            self._set_state("live")
        with self._fresh:
            if self._done:
                self._pool.release(frame)
                return
            if self._discard_slot():
                self._count_dropped("superseded")
            self._slot = frame
            self._fresh.notify_all()

    def _buffer(self) -> Image | None:
        """A buffer for the next picture; that of the frame which it supersedes when the reader holds the others."""
        shape = self._reader.shape or (720, 1280, 3)
        buffer = self._pool.take(shape)
        if buffer is None:
            with self._fresh:
                if self._discard_slot():
                    self._count_dropped("superseded")
            buffer = self._pool.take(shape)
        return buffer

    def _discard_slot(self) -> bool:
        """Wipe the frame that waits; whether there was one. Call with `_fresh` held."""
        frame, self._slot = self._slot, None
        if frame is None:
            return False
        self._pool.release(frame)
        return True
