"""The street shows faces that the detector finds, tells truly whose they are, and is the same each time."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
from appliance.lab.simulation.ground_truth import list_passes
from appliance.lab.simulation.sources import SIMULATED
from appliance.vision.detector import open_detector
from appliance.vision.models import load_manifest

SMALL = "street:?people=2&size=640x360&fps=6&gap=1&seed=4"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[Any]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def frames(source: Any, pace: Any = "fast") -> Iterator[Any]:
    with open_source(Camera(name="street", source=source, pace=pace), simulated=SIMULATED) as opened:
        while (frame := opened.read(30)) is not None:
            yield frame
            opened.release(frame)


def iou(one: Any, other: Any) -> Any:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = np.maximum(high - low, 0).prod()
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_the_same_source_gives_the_same_pixels_and_another_seed_others() -> None:
    def fingerprint(source: Any) -> Any:
        digest = hashlib.sha256()
        count = 0
        for frame in frames(source):
            digest.update(frame.image_bgr)
            digest.update(repr(frame.truth).encode())
            count += 1
        return digest.hexdigest(), count

    first = fingerprint(SMALL)
    assert first == fingerprint(SMALL)
    assert first[1] > 40
    assert first[0] != fingerprint(SMALL.replace("seed=4", "seed=5"))[0]


def test_the_detector_finds_the_faces_where_the_truth_says_they_are() -> None:
    detector = open_detector(load_manifest(), "centerface", "cpu", 1)
    told, found, overlap = 0, 0, []
    for frame in frames("street:?people=3&fps=3&seed=2"):
        wanted = [one for one in frame.truth if one.visible > 0.9 and one.box_xyxy[3] - one.box_xyxy[1] >= 60]
        if not wanted:
            continue
        faces = detector.detect(frame.image_bgr)
        boxes = faces.boxes_xyxy[faces.scores >= detector.match_threshold]
        for one in wanted:
            best = max((iou(np.array(one.box_xyxy), box) for box in boxes), default=0.0)
            told += 1
            found += best > 0.5
            overlap.append(best)
    assert told > 20
    assert found / told >= 0.95
    assert np.median(overlap) > 0.75


def test_each_person_passes_once_between_the_times_that_the_passes_tell() -> None:
    passes = list_passes(SMALL)
    assert [one.person for one in passes] == ["astronaut", "hopper"]
    seen: dict[tuple[str, int], tuple[list[float], list[float]]] = {}
    for frame in frames(SMALL):
        for person, box, _visible, which in frame.truth:
            times, heights = seen.setdefault((person, which), ([], []))
            times.append(frame.media_s)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= 640 and box[3] <= 360
            heights.append(box[3] - box[1] if inside else 0)
    assert set(seen) == {(one.person, one.index) for one in passes}
    for one in passes:
        times, heights = seen[one.person, one.index]
        assert one.enter_s <= times[0] < one.enter_s + 0.5
        assert one.leave_s - 1.5 < times[-1] <= one.leave_s
        assert max(heights) == pytest.approx(one.peak_px, rel=0.15)
        # Towards the camera: larger and larger.
        assert np.mean(heights[:6]) < 0.5 * max(heights)


def test_somebody_in_front_hides_those_behind() -> None:
    visible = [
        one.visible for frame in frames("street:?people=6&size=640x360&fps=5&gap=0.3&seed=3") for one in frame.truth
    ]
    assert min(visible) < 0.5
    assert np.mean(np.array(visible) > 0.95) > 0.5


def test_a_street_in_real_time_takes_as_long_as_it_says() -> None:
    source = "street:?size=320x180&fps=10&people=1&seconds=3"
    began_s = time.monotonic()
    assert sum(1 for _ in frames(source, "realtime")) > 0
    assert time.monotonic() - began_s > 2.7
    assert list_passes(source) == []


def test_faces_of_the_test_data_pass_too() -> None:
    data = os.environ.get("LFR_TEST_DATA")
    if not data:
        pytest.skip("set LFR_TEST_DATA to the folder of test data to let its people pass")
    source = f"street:?faces={Path(data) / 'faces'}&people=3&size=640x360&fps=5&seed=2"
    people = {one.person for frame in frames(source) for one in frame.truth}
    assert people == {one.person for one in list_passes(source)}
    assert len(people) == 3
