from __future__ import annotations

import cv2
import numpy as np
import pytest

from appliance.core.types import Faces, Image
from appliance.vision import models
from appliance.vision.detector import MAX_INPUT_PIXELS, OnnxDetector, nms, open_detector, plan
from appliance.vision.models import DetectorEntry


def _scene(portrait: Image, face_height_px: float, at_xy: tuple[int, int], size_wh: tuple[int, int]) -> Image:
    """A grey frame with the portrait pasted so that its face (124 px high in the astronaut's) has the wanted height."""
    scale = face_height_px / 124
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((size_wh[1], size_wh[0], 3), 110, np.uint8)
    x, y = at_xy
    frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    return frame


def test_the_face_of_each_portrait_is_found_once_with_its_landmarks(
    two_portraits: tuple[tuple[Image, Faces], ...],
) -> None:
    for picture, faces in two_portraits:
        assert (faces.scores > 0.8).tolist() == [True]
        right_eye, left_eye, nose, right_mouth, left_mouth = faces.landmarks[0]
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        box = faces.boxes_xyxy[0]
        assert (box[:2] > 0).all()
        assert (box[2:] < picture.shape[1::-1]).all()


@pytest.mark.parametrize("height_px", [40, 80, 200])
def test_a_face_of_the_smallest_wanted_size_and_larger_ones_are_found(
    detector: OnnxDetector, astronaut: Image, height_px: int
) -> None:
    frame = _scene(astronaut, height_px, (300, 20), (1280, 900))
    faces = detector.detect(frame)
    assert len(faces) == 1
    assert faces.scores[0] >= detector.match_threshold
    assert faces.boxes_xyxy[0, 3] - faces.boxes_xyxy[0, 1] == pytest.approx(height_px, rel=0.25)


def test_a_large_frame_is_tiled_and_small_and_large_faces_are_found_once(
    manifest: models.Manifest, astronaut: Image
) -> None:
    detector = open_detector(manifest, "centerface", "cpu", 1, min_face_px=24)
    entry = manifest.detector("centerface")
    assert len(plan((2560, 1440), 20 / 24, entry)) > 1
    frame = np.full((1440, 2560, 3), 110, np.uint8)
    for height_px, (x, y) in ((26, (1000, 700)), (60, (40, 1100)), (500, (1200, 0))):
        scale = height_px / 124
        small = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[: 1440 - y, : 2560 - x]
        frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    faces = detector.detect(frame)
    heights = np.sort(faces.boxes_xyxy[faces.scores > 0.5][:, 3] - faces.boxes_xyxy[faces.scores > 0.5][:, 1])
    np.testing.assert_allclose(heights, [26, 60, 500], rtol=0.3)


@pytest.mark.parametrize("size_wh", [(640, 480), (1920, 1080), (3840, 2160), (64, 48), (7680, 90)])
@pytest.mark.parametrize("min_face_px", [16, 40, 200])
@pytest.mark.parametrize("fixed", [None, (320, 320)])
def test_the_passes_cover_the_frame_and_stay_within_the_bound(
    manifest: models.Manifest, size_wh: tuple[int, int], min_face_px: int, fixed: tuple[int, int] | None
) -> None:
    entry = manifest.detector("centerface")
    entry = entry.model_copy(update={"input": entry.input.model_copy(update={"size_wh": fixed})})
    assert isinstance(entry, DetectorEntry)
    passes = plan(size_wh, min(2.0, entry.face_px / min_face_px), entry)
    covered = np.zeros(size_wh[::-1], bool)
    for one in passes:
        left, top, right, bottom = one.part
        covered[top:bottom, left:right] = True
        assert 0 <= left < right <= size_wh[0]
        assert 0 <= top < bottom <= size_wh[1]
        assert one.resized_wh[0] <= one.input_wh[0]
        assert one.resized_wh[1] <= one.input_wh[1]
        assert one.input_wh[0] * one.input_wh[1] <= MAX_INPUT_PIXELS
        assert fixed is None or one.input_wh == fixed
        assert fixed or one.input_wh[0] % 32 == one.input_wh[1] % 32 == 0
    assert covered.all()
    assert passes[-1].part == (0, 0, *size_wh), "the whole frame is looked at once, for faces larger than a tile"
    # Whatever its height, a face has a level that shows it high enough and does not leave it to another.
    smallest = max(min_face_px, entry.face_px / 2)
    for face_px in np.geomspace(smallest, max(smallest, *size_wh), 30):
        assert any(
            face_px * one.resized_wh[0] / (one.part[2] - one.part[0]) >= 0.9 * entry.face_px
            and face_px <= one.largest_px
            for one in passes
        ), face_px


def test_a_frame_without_faces_gives_the_empty_batch(detector: OnnxDetector) -> None:
    assert len(detector.detect(np.full((480, 640, 3), 110, np.uint8))) == 0
    assert len(detector.detect(np.zeros((1, 1, 3), np.uint8))) == 0


@pytest.mark.parametrize("shape", [(0, 640, 3), (480, 640), (480, 640, 4)])
def test_what_is_not_a_picture_is_refused(detector: OnnxDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a frame is uint8"):
        detector.detect(np.zeros(shape, np.uint8))


def test_nothing_of_the_frame_stays_in_the_detector(detector: OnnxDetector, astronaut: Image) -> None:
    detector.detect(astronaut)
    assert detector._buffers
    for buffer in detector._buffers.values():
        arrays: list[np.ndarray] = [buffer.pixels, *buffer.planes, buffer.blob]
        assert not any(array.any() for array in arrays)


def test_the_frame_is_not_changed(detector: OnnxDetector, astronaut: Image) -> None:
    before = astronaut.copy()
    detector.refine(astronaut, detector.detect(astronaut))
    np.testing.assert_array_equal(astronaut, before)


def test_a_second_look_brings_the_landmarks_of_a_small_face_nearer_to_the_truth(
    detector: OnnxDetector, astronaut: Image
) -> None:
    truth = detector.detect(astronaut).landmarks[0]
    scale = 40 / 124
    frame = _scene(astronaut, 40, (300, 20), (1280, 720))
    faces = detector.detect(frame)
    refined = detector.refine(frame, faces)
    wanted = truth * scale + [300, 20]
    errors = [np.linalg.norm(one.landmarks[0] - wanted, axis=1).mean() for one in (faces, refined)]
    assert errors[1] < 0.7 * errors[0]
    assert errors[1] < 0.04 * 40
    np.testing.assert_array_equal(refined.scores, faces.scores)


def test_a_second_look_where_there_is_no_face_changes_nothing(detector: OnnxDetector) -> None:
    box = np.array([[-20, 50, 40, 130]], np.float32)
    faces = Faces(box, np.zeros((1, 5, 2), np.float32), np.array([0.5], np.float32))
    refined = detector.refine(np.full((200, 200, 3), 90, np.uint8), faces)
    np.testing.assert_array_equal(refined.boxes_xyxy, box)
    assert len(detector.refine(np.zeros((20, 20, 3), np.uint8), Faces.empty())) == 0


def test_of_two_boxes_of_one_face_the_better_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 4]], np.float32)
    scores = np.array([0.5, 0.9, 0.3, 0.8], np.float32)
    assert nms(boxes, scores, 0.5).tolist() == [1, 3, 2]
    assert nms(boxes[:0], scores[:0], 0.5).tolist() == []


def test_a_detector_without_a_smallest_face_is_refused(manifest: models.Manifest) -> None:
    with pytest.raises(ValueError, match="min_face_px"):
        open_detector(manifest, "centerface", "cpu", 1, min_face_px=0)
