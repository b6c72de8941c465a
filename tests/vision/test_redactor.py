from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from present import image_of

from appliance.core.types import Faces, Image
from appliance.vision import aligner
from appliance.vision.detector import OnnxDetector
from appliance.vision.embedder import OnnxEmbedder
from appliance.vision.redactor import BLOCKS, head_boxes, redact

NOISE = np.random.default_rng(11).integers(0, 255, (200, 300, 3), np.uint8)
BOX = np.array([[100, 50, 160, 130]], np.float32)


def _noise() -> Image:
    return NOISE.copy()


@pytest.mark.parametrize("style", ["pixelate", "solid"])
def test_the_whole_head_is_covered_and_the_rest_untouched(style: Any) -> None:
    image = _noise()
    redact(image, BOX, style=style)
    left, top, right, bottom = head_boxes(BOX)[0].astype(int)
    assert (left, top, right, bottom) < (100, 50, 160, 130) or left < 100
    inside = np.zeros(image.shape[:2], bool)
    inside[top : bottom + 1, left : right + 1] = True
    assert (image[~inside] == NOISE[~inside]).all()
    changed = (image[50:130, 100:160] != NOISE[50:130, 100:160]).any(axis=2)
    assert changed.mean() > 0.99


def test_a_pixelated_face_holds_no_more_than_its_few_coarse_colours() -> None:
    image = _noise()
    redact(image, BOX)
    face = image[50:130, 100:160]
    assert len(np.unique(face.reshape(-1, 3), axis=0)) <= (BLOCKS + 1) ** 2
    assert set(np.unique(face)) <= {16 + 32 * i for i in range(8)}


def test_two_faces_with_the_same_coarse_colours_become_the_same_picture() -> None:
    # Irreversible means that many originals have one image: whoever sees it cannot tell which one it was.
    one = np.full((200, 300, 3), 120, np.uint8)
    other = one.copy()
    other[50:130, 100:160] += np.indices((80, 60)).sum(axis=0).astype(np.uint8)[..., None] % 2 * 6
    assert (one != other).any()
    redact(one, BOX)
    redact(other, BOX)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("style", ["pixelate", "solid"])
@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, 20, 20),
        (280, 180, 400, 300),
        (-500, -500, 900, 900),
        (400, 400, 500, 500),
        (5, 5, 5, 5),
        (9, 9, 4, 4),
    ],
)
def test_faces_at_and_beyond_the_edge_are_no_error(style: Any, box: tuple[float, ...]) -> None:
    image = _noise()
    redact(image, np.array([box], np.float32), style=style)
    left, top = (max(0, round(v)) for v in box[:2])
    right, bottom = (max(0, round(v)) for v in box[2:])
    part, before = image[top:bottom, left:right], NOISE[top:bottom, left:right]
    assert part.size == 0 or (part != before).any(axis=2).mean() > 0.9


def test_no_faces_change_nothing() -> None:
    image = _noise()
    redact(image, np.zeros((0, 4), np.float32))
    redact(image, np.zeros((0, 4), np.float32), keep=(10, 10, 50, 50))
    np.testing.assert_array_equal(image, NOISE)


def test_the_kept_face_is_untouched_and_its_neighbour_redacted_outside_it() -> None:
    image = _noise()
    boxes = np.array([[100, 50, 160, 130], [150, 60, 210, 140]], np.float32)
    redact(image, boxes, keep=0)
    np.testing.assert_array_equal(image[50:130, 100:160], NOISE[50:130, 100:160])
    assert (image[60:140, 161:210] != NOISE[60:140, 161:210]).any(axis=2).mean() > 0.99


def test_a_face_in_front_of_the_kept_one_is_redacted() -> None:
    image = _noise()
    boxes = np.array([[60, 20, 220, 190], [120, 100, 160, 150]], np.float32)
    redact(image, boxes, keep=0)
    assert (image[100:150, 120:160] != NOISE[100:150, 120:160]).any(axis=2).mean() > 0.99
    np.testing.assert_array_equal(image[20:99, 60:220], NOISE[20:99, 60:220])


def test_a_kept_box_keeps_the_face_that_overlaps_it_most() -> None:
    image = _noise()
    boxes = np.array([[100, 50, 160, 130], [150, 60, 210, 140]], np.float32)
    redact(image, boxes, keep=(104, 54, 164, 134))
    np.testing.assert_array_equal(image[54:134, 104:164], NOISE[54:134, 104:164])
    assert (image[60:140, 165:210] != NOISE[60:140, 165:210]).any(axis=2).mean() > 0.99


