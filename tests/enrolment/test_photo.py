"""What a watchlist takes from a photo: a template that a turned or resaved one shares, a portrait of nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import beside, png, read, saved
from PIL import Image as Pil

from appliance.core.errors import ModelError
from appliance.core.types import Float32, Image
from appliance.enrolment.photo import PhotoResult, enrol, recipe
from appliance.vision.examine import Examiner, Reason


@pytest.fixture(scope="module")
def photo(models_dir: Path) -> bytes:
    return (models_dir / "astronaut.png").read_bytes()


def test_a_good_photo_gives_a_template_a_portrait_and_its_measures(examiner: Examiner, photo: bytes) -> None:
    result = enrol(examiner, photo)
    assert result.verdict == "accepted", result.reasons
    assert np.linalg.norm(result.template) == pytest.approx(1, abs=1e-5)
    assert read(result.portrait).shape == (256, 256, 3)
    assert read(result.thumbnail).shape == (112, 112, 3)
    assert (result.width, result.height, result.faces) == (512, 512, 1)
    assert 90 < result.measures()["face_px"] < 150
    assert not {"template", "portrait", "thumbnail"} & result.measures().keys()


def test_a_rejected_photo_gives_a_thumbnail_for_the_report_and_nothing_to_compare(
    examiner: Examiner, photo: bytes
) -> None:
    result = enrol(examiner, png(np.full_like(read(photo), 128)))
    assert (result.verdict, result.taken) == ("rejected", False)
    assert not len(result.template)
    assert not result.portrait
    assert result.thumbnail
    assert enrol(examiner, b"no picture").thumbnail == b""


@pytest.mark.parametrize("turn", [Pil.Transpose.ROTATE_90, Pil.Transpose.ROTATE_180, Pil.Transpose.ROTATE_270])
def test_a_photo_on_its_side_gives_the_template_of_the_upright_one(examiner: Examiner, photo: bytes, turn: Any) -> None:
    turned = Pil.fromarray(read(photo)[:, :, ::-1]).transpose(turn)
    assert float(enrol(examiner, saved(turned)).template @ enrol(examiner, photo).template) > 0.99


def test_a_bystander_is_redacted_in_the_portrait(examiner: Examiner, photo: bytes) -> None:
    result = enrol(examiner, png(beside(read(photo)[30:250, 120:330], [(57, 5, 165)])))
    assert result.taken, result.reasons
    assert result.faces == 2
    shown = examiner.detector.detect(read(result.portrait))
    assert len(shown.select(shown.scores >= examiner.detector.match_threshold)) == 1


class Broken:
    """An embedder that fails."""

    ref, provider, dimension, crop_px, threshold = "broken@0", "cpu", 16, 112, 0.5
    template: tuple[tuple[float, float], ...] = ((38, 52), (74, 52), (56, 72), (42, 92), (71, 92))

    def embed(self, crops_bgr: Image) -> Float32:
        raise ModelError("it gave a vector without direction")

    embed_enrolment = embed


def test_a_model_that_fails_rejects_the_photo_and_says_so(examiner: Examiner, photo: bytes) -> None:
    result = enrol(Examiner(examiner.detector, Broken(), 20), photo)
    assert result.verdict == "rejected"
    assert "without direction" in result.reasons[-1]
    assert result.thumbnail


def test_a_result_survives_the_cache() -> None:
    made = PhotoResult(
        verdict="warning", reasons=["a"], remedies=["b"], face_px=80.5, template=np.arange(4, dtype=np.float32),
        portrait=b"p", thumbnail=b"tt",
    )  # fmt: skip
    again = PhotoResult.from_bytes(made.to_bytes())
    assert again.measures() == made.measures()
    assert again.template.tolist() == [0, 1, 2, 3]
    assert (again.portrait, again.thumbnail) == (b"p", b"tt")
    with pytest.raises(ValueError, match="length"):
        PhotoResult.from_bytes(made.to_bytes()[:-1])


def test_a_remedy_is_told_once_however_many_reasons_it_helps() -> None:
    result = PhotoResult()
    for kind in ("underexposed", "too little contrast"):
        result.add(Reason(kind, kind, "Use a picture in better light."))
    result.add(Reason("odd", "odd"))
    assert result.reasons == ["underexposed", "too little contrast", "odd"]
    assert result.remedies == ["Use a picture in better light."]


def test_another_model_makes_another_recipe_and_the_same_ones_the_one_that_caches_have() -> None:
    assert recipe("centerface@09189deaaf86", "mobilefacenet@87aacdfe5751") == "1c867dc9e66226d9"
    assert recipe("a@1", "b@1") != recipe("a@1", "b@2")
