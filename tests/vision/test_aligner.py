from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from appliance.core.types import Faces, Image
from appliance.vision.aligner import PORTRAIT_EYES, align, portrait, similarity
from appliance.vision.detector import OnnxDetector
from appliance.vision.models import ARCFACE_TEMPLATE

TEMPLATE = np.array(ARCFACE_TEMPLATE)


def _turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * points @ rotation.T + shift)


def test_a_known_turn_scale_and_shift_is_undone_for_all_faces_at_once() -> None:
    moves = [(0, 1, (0, 0)), (30, 0.4, (50, -20)), (-175, 7.5, (1000, 400))]
    sources = np.array([_turned(TEMPLATE, *move) for move in moves])
    for matrix, source in zip(similarity(sources, TEMPLATE), sources, strict=True):
        np.testing.assert_allclose(source @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-9)


def test_the_transform_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(5)
    source = (TEMPLATE * 2 + rng.normal(0, 4, (5, 2)))[None]
    best = similarity(source, TEMPLATE)[0]

    def error(matrix: np.ndarray) -> float:
        return float(((source[0] @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2).sum())

    for _ in range(50):
        a, b, x, y = rng.normal(0, 0.01, 4)
        assert error(best + np.array([[a, -b, x], [b, a, y]])) >= error(best)


def test_a_mirrored_face_is_not_unmirrored() -> None:
    mirrored = (TEMPLATE * [-1, 1])[None]
    matrix = similarity(mirrored, TEMPLATE)[0]
    assert np.linalg.det(matrix[:, :2]) >= 0


def test_no_faces_give_no_crops() -> None:
    assert align(np.zeros((10, 10, 3), np.uint8), Faces.empty().landmarks).shape == (0, 112, 112, 3)
    assert similarity(np.zeros((0, 5, 2)), TEMPLATE).shape == (0, 2, 3)


def test_landmarks_that_coincide_give_a_black_crop_and_not_an_error() -> None:
    frame = np.full((50, 50, 3), 200, np.uint8)
    crops = align(frame, np.full((2, 5, 2), 20, np.float32))
    assert not crops.any()


@pytest.mark.parametrize("degrees", [0, 25, -40])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_crop_is_the_same_however_the_face_lies_in_the_frame(
    astronaut: Image, two_portraits: tuple[tuple[Image, Faces], ...], degrees: float, scale: float
) -> None:
    marks = two_portraits[0][1].landmarks[0]
    upright = align(astronaut, marks[None])[0].astype(int)
    side = round(700 * scale)
    matrix = np.asarray(cv2.getRotationMatrix2D((256, 256), degrees, scale), np.float64)
    matrix[:, 2] += side / 2 - 256
    frame = cv2.warpAffine(astronaut, matrix, (side, side), flags=cv2.INTER_CUBIC)
    turned = (np.column_stack([marks, np.ones(5)]) @ matrix.T).astype(np.float32)
    again = align(frame.astype(np.uint8), turned[None])[0].astype(int)
    assert np.abs(again - upright)[16:-16, 16:-16].mean() < 6


def test_a_face_much_larger_than_the_crop_is_shrunk_without_aliasing() -> None:
    # Stripes of one pixel: whoever samples single pixels sees them as a pattern, whoever averages sees grey.
    frame = np.zeros((900, 900, 3), np.uint8)
    frame[:, ::2] = 255
    crops = align(frame, (TEMPLATE * 7.3 + 31).astype(np.float32)[None])
    assert crops[0].std() < 8
    assert crops[0].mean() == pytest.approx(127, abs=8)


def test_shrinking_first_does_not_shift_the_crop() -> None:
    y, x = np.mgrid[0:900, 0:900]
    frame = np.stack([x / 4, y / 4, (x + y) / 8], axis=-1).astype(np.uint8)
    crop = align(frame, (TEMPLATE * 7 + 40).astype(np.float32)[None])[0].astype(float)
    rows, columns = np.mgrid[0:112, 0:112]
    np.testing.assert_allclose(crop[..., 0], (columns * 7 + 40) / 4, atol=1.1)
    np.testing.assert_allclose(crop[..., 1], (rows * 7 + 40) / 4, atol=1.1)


def test_the_shrunk_copy_of_a_large_face_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Any] = []
    resize = cv2.resize

    def watched(*given: Any, **named: Any) -> Any:
        copies.append(resize(*given, **named))
        return copies[-1]

    monkeypatch.setattr(cv2, "resize", watched)
    frame = np.full((900, 900, 3), 200, np.uint8)
    crops = align(frame, (TEMPLATE * 7 + 40).astype(np.float32)[None])
    assert crops.any()
    assert frame.all()
    assert len(copies) == 1
    assert not copies[0].any()


def test_every_portrait_has_the_eyes_in_the_same_places(
    detector: OnnxDetector, two_portraits: tuple[tuple[Image, Faces], ...]
) -> None:
    for picture, faces in two_portraits:
        shown = portrait(picture, faces.landmarks[0], 256)
        assert shown.shape == (256, 256, 3)
        found = detector.detect(shown)
        assert len(found) == 1
        np.testing.assert_allclose(found.landmarks[0, :2], np.array(PORTRAIT_EYES) * 256, atol=10)


def test_a_portrait_at_the_edge_of_the_frame_is_grey_where_the_frame_ends() -> None:
    frame = np.full((60, 60, 3), 255, np.uint8)
    shown = portrait(frame, (TEMPLATE * 0.5 - 20).astype(np.float32), 128)
    assert {tuple(shown[0, 0].tolist()), tuple(shown[-1, -1].tolist())} == {(48, 48, 48), (255, 255, 255)}
