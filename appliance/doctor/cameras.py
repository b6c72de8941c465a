"""What the doctor sees through each camera: size, frame rate, and how large the faces are. Nothing is kept."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from appliance.camera.sources.open import open_source
from appliance.config.live import Camera, Config
from appliance.core.errors import LfrError
from appliance.core.types import Image
from appliance.doctor.findings import Finding
from appliance.vision.ports import FaceDetector

FIRST_FRAME_S = 8.0
DETECTIONS = 5
SLOW_FPS = 8.0


@dataclass
class Look:
    """What a few seconds through one camera showed.

    Attributes
    ----------
    faces_px
        Heights of the faces in the frames that were searched, pixels.
    searched
        In how many frames faces were looked for.
    """

    frames: int = 0
    seconds: float = 0.0
    resolution_wh: tuple[int, int] | None = None
    fps: float = 0.0
    faces_px: list[float] = field(default_factory=list)
    searched: int = 0
    detail: str = ""


class FaceLooker:
    """One detector that several cameras' threads share, one at a time."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._lock = threading.Lock()

    def faces_px(self, frame_bgr: Image) -> list[float]:
        """Heights of the faces that would be recognised, pixels."""
        with self._lock:
            faces = self._detector.detect(frame_bgr)
        sure = faces.select(faces.scores >= self._detector.match_threshold)
        return [float(height) for height in sure.boxes_xyxy[:, 3] - sure.boxes_xyxy[:, 1]]


def look(camera: Camera, looker: FaceLooker | None, look_s: float, simulated: Mapping[str, str] | None = None) -> Look:
    """Open a camera, look for some seconds, close it.

    Raises
    ------
    LfrError
        It can never work as configured.
    """
    seen = Look()
    # A file at pace fast is over before a pause has passed: there, faces are looked for in every frame.
    pause_s, searches = (0.0, sys.maxsize) if camera.pace == "fast" else (look_s / DETECTIONS, DETECTIONS)
    with open_source(camera, simulated=simulated) as source:
        deadline = time.monotonic() + FIRST_FRAME_S
        first = None
        next_search = 0.0
        while time.monotonic() < deadline:
            frame = source.read(0.2)
            if frame is None:
                if source.finite and source.state in ("ended", "failed"):
                    break
                continue
            now = time.monotonic()
            try:
                if first is None:
                    first, deadline = now, now + look_s
                seen.frames += 1
                seen.resolution_wh = (frame.image_bgr.shape[1], frame.image_bgr.shape[0])
                if looker is not None and now >= next_search and seen.searched < searches:
                    seen.faces_px += looker.faces_px(frame.image_bgr)
                    seen.searched += 1
                    next_search = time.monotonic() + pause_s
            finally:
                source.release(frame)
        seen.detail, seen.fps = source.detail, source.fps
        seen.seconds = time.monotonic() - first if first is not None else 0.0
    return seen


def cameras(
    config: Config,
    looker: FaceLooker | None,
    look_s: float,
    seen: Callable[[str], None] = lambda _: None,
    simulated: Mapping[str, str] | None = None,
) -> Iterator[Finding]:
    """Look through every camera at the same time; `seen` is told each one that is done.

    Parameters
    ----------
    simulated
        As in `camera.sources.open.open_source`.
    """

    def one(camera: Camera) -> list[Finding]:
        try:
            return list(judge(camera, look(camera, looker, look_s, simulated)))
        except LfrError as error:
            return [Finding(f"camera {camera.name}", "fail", error.problem, error.remedy)]
        finally:
            seen(camera.name)

    with ThreadPoolExecutor(max_workers=min(8, len(config.cameras)), thread_name_prefix="doctor") as pool:
        for found in pool.map(one, config.cameras):
            yield from found


def judge(camera: Camera, seen: Look) -> Iterator[Finding]:
    """In words."""
    area = f"camera {camera.name}"
    if seen.resolution_wh is None:
        text = seen.detail or f"{camera.safe_source} gave no picture within {FIRST_FRAME_S:.0f} s."
        yield Finding(area, "fail", text, "Check power, cable, address and credentials.")
        return
    width, height = seen.resolution_wh
    rate = f"{seen.fps:.1f} frames a second"
    if camera.pace == "fast":
        rate = "a file, every frame is taken"
    text = f"{width}×{height}, {rate}"
    if seen.searched:
        count = len(seen.faces_px)
        per_frame = f"{count / seen.searched:.1f} faces a frame" if count else "no face in view"
        text += f", {per_frame}"
        if seen.faces_px:
            text += f", {min(seen.faces_px):.0f} to {max(seen.faces_px):.0f} pixels high"
    yield Finding(area, "ok", text)
    if camera.pace != "fast" and 0 < seen.fps < SLOW_FPS:
        text = f"only {seen.fps:.1f} frames a second: a passing person is seen in few of them"
        yield Finding(area, "warn", text, "Raise the camera's frame rate, or look for a slow network.")
    if seen.faces_px and max(seen.faces_px) < camera.min_face_px:
        text = f"the largest face is {max(seen.faces_px):.0f} pixels high, less than min_face_px {camera.min_face_px}"
        yield Finding(area, "warn", text, "Bring the camera nearer, use a longer lens, or a higher resolution.")
