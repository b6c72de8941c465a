"""The face that a photo is about is chosen by size and place, and found however the photo lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from appliance.core.types import Faces, Image
from appliance.vision.photo_faces import find_faces, smallest_face_px

UPRIGHT = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


class Told:
    """A detector that finds what it is told for a picture, by the picture's colour in its middle."""

    ref, provider, match_threshold = "told@0", "cpu", 0.5

    def __init__(self, finds: Callable[[Image], Faces]) -> None:
        self.finds = finds
        self.asked: list[float | None] = []

    def detect(self, frame_bgr: Image, min_face_px: float | None = None) -> Faces:
        self.asked.append(min_face_px)
        return self.finds(frame_bgr)

    def refine(self, frame_bgr: Image, faces: Faces) -> Faces:
        return faces


def faces_at(*boxes: tuple[float, float, float, float], scores: float = 0.9) -> Faces:
    """Upright faces in these boxes."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    sizes = xyxy[:, 2:] - xyxy[:, :2]
    return Faces(xyxy, UPRIGHT * sizes[:, None] + xyxy[:, None, :2], np.full(len(xyxy), scores, np.float32))


def blank(width: int = 400, height: int = 300) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def test_a_photo_without_a_face_chooses_none_and_was_looked_at_from_every_side() -> None:
    told = Told(lambda _: Faces.empty())
    found = find_faces(blank(), told, 20)
    assert (found.chosen, found.rivals, len(found.faces), found.change) == (None, 0, 0, "")
    assert len(told.asked) == 2 * 5, "as it is, with room around it, turned three ways; each at two scales"


def test_a_face_that_the_detector_is_not_sure_of_is_not_chosen() -> None:
    found = find_faces(blank(), Told(lambda _: faces_at((150, 100, 250, 200), scores=0.4)), 20)
    assert found.chosen is None


@pytest.mark.parametrize(
    ("boxes", "chosen", "rivals"),
    [
        ([(150, 100, 250, 200)], 0, 0),
        ([(0, 0, 120, 120), (160, 110, 240, 190)], 1, 1),
        ([(0, 0, 90, 90), (150, 100, 250, 200)], 1, 0),
        ([(150, 100, 250, 200), (80, 90, 175, 190)], 0, 1),
        ([(0, 0, 100, 100), (300, 0, 340, 40)], 0, 0),
        ([(0, 0, 100, 100), (300, 0, 380, 80)], 0, 1),
    ],
    ids=["alone", "smaller but in the middle", "a bystander at the edge", "two in the middle",
         "nobody in the middle, one larger", "nobody in the middle, two alike"],
)  # fmt: skip
def test_size_and_place_say_who_is_meant(
    boxes: list[tuple[float, float, float, float]], chosen: int, rivals: int
) -> None:
    found = find_faces(blank(), Told(lambda _: faces_at(*boxes)), 20)
    assert (found.chosen, found.rivals) == (chosen, rivals)


def test_a_face_that_fills_the_picture_is_found_with_room_around_it() -> None:
    photo = blank(200, 200)
    found = find_faces(photo, Told(lambda x: faces_at((60, 60, 240, 240)) if len(x) > 200 else Faces.empty()), 20)
    assert (found.change, found.chosen) == ("padded", 0)
    assert found.image_bgr.shape == (300, 300, 3)


def test_a_lying_face_is_looked_at_again_upright() -> None:
    lying = faces_at((150, 100, 250, 200))
    centre = np.array([200, 150], np.float32)
    turned = (lying.landmarks - centre)[..., ::-1] * np.array([-1, 1], np.float32) + centre

    def finds(image: Image) -> Faces:
        upright = image.shape[0] > image.shape[1]
        return faces_at((100, 150, 200, 250)) if upright else Faces(lying.boxes_xyxy, turned, lying.scores)

    found = find_faces(blank(), Told(finds), 20)
    assert found.change == "turned"
    assert found.image_bgr.shape == (400, 300, 3)


def test_a_larger_photo_is_looked_at_no_finer_than_it_needs() -> None:
    assert smallest_face_px(20, (300, 400)) == 20
    assert smallest_face_px(20, (960, 1280)) == 40
    assert smallest_face_px(20, (300, 400), 100) == 80
    assert smallest_face_px(0.1, (10, 10)) == 1
