"""A head is cut from the face that a photo is about, upright and at one scale, however the photo lies."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos import beside, read

from appliance.core.errors import SourceUnusable
from appliance.lab.simulation.portraits import HEAD_WH, Head, choose_photo, cut_head, list_people


@pytest.fixture(scope="module")
def portrait() -> Path:
    return list_people(None)["astronaut"][0]


def cut(image: np.ndarray, folder: Path) -> Head:
    path = folder / "photo.png"
    cv2.imwrite(str(path), image)
    return cut_head.__wrapped__(path)  # the cache knows a photo by its path


def test_a_head_has_its_face_inside_and_levels_of_half_the_size_each(portrait: Path) -> None:
    head = cut_head(portrait)
    assert head.levels[0].shape == (HEAD_WH[1], HEAD_WH[0], 4)
    assert [level.shape[1] for level in head.levels] == [264, 132, 66, 33, 16]
    left, top, right, bottom = head.face_xyxy
    assert 0 < left < right < HEAD_WH[0]
    assert 0 < top < bottom < HEAD_WH[1]
    share = head.levels[0][..., 3]
    assert share[int(top + bottom) // 2, int(left + right) // 2] == 255
    assert share[:20, :20].max() == 0, "what is beside the head is cut off"
    assert head.skin_bgr[2] > head.skin_bgr[0], "skin is redder than blue"


def test_a_photo_on_its_side_gives_the_same_head(portrait: Path, tmp_path: Path) -> None:
    upright = cut_head(portrait)
    turned = cut(cv2.rotate(read(portrait.read_bytes()), cv2.ROTATE_90_CLOCKWISE), tmp_path)
    assert turned.face_xyxy == pytest.approx(upright.face_xyxy, abs=4)


def test_of_two_people_the_one_in_the_middle_is_cut(portrait: Path, tmp_path: Path) -> None:
    face = read(portrait.read_bytes())[30:250, 120:330]
    alone, together = (cut(beside(face, others), tmp_path) for others in ([], [(0, 5, 165)]))
    assert together.face_xyxy == pytest.approx(alone.face_xyxy, abs=1)


def test_a_photo_without_a_face_or_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="shows no face"):
        cut(np.full((200, 200, 3), 128, np.uint8), tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(SourceUnusable, match=r"broken\.jpg cannot be used"):
        cut_head(tmp_path / "broken.jpg")
    with pytest.raises(SourceUnusable, match="cannot be read"):
        cut_head(tmp_path / "none.jpg")


def test_the_photo_is_the_one_that_is_asked_for() -> None:
    photos = [Path("1.jpg"), Path("2.jpg"), Path("3.jpg")]
    assert choose_photo(photos, "first", random.Random(0)) == photos[0]
    assert choose_photo(photos, "last", random.Random(0)) == photos[-1]
    assert {choose_photo(photos, "random", random.Random(seed)) for seed in range(30)} == set(photos)
