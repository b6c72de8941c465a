"""Cameras and video files, read with OpenCV: streams of the network and files through FFmpeg, devices through V4L2."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from appliance.camera.sources.address import CameraAddress
from appliance.camera.sources.options import SourceOptions
from appliance.camera.sources.rtsp import check_reachable, explain_failure
from appliance.core.errors import SourceError, SourceUnusable
from appliance.core.types import Image

_opening = threading.Lock()


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

    def __init__(self, address: CameraAddress, open_timeout_s: float, read_timeout_s: float) -> None:
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
            late = time.monotonic() - started >= 0.9 * self._open_timeout_s
            explain_failure(self._address, self._open_timeout_s)
            if late:
                raise SourceError(f"{self._address} sends no picture within {self._open_timeout_s:g} s.")
            raise SourceError(f"{self._address} sends nothing that can be decoded.", "Set the camera to H.264.")
        self._use(capture)


class DeviceReader(_CaptureReader):
    """A camera on this machine (V4L2), as `/dev/videoN`."""

    def __init__(self, device: str, options: SourceOptions, read_timeout_s: float) -> None:
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
