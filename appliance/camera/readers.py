"""What a source reads from, one class each: OpenCV's decoders, a folder of images, a test pattern.

A reader knows pictures and media time; it knows nothing of clocks, threads or buffers that are full. Those are the
business of `camera.source` (every frame) and `camera.live` (the newest frame).
"""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Protocol, cast

import cv2
import numpy as np
from PIL import Image as PillowImage

from appliance.camera.location import Address, Options
from appliance.camera.rtsp import check_reachable
from appliance.errors import SourceError, SourceUnusable
from appliance.types import Image

MAX_IMAGE_PIXELS = 50_000_000
MAX_IMAGE_BYTES = 100_000_000
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_BOMBS = (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)

_opening = threading.Lock()


class Reader(Protocol):
    """Pictures one after another. One thread uses it; `close` and a new `open` start it again.

    Attributes
    ----------
    finite
        It comes to an end by itself.
    live
        The pictures are of now: nothing sets their pace but the camera, and a failure may pass.
    fps
        Pictures a second as announced; 0 when unknown.
    shape
        `(height, width, 3)` that the next picture is expected to have; None when unknown.
    media_s
        Position of the picture that `advance` has reached, seconds.
    dropped
        Pictures that cannot be had, by reason; grows.
    notice
        A plain sentence about what was not right with what was read; empty when all was.
    """

    finite: bool
    live: bool
    fps: float
    shape: tuple[int, int, int] | None
    media_s: float
    dropped: dict[str, int]
    notice: str

    def open(self) -> None:
        """Start from the beginning. Raises `SourceError` when it cannot now, `SourceUnusable` when it never will."""
        ...

    def advance(self) -> bool:
        """Go to the next picture, waiting for it; False at the end, or when a live source is lost."""
        ...

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        """The picture and its ground truth, in `into` where that has the right shape, else in a new array."""
        ...

    def close(self) -> None:
        """Let go; harmless when closed."""
        ...


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from writing to standard error, where an address could appear with its password."""
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _capture(what: str, backend: int, ffmpeg_options: str, parameters: dict[int, float]) -> cv2.VideoCapture:
    """Open with OpenCV. Its FFmpeg options are one variable of the environment, so that openings take turns."""
    flat = [int(number) for pair in parameters.items() for number in pair]
    with _opening:
        quiet_opencv()
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = ffmpeg_options
        return cv2.VideoCapture(what, backend, flat)


def _seconds_to_ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


class _CaptureReader:
    """What streams, devices and files share: an OpenCV capture."""

    finite = False
    live = True

    def __init__(self) -> None:
        self.fps = 0.0
        self.shape: tuple[int, int, int] | None = None
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self._capture: cv2.VideoCapture | None = None

    def _use(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps <= 1000 else 0.0
        width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.shape = (height, width, 3) if width > 0 and height > 0 else None

    def advance(self) -> bool:
        try:
            return self._capture is not None and self._capture.grab()
        except cv2.error:
            return False

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        if self._capture is None:
            raise SourceError("The source is closed.")
        try:
            ok, image = self._capture.retrieve(into)
        except cv2.error:
            ok = False
        if not ok or image is None or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise SourceError("A picture could not be decoded.")
        self.shape = (image.shape[0], image.shape[1], 3)
        return cast("Image", image), None

    def close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


class StreamReader(_CaptureReader):
    """A camera on the network, through FFmpeg: RTSP over TCP, or motion JPEG over HTTP.

    A picture size that changes within one connection is scaled by OpenCV to the size at opening; a camera that ends
    the stream to change it, as they do, is opened again at the new size.
    """

    def __init__(self, address: Address, open_timeout_s: float, read_timeout_s: float) -> None:
        super().__init__()
        self._address = address
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s

    def open(self) -> None:
        check_reachable(self._address, self._open_timeout_s)
        started = time.monotonic()
        capture = _capture(
            self._address.secret_url,
            cv2.CAP_FFMPEG,
            "rtsp_transport;tcp|analyzeduration;1000000|"
            "protocol_whitelist;rtsp,rtsps,rtp,srtp,tcp,tls,http,https,httpproxy,crypto",
            {
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: _seconds_to_ms(self._open_timeout_s),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC: _seconds_to_ms(self._read_timeout_s),
                # A second thread would decode a frame later, so show it a frame later.
                cv2.CAP_PROP_N_THREADS: 1,
            },
        )
        if not capture.isOpened():
            capture.release()
            if time.monotonic() - started >= 0.9 * self._open_timeout_s:
                raise SourceError(f"{self._address} sends no picture within {self._open_timeout_s:g} s.")
            raise SourceError(f"{self._address} sends nothing that can be decoded.", "Set the camera to H.264.")
        self._use(capture)


class DeviceReader(_CaptureReader):
    """A camera on this machine (V4L2), as `/dev/videoN`."""

    def __init__(self, device: str, options: Options, read_timeout_s: float) -> None:
        super().__init__()
        self._device = device
        self._size = options.size("size", (1280, 720))
        self._fps = options.number("fps", 25, 1, 240)
        self._read_timeout_s = read_timeout_s

    def open(self) -> None:
        if not Path(self._device).exists():
            raise SourceError(
                f"{self._device} does not exist.", "Plug the camera in; v4l2-ctl --list-devices names it."
            )
        if not os.access(self._device, os.R_OK | os.W_OK):
            raise SourceError(f"{self._device} may not be used by this user.", "Add the user to the group video.")
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(max(1, round(self._read_timeout_s)))
        capture = _capture(
            self._device,
            cv2.CAP_V4L2,
            "rtsp_transport;tcp",
            {
                # Motion JPEG: uncompressed pictures of this size do not fit through USB 2 at full rate.
                cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
                cv2.CAP_PROP_FRAME_WIDTH: self._size[0],
                cv2.CAP_PROP_FRAME_HEIGHT: self._size[1],
                cv2.CAP_PROP_FPS: self._fps,
            },
        )
        if not capture.isOpened():
            capture.release()
            raise SourceError(f"{self._device} gives no pictures.", "Is another program using it, or is it metadata?")
        self._use(capture)


class VideoReader(_CaptureReader):
    """A video or GIF file, in media time; optionally again and again.

    What is damaged is stepped over by the decoder; what is missing at the end is counted (`missing`) and told.
    """

    live = False

    def __init__(self, path: Path, loop: bool) -> None:
        super().__init__()
        self.finite = not loop
        self._path = path
        self._read = 0
        self._promised = 0
        self._first_is_waiting = False
        self._offset_s = 0.0
        self._last_s = -1.0

    def open(self) -> None:
        if not self._path.exists():
            raise SourceUnusable(f"{self._path} does not exist.", "Check source: in the configuration.")
        if not self._path.is_file():
            raise SourceUnusable(f"{self._path} is neither a file nor a folder.")
        if not os.access(self._path, os.R_OK):
            raise SourceUnusable(f"{self._path} may not be read by this user.")
        # Only this file: a playlist must not make the decoder open others, or the network.
        options = "protocol_whitelist;file,crypto,data"
        capture = _capture(str(self._path), cv2.CAP_FFMPEG, options, {cv2.CAP_PROP_N_THREADS: 2})
        self._use(capture)
        if not capture.isOpened() or not capture.grab():
            self.close()
            raise SourceUnusable(
                f"{self._path} holds no picture that can be decoded.",
                "It is empty, cut off, or no video; try playing it, or convert it to H.264 MP4.",
            )
        count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._promised = int(count) if 0 < count < 1e9 else 0
        self._read = 0
        self._offset_s, self._last_s = 0.0, -1.0
        self._first_is_waiting = True

    def advance(self) -> bool:
        if self._first_is_waiting:
            self._first_is_waiting = False
        elif not super().advance() and not self._again():
            missing = self._promised - self._read
            # The count in the header is an estimate for some containers: a few fewer are not a loss.
            if missing > max(2, self._promised // 100):
                self.dropped["missing"] = missing
                self.notice = (
                    f"{self._path.name} ended after {self._read} of the {self._promised} frames that its header "
                    "promises: it is cut off or damaged."
                )
            return False
        self._read += 1
        self._take_time()
        return True

    def _again(self) -> bool:
        if self.finite or self._capture is None:
            return False
        self._promised = 0
        return bool(self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)) and super().advance()

    def _take_time(self) -> None:
        """Media time that never goes back, also where stamps are missing or start again."""
        assert self._capture is not None  # noqa: S101
        stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        interval_s = 1 / (self.fps or 25.0)
        at_s = self._offset_s + stamp_s
        if at_s <= self._last_s or not np.isfinite(at_s) or at_s > self._last_s + 3600:
            at_s = self._last_s + interval_s if self._last_s >= 0 else 0.0
            self._offset_s = at_s - stamp_s if np.isfinite(stamp_s) else 0.0
        self.media_s = self._last_s = at_s


class FolderReader:
    """The images of a folder in the natural order of their names (`2.jpg` before `10.jpg`), at a steady rate.

    An image that is damaged, a bomb or no image is stepped over and counted (`unreadable`).
    """

    live = False

    def __init__(self, path: Path, options: Options) -> None:
        self.fps = options.number("fps", 5, 0.01, 1000)
        self.finite = not options.flag("loop")
        self.shape: tuple[int, int, int] | None = None
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self._path = path
        self._files: list[Path] = []
        self._next = 0
        self._shown = 0
        self._image: Image | None = None

    def open(self) -> None:
        try:
            files = [f for f in self._path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
        except OSError as error:
            raise SourceUnusable(f"{self._path} cannot be read: {error.strerror}.") from None
        if not files:
            kinds = " ".join(sorted(IMAGE_SUFFIXES))
            raise SourceUnusable(f"{self._path} holds no images.", f"Images end in {kinds}.")
        self._files = sorted(files, key=lambda file: _natural(file.name))
        self._next = self._shown = 0

    def advance(self) -> bool:
        failed_in_a_row = 0
        while failed_in_a_row < len(self._files):
            if self._next == len(self._files):
                if self.finite:
                    break
                self._next = 0
            file = self._files[self._next]
            self._next += 1
            # Decoded here, as what cannot be read is not a frame.
            self._image = read_image(file)
            if self._image is not None:
                self.shape = (self._image.shape[0], self._image.shape[1], 3)
                self.media_s = self._shown / self.fps
                self._shown += 1
                return True
            failed_in_a_row += 1
            self.dropped["unreadable"] = self.dropped.get("unreadable", 0) + 1
        unreadable = self.dropped.get("unreadable", 0)
        if unreadable:
            self.notice = f"{unreadable} of {len(self._files)} images in {self._path.name} could not be read."
        return False

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        image, self._image = self._image, None
        if image is None:
            raise SourceError("There is no picture to retrieve.")
        if into.shape != image.shape:
            return image, None
        np.copyto(into, image)
        image.fill(0)
        return into, None

    def close(self) -> None:
        if self._image is not None:
            self._image.fill(0)
            self._image = None


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def read_image(path: Path) -> Image | None:
    """An image file as blue-green-red; None when it is damaged, larger than the limits, or no image."""
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
            # Reads the header only: the size is known before anything is unpacked.
            with PillowImage.open(path) as header:
                width, height = header.size
        if width * height > MAX_IMAGE_PIXELS:
            return None
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError, SyntaxError, cv2.error, *_BOMBS):
        return None
    return cast("Image", image) if image is not None and image.size else None


class PatternReader:
    """`test:` - colour bars, a moving bar and the frame's number; without faces."""

    live = False

    def __init__(self, options: Options) -> None:
        width, height = options.size("size", (640, 480))
        self.fps = options.number("fps", 25, 0.1, 1000)
        seconds = options.number("seconds", 0, 0.04, 86_400)
        self.finite = seconds > 0
        self.shape: tuple[int, int, int] | None = (height, width, 3)
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self._count = max(1, round(seconds * self.fps))
        self._index = -1
        colours = np.array([[c * 75 for c in (i & 1, i >> 2 & 1, i >> 1 & 1)] for i in range(8)], np.uint8) + 40
        bars = colours[np.arange(width) * 8 // width]
        self._ground = np.ascontiguousarray(np.broadcast_to(bars, (height, width, 3)))

    def open(self) -> None:
        self._index = -1

    def advance(self) -> bool:
        if self.finite and self._index + 1 >= self._count:
            return False
        self._index += 1
        self.media_s = self._index / self.fps
        return True

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        image = into if into.shape == self._ground.shape else np.empty_like(self._ground)
        np.copyto(image, self._ground)
        height, width, _ = image.shape
        left = self._index * 4 % width
        image[height // 2 : height // 2 + height // 8, left : left + width // 16] = 255
        cv2.putText(image, str(self._index), (8, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
        return image, None

    def close(self) -> None:
        self._index = -1
