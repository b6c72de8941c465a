from __future__ import annotations

import cv2
import numpy as np
import pytest

from appliance.core.types import Faces, Image
from appliance.vision.detector import OnnxDetector
from appliance.vision.models import ARCFACE_TEMPLATE
from appliance.vision.quality import Gate, assess, pose_deg


def _head(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """Five landmarks of a head with eyes 63 mm apart and the nose 30 mm before them, turned, seen from afar."""
    flat = np.array(ARCFACE_TEMPLATE) - np.mean(ARCFACE_TEMPLATE, axis=0)
    points = np.column_stack([flat * 63 / 35.24, [0, 0, 30, 5, 5]])
    y, p, r = np.radians([yaw, pitch, roll])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_p = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    turn_r = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray((points @ turn_p.T @ turn_y.T @ turn_r.T)[:, :2] * 1.7 + 200, np.float32)


@pytest.mark.parametrize("yaw", [-45, -20, 0, 20, 45])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_a_turned_head_is_measured_however_it_is_tilted(yaw: float, roll: float) -> None:
    found = pose_deg(_head(yaw=yaw, roll=roll)[None])
    assert found[0][0] == pytest.approx(yaw, abs=6)
    assert found[2][0] == pytest.approx(roll, abs=8)


def test_looking_down_is_positive_and_looking_up_negative() -> None:
    pitches = pose_deg(np.stack([_head(pitch=angle) for angle in (-30, 0, 30)]))[1]
    assert pitches[0] < pitches[1] - 20
    assert pitches[2] > pitches[1] + 20


def test_both_portraits_pass_without_a_fault(two_portraits: tuple[tuple[Image, Faces], ...]) -> None:
    for picture, faces in two_portraits:
        quality = assess(picture, faces)
        assert Gate().passes(quality).tolist() == [True]
        assert Gate().faults(quality, 0) == ()


def test_no_faces_have_no_quality() -> None:
    quality = assess(np.zeros((10, 10, 3), np.uint8), Faces.empty())
    assert len(quality) == 0
    assert Gate().passes(quality).shape == (0,)


def _spoilt(picture: Image, how: str) -> Image:
    if how == "out of focus":
        return cv2.GaussianBlur(picture, (0, 0), 5).astype(np.uint8)
    if how.startswith("moved"):
        kernel = np.zeros((35, 35), np.float32)
        if how.endswith("sideways"):
            kernel[17] = 1 / 35
        else:
            kernel[:, 17] = 1 / 35
        return cv2.filter2D(picture, -1, kernel).astype(np.uint8)
    if how == "dark":
        return (picture * 0.03).astype(np.uint8)
    return np.clip(picture.astype(np.float32) * 6, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("out of focus", "too blurred"), ("moved sideways", "too blurred"), ("moved up", "too blurred"),
        ("dark", "underexposed"), ("bright", "overexposed"),
    ],
)  # fmt: skip
def test_a_spoilt_picture_is_refused_with_its_own_reason(
    two_portraits: tuple[tuple[Image, Faces], ...], how: str, reason: str
) -> None:
    gate = Gate(min_sharpness=2.2, max_clipped=0.4)
    for picture, faces in two_portraits:
        good, bad = assess(picture, faces), assess(_spoilt(picture, how), faces)
        assert not gate.passes(bad)[0]
        assert reason in [fault.kind for fault in gate.faults(bad, 0)]
        assert bad.score[0] < good.score[0]


def test_a_reason_says_what_was_found_and_what_is_needed(detector: OnnxDetector, astronaut: Image) -> None:
    small = cv2.resize(astronaut, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA).astype(np.uint8)
    quality = assess(small, detector.detect(small, min_face_px=20))
    assert Gate(min_size_px=40, min_detection=0).faults(quality, 0) == (
        ("too small", f"too small: {quality.size_px[0]:.0f} px high, 40 needed"),
    )


def test_a_turned_face_is_refused_by_its_angle() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    faces = Faces(
        np.array([[100, 100, 300, 340]] * 3, np.float32),
        np.stack([_head(yaw=60), _head(pitch=50), _head(roll=70)]),
        np.full(3, 0.9, np.float32),
    )
    quality = assess(frame, faces)
    assert not Gate().passes(quality).any()
    said = [[fault.text for fault in Gate().faults(quality, i)] for i in range(3)]
    assert said[0][0].startswith("turned to the side: about ")
    assert said[1][0].startswith("looking down: about ")
    assert any(text.startswith("tilted: 70°") for text in said[2])


def test_a_measure_that_is_not_a_number_does_not_pass() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    box = np.array([[0, 0, 100, 100]], np.float32)
    faces = Faces(box, np.full((1, 5, 2), np.nan, np.float32), np.array([0.9], np.float32))
    assert Gate().passes(assess(frame, faces)).tolist() == [False]
