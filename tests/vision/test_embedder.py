from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vision_networks import planted_network

from appliance.core.errors import ModelError
from appliance.core.types import Faces, Image
from appliance.vision import aligner, models
from appliance.vision.embedder import MAX_BATCH, OnnxEmbedder
from appliance.vision.engine import Session


def _crops(portraits: tuple[tuple[Image, Faces], ...]) -> Image:
    return np.concatenate([aligner.align(picture, faces.landmarks) for picture, faces in portraits])


def test_a_person_resembles_their_own_mirror_image_and_nobody_else(
    embedder: OnnxEmbedder, two_portraits: tuple[tuple[Image, Faces], ...]
) -> None:
    crops = _crops(two_portraits)
    vectors = embedder.embed(np.concatenate([crops, crops[:, :, ::-1]]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    scores = vectors[:2] @ vectors[2:].T
    assert (np.diag(scores) > 0.8).all()
    assert max(scores[0, 1], scores[1, 0], vectors[0] @ vectors[1]) < 0.3


def test_a_template_lies_between_a_crop_and_its_mirror_image(
    embedder: OnnxEmbedder, two_portraits: tuple[tuple[Image, Faces], ...]
) -> None:
    crops = _crops(two_portraits)
    template, one, other = (
        embedder.embed_enrolment(crops)[0],
        embedder.embed(crops)[0],
        embedder.embed(np.ascontiguousarray(crops[:, :, ::-1]))[0],
    )
    assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)
    assert template @ one == pytest.approx(template @ other, abs=1e-4)
    assert template @ one > one @ other


def test_no_crops_give_no_vectors(embedder: OnnxEmbedder) -> None:
    nothing = np.zeros((0, 112, 112, 3), np.uint8)
    assert embedder.embed(nothing).shape == embedder.embed_enrolment(nothing).shape == (0, 512)


def test_more_crops_than_a_batch_holds_give_what_each_gives_alone(embedder: OnnxEmbedder) -> None:
    crops = np.random.default_rng(1).integers(0, 255, (MAX_BATCH + 2, 112, 112, 3), np.uint8)
    together = embedder.embed(crops)
    for i in (0, MAX_BATCH - 1, MAX_BATCH, MAX_BATCH + 1):
        np.testing.assert_allclose(together[i], embedder.embed(crops[i : i + 1])[0], atol=1e-4)


def test_nothing_of_a_face_stays_in_the_embedder(embedder: OnnxEmbedder) -> None:
    embedder.embed(np.full((3, 112, 112, 3), 77, np.uint8))
    assert not embedder._input.any()


@pytest.mark.parametrize(
    "crops",
    [np.zeros((1, 96, 96, 3), np.uint8), np.zeros((1, 112, 112, 3), np.float32), np.zeros((112, 112, 3), np.uint8)],
)
def test_crops_of_another_shape_or_type_are_refused(embedder: OnnxEmbedder, crops: Any) -> None:
    with pytest.raises(ValueError, match="crops must be uint8"):
        embedder.embed(crops)


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        (np.zeros((1, 512)), "without direction"),
        (np.full((1, 512), np.nan), "not a number"),
        (np.ones((1, 128)), "dimension 512"),
    ],
)
def test_a_network_that_gives_no_usable_vector_is_a_model_error(
    manifest: models.Manifest, planted: np.ndarray, message: str
) -> None:
    entry, crop = manifest.embedder("mobilefacenet"), np.zeros((1, 112, 112, 3), np.uint8)
    network = planted_network({"vector": planted}, [1, 3, 112, 112])
    with pytest.raises(ModelError, match=message):
        OnnxEmbedder(entry, Session(network, "cpu")).embed(crop)
