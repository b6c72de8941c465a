"""What a few seconds through each camera are made into, and that nothing of them is kept."""

import itertools
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doctor_config import config_of, levels

from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
from appliance.core.errors import LfrError
from appliance.core.types import Image
from appliance.doctor import cameras
from appliance.doctor.cameras import FaceLooker, Look, judge, look

NORTH = Camera(name="north", source="test:?size=64x64&fps=20", min_face_px=40)
FILE = Camera(name="file", source="test:?size=64x64&fps=20&seconds=0.5", pace="fast", min_face_px=40)


class Looker(FaceLooker):
    """Finds one face of a given height in each frame, and keeps the frames to see what became of them."""

    def __init__(self, height_px: float = 50.0, error: Exception | None = None) -> None:
        self.height_px, self.error = height_px, error
        self.frames: list[Image] = []

    def faces_px(self, frame_bgr: Image) -> list[float]:
        self.frames.append(frame_bgr)
        if self.error:
            raise self.error
        return [self.height_px]


def texts(camera: Camera, seen: Look) -> list[str]:
    return [f"{finding.level}: {finding.text}" for finding in judge(camera, seen)]


def test_a_finite_source_is_looked_at_in_every_frame_and_left_at_its_end() -> None:
    looker = Looker()
    seen = look(FILE, looker, look_s=30)
    assert (seen.frames, seen.searched, seen.resolution_wh) == (10, 10, (64, 64))
    assert seen.faces_px == [50.0] * 10


def test_a_live_camera_is_searched_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count(0.0, 0.02)  # time goes on with each look at the clock, not while others are at work
    monkeypatch.setattr(cameras, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    seen = look(NORTH, Looker(), look_s=1.0)
    assert seen.frames > seen.searched
    assert 1 <= seen.searched <= cameras.DETECTIONS


def test_nothing_of_a_frame_is_left_even_when_the_detector_fails() -> None:
    looker = Looker(error=LfrError("The detector gave nothing."))
    with pytest.raises(LfrError, match="gave nothing"):
        look(NORTH, looker, look_s=1.0)
    assert looker.frames
    assert not any(frame.any() for frame in looker.frames)


def test_without_a_detector_frames_are_counted_and_no_word_is_said_of_faces() -> None:
    seen = look(FILE, None, look_s=30)
    assert (seen.frames, seen.searched) == (10, 0)
    assert "face" not in texts(FILE, seen)[0].replace("file", "")


def test_every_camera_is_told_when_it_is_done_the_broken_one_too(tmp_path: Path) -> None:
    section = [
        {"name": "gone", "source": "clips/gone.mp4"},
        {"name": "north", "source": "test:?size=64x64&fps=20&seconds=0.2", "pace": "fast"},
    ]
    done: list[str] = []
    found = list(cameras.cameras(config_of(tmp_path, cameras=section), None, 0.2, done.append))
    assert [(one.area, one.level) for one in found] == [("camera gone", "fail"), ("camera north", "ok")]
    assert sorted(done) == ["gone", "north"]


def test_cameras_are_looked_through_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)

    def opened(camera: Camera, **given: Any) -> Any:
        both.wait()
        return open_source(camera, **given)

    monkeypatch.setattr(cameras, "open_source", opened)
    source = "test:?size=64x64&fps=20&seconds=0.2"
    section = [{"name": name, "source": source, "pace": "fast"} for name in ("north", "south")]
    assert levels(cameras.cameras(config_of(tmp_path, cameras=section), None, 0.2)) == ["ok", "ok"]


@pytest.mark.parametrize(("fps", "warned"), [(0.0, False), (7.9, True), (8.0, False)])
def test_a_camera_with_too_few_frames_for_a_passer_by_is_warned_of(fps: float, warned: bool) -> None:
    said = texts(NORTH, Look(frames=9, resolution_wh=(640, 480), fps=fps))
    assert said[0] == f"ok: 640×480, {fps:.1f} frames a second"
    assert any(one.startswith("warn: only") for one in said) == warned


def test_a_file_has_no_frame_rate_to_be_warned_of() -> None:
    assert texts(FILE, Look(frames=9, resolution_wh=(640, 480), fps=2.0)) == [
        "ok: 640×480, a file, every frame is taken"
    ]


@pytest.mark.parametrize(("largest", "levels_said"), [(39.0, ["ok", "warn"]), (40.0, ["ok"])])
def test_faces_are_too_small_below_the_least_height_that_is_recognised(largest: float, levels_said: list[str]) -> None:
    seen = Look(frames=9, resolution_wh=(640, 480), fps=25, faces_px=[20.0, largest], searched=4)
    found = list(judge(NORTH, seen))
    assert levels(found) == levels_said
    assert f"0.5 faces a frame, 20 to {largest:.0f} pixels high" in found[0].text


def test_an_empty_street_is_said_and_is_no_fault() -> None:
    assert texts(NORTH, Look(frames=9, resolution_wh=(640, 480), fps=25, searched=5)) == [
        "ok: 640×480, 25.0 frames a second, no face in view"
    ]


def test_a_camera_without_a_picture_says_why_as_the_source_does() -> None:
    assert texts(NORTH, Look(detail="Connection refused.")) == ["fail: Connection refused."]
    assert texts(NORTH, Look()) == [f"fail: {NORTH.safe_source} gave no picture within 8 s."]