def test_a_kept_box_where_nobody_was_found_keeps_nobody_elsewhere() -> None:
    image = _noise()
    redact(image, BOX, keep=(200, 100, 240, 150))
    assert (image[50:130, 100:160] != NOISE[50:130, 100:160]).any(axis=2).mean() > 0.99


@pytest.mark.parametrize(
    ("boxes", "keep", "style"),
    [
        ([[0, 0, np.nan, 5]], None, "pixelate"), ([[0, 0, np.inf, 5]], None, "solid"), ([[0, 0, 9, 9]], None, "blur"),
        ([[0, 0, 9, 9]], (1, 2, 3), "solid"), ([[0, 0, 9, 9]], (1, 2, np.nan, 4), "solid"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_an_error_and_not_an_unredacted_picture(boxes: Any, keep: Any, style: Any) -> None:
    with pytest.raises(ValueError, match=r"style|finite"):
        redact(_noise(), np.array(boxes, np.float32), keep=keep, style=style)


def test_an_index_that_is_no_face_is_an_error() -> None:
    with pytest.raises(IndexError):
        redact(_noise(), BOX, keep=1)


def test_landmarks_widen_a_box_that_is_too_tight() -> None:
    marks = np.array([[[90, 60], [170, 60], [130, 90], [100, 120], [160, 120]]], np.float32)
    head = head_boxes(np.array([[120, 80, 140, 100]], np.float32), marks)[0]
    assert head[0] < 80
    assert head[2] > 180


def _embed(picture: Image, faces: Faces, embedder: OnnxEmbedder) -> np.ndarray:
    return embedder.embed(aligner.align(picture, faces.landmarks))


@pytest.mark.parametrize("style", ["pixelate", "solid"])
@pytest.mark.parametrize("attack", ["as published", "enlarged and smoothed", "sharpened"])
def test_a_redacted_portrait_is_not_found_and_not_recognised(
    detector: OnnxDetector,
    embedder: OnnxEmbedder,
    two_portraits: tuple[tuple[Image, Faces], ...],
    style: Any,
    attack: str,
) -> None:
    originals = np.concatenate([_embed(picture, faces, embedder) for picture, faces in two_portraits])
    for picture, faces in two_portraits:
        redacted = picture.copy()
        redact(redacted, faces.boxes_xyxy, style=style, landmarks=faces.landmarks)
        if attack == "enlarged and smoothed":
            small = cv2.resize(redacted, None, fx=1 / 24, fy=1 / 24, interpolation=cv2.INTER_AREA)
            redacted = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        elif attack == "sharpened":
            redacted = cv2.addWeighted(redacted, 2.5, cv2.GaussianBlur(redacted, (0, 0), 6), -1.5, 0).astype(np.uint8)
        assert (detector.detect(redacted).scores < detector.match_threshold).all()
        # Even to somebody who knows where the eyes were.
        scores = _embed(redacted, faces, embedder) @ originals.T
        assert scores.max() < 0.2


def _people(count: int) -> list[list[Path]]:
    folder = os.environ.get("LFR_TEST_DATA")
    if not folder:
        pytest.skip("set LFR_TEST_DATA to the folder that holds faces/")
    found = [sorted(path.glob("*.jpg"))[:2] for path in sorted((Path(folder) / "faces").iterdir())]
    pairs = [pair for pair in found if len(pair) == 2]
    return pairs[:: max(1, len(pairs) // count)][:count]


def test_of_many_people_redacted_hardly_one_is_told_from_the_others(
    detector: OnnxDetector, embedder: OnnxEmbedder
) -> None:
    gallery, probes, redacted_same = [], [], []
    for one, other in _people(24):
        pictures = [image_of(path) for path in (one, other)]
        faces = [detector.detect(picture) for picture in pictures]
        if not all(map(len, faces)):
            continue
        gallery.append(_embed(pictures[0], faces[0].select(np.array([0])), embedder)[0])
        for picture, found in zip(pictures, faces, strict=True):
            redact(picture, found.boxes_xyxy, landmarks=found.landmarks)
        redacted_same.append(_embed(pictures[0], faces[0].select(np.array([0])), embedder)[0])
        probes.append(_embed(pictures[1], faces[1].select(np.array([0])), embedder)[0])
    count = len(gallery)
    assert count > 18
    for attack in (probes, redacted_same):
        scores = np.array(attack) @ np.array(gallery).T
        first = (scores.argmax(axis=1) == np.arange(count)).sum()
        # By chance one in `count`: more than five would be found by luck once in a thousand runs.
        assert first <= 5
        assert scores.max() < 0.5
