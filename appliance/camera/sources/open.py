"""Opens what `source:` of a camera names, and reads files frame by frame at pace `fast`.

Live sources (cameras, simulated ones, and files at pace `realtime`) are in `camera.sources.live`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from appliance.camera.sources.address import STREAMS, parse_address, read_credentials, scheme_of, split_query
from appliance.camera.sources.image_folder import FolderReader
from appliance.camera.sources.live import LiveSource, Timing
from appliance.camera.sources.options import SourceOptions
from appliance.camera.sources.pattern import open_pattern
from appliance.camera.sources.reader import Reader
from appliance.camera.sources.status import SourceStatus
from appliance.camera.sources.video import DeviceReader, StreamReader, VideoReader
from appliance.config.live import Camera
from appliance.core.clock import utc_now
from appliance.core.errors import SourceError, SourceUnusable
from appliance.core.reference import find
from appliance.core.types import Frame


class FastSource(SourceStatus):
    """Every frame of a recording, as fast as it is read, none dropped: the same on every run.

    `captured_at_utc` of a frame is the start of the reading plus `media_s`; `captured_monotonic_s` is when it was
    read, so that the times that a frame takes through the appliance are true ones.

    Parameters
    ----------
    reader
        Where the pictures come from; open already.
    started_at
        What the recording's beginning counts as; default: now.
    """

    def __init__(self, reader: Reader, buffers: int = 4, started_at: datetime | None = None) -> None:
        super().__init__(buffers, reader.finite)
        self._reader = reader
        self._lock = threading.Lock()
        self._returned = threading.Event()
        self._started_utc = started_at or utc_now()
        self._index = -1
        self._advanced = False
        self._closed = False

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame. Its picture belongs to the reader until it calls `release`.

        None at the end, when closed, or when the reader holds every buffer and returns none within `timeout_s`:
        `state` tells them apart (`ended`, `failed`, or `live`).
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            while not self._closed and self.state not in {"ended", "failed"}:
                if not self._advanced and not self._advance():
                    return None
                self._returned.clear()
                buffer = self._pool.take(self._reader.shape or (720, 1280, 3))
                if buffer is None:
                    if not self._returned.wait(max(0.0, deadline - time.monotonic())):
                        return None
                    continue
                self._advanced = False
                self._index += 1
                try:
                    image, truth = self._reader.retrieve(buffer)
                except SourceUnusable:
                    self._pool.give_back(buffer)
                    raise
                except SourceError:
                    self._pool.give_back(buffer)
                    self._count_dropped("undecodable")
                    continue
                image = self._pool.exchange(buffer, image)
                now_s, media_s = time.monotonic(), self._reader.media_s
                self._count_frame(now_s, (image.shape[1], image.shape[0]))
                self._set_state("live")
                at_utc = self._started_utc + timedelta(seconds=media_s)
                return Frame(image, self._index, at_utc, now_s, media_s, truth)
            return None

    def release(self, frame: Frame) -> None:
        """As `SourceStatus.release`."""
        super().release(frame)
        self._returned.set()

    def close(self) -> None:
        """Let go of the file."""
        self._closed = True
        self._returned.set()
        with self._lock:
            self._reader.close()
            if self.state not in {"ended", "failed"}:
                self._set_state("ended")

    def __enter__(self) -> FastSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _advance(self) -> bool:
        there = self._reader.advance()
        self._set_dropped(self._reader.dropped)
        self._advanced = there
        if not there:
            self._set_state("ended" if self.frames else "failed", self._reader.notice)
            self._reader.close()
        return there


def open_source(
    camera: Camera,
    timing: Timing | None = None,
    buffers: int = 4,
    started_at: datetime | None = None,
    simulated: Mapping[str, str] | None = None,
) -> LiveSource | FastSource:
    """Open a camera's source. A live one is returned at once and connects by itself, for ever.

    Parameters
    ----------
    camera
        From the configuration.
    timing
        How patient a live source is.
    buffers
        The most frames that exist at one time, those that the reader holds included; at least 2 for a live source.
    started_at
        For pace `fast`: what the recording's beginning counts as, so that it is the same when it is read again.
    simulated
        Sources of a room above, by scheme: `package.module:function`, which takes the source as it is written and gives
        a `Reader`. Named, so that only a process with such a source imports it.

    Raises
    ------
    SourceUnusable
        The source can never work: unknown scheme or option, missing file, nothing in it that can be decoded.
    SecretError
        The file of credentials is missing, readable by others, or holds something else.
    """
    timing = timing or Timing()
    reader = _reader(camera, timing, simulated or {})
    if reader.live:
        return LiveSource(reader, camera.name, timing, buffers)
    reader.open()
    if camera.pace == "fast":
        return FastSource(reader, buffers, started_at)
    return LiveSource(reader, camera.name, timing, buffers, opened=True)


def _reader(camera: Camera, timing: Timing, simulated: Mapping[str, str]) -> Reader:
    source, scheme = camera.source, scheme_of(camera.source)
    if scheme == "test" or scheme in simulated:
        _refuse_credentials(camera)
        reader: Reader = find(simulated[scheme])(source) if scheme in simulated else open_pattern(source)
        return reader
    if scheme in STREAMS or source.startswith("/dev/video"):
        if camera.pace == "fast":
            raise SourceUnusable(
                f"camera {camera.name}: pace: fast is for files; {camera.safe_source} is live.", "Remove pace:."
            )
        if scheme in STREAMS:
            return StreamReader(parse_address(camera), timing.open_timeout_s, timing.read_timeout_s)
        _refuse_credentials(camera)
        device, query = split_query(source)
        allowed = {"size": "WIDTHxHEIGHT", "fps": "frames a second"}
        return DeviceReader(device, SourceOptions(device, query, allowed), timing.read_timeout_s)
    if scheme and not Path(source).exists():
        known = ", ".join([*(f"{name}://" for name in STREAMS), *(f"{name}:" for name in ("test", *simulated))])
        raise SourceUnusable(
            f"camera {camera.name}: {scheme}: is not a kind of source that exists here.",
            f"It may be {known}, /dev/videoN, a video or GIF file, or a folder of images.",
        )
    _refuse_credentials(camera)
    path, query = split_query(source)
    if Path(path).is_dir():
        return FolderReader(
            Path(path), SourceOptions(path, query, {"fps": "images a second", "loop": "1 for again and again"})
        )
    return VideoReader(Path(path), SourceOptions(path, query, {"loop": "1 for again and again"}).flag("loop"))


def _refuse_credentials(camera: Camera) -> None:
    """Check the file all the same, as a wrong mode is worth knowing; then say that this source takes none."""
    if camera.credentials is not None:
        read_credentials(camera.credentials)
        raise SourceUnusable(f"camera {camera.name}: credentials are for cameras on the network.", "Remove them.")
