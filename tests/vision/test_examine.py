"""A photo is judged with measures, reasons and what would help; whatever it holds, the answer is a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from photos import beside, png, read, saved
from PIL import Image as Pil

from appliance.core.errors import ModelError
from appliance.core.types import Faces, Image
from appliance.vision.examine import HELP, REJECT, Examiner
from appliance.vision.photo_faces import PhotoFaces
from appliance.vision.quality import Gate, assess


@pytest.fixture(scope="module")
def photo(models_dir: Path) -> bytes:
    return (models_dir / "astronaut.png").read_bytes()


def test_a_good_photo_is_accepted_with_its_measures(examiner: Examiner, photo: bytes) -> None:
    found = examiner.examine(photo)
    assert (found.verdict, found.reasons, found.taken) == ("accepted", (), True)
    assert found.size_wh == (512, 512)
    assert 90 < found.face_px < 150
    assert found.quality is not None
    assert found.quality.size_px.tolist() == [pytest.approx(found.face_px)]
    assert found.found is not None
    assert found.found.chosen == 0


@pytest.mark.parametrize(
    ("change", "kind", "remedy"),
    [
        (lambda x: cv2.GaussianBlur(x, (0, 0), 5), "too blurred", "in focus"),
        (lambda x: cv2.resize(x, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA), "too small", "original"),
        (lambda x: np.full_like(x, 128), "no face", "from the front"),
        (lambda x: cv2.convertScaleAbs(x, alpha=0.06), "underexposed", "better light"),
        (lambda x: np.hstack([x[:300, 60:360], x[:300, 60:360]]), "several faces", "Crop"),
    ],
)
def test_each_kind_of_bad_photo_is_rejected_with_reason_and_help(
    examiner: Examiner, photo: bytes, change: Any, kind: str, remedy: str
) -> None:
    found = examiner.examine(png(change(read(photo))))
    assert (found.verdict, found.taken) == ("rejected", False)
    assert kind in [reason.kind for reason in found.reasons]
    assert remedy in " ".join(reason.remedy for reason in found.reasons)


def test_what_cannot_be_read_is_rejected_with_the_decoders_reason(examiner: Examiner) -> None:
    found = examiner.examine(b"hello")
    assert found.verdict == "rejected"
    assert [reason.kind for reason in found.reasons] == ["unreadable"]
    assert (found.image_bgr, found.found, found.quality) == (None, None, None)


@pytest.mark.parametrize("turn", [Pil.Transpose.ROTATE_90, Pil.Transpose.ROTATE_180, Pil.Transpose.ROTATE_270])
def test_a_photo_on_its_side_is_turned_with_a_warning(examiner: Examiner, photo: bytes, turn: Any) -> None:
    found = examiner.examine(saved(read_pil(photo).transpose(turn)))
    assert found.verdict == "warning"
    assert found.reasons[0].kind == "not upright"


def test_a_bystander_at_the_edge_is_pointed_out(examiner: Examiner, photo: bytes) -> None:
    found = examiner.examine(png(beside(read(photo)[30:250, 120:330], [(0, 5, 165)])))
    assert found.verdict == "warning", found.reasons
    assert found.reasons[0].text.startswith("2 faces")


def test_the_size_that_counts_is_that_in_the_original(examiner: Examiner, photo: bytes) -> None:
    large = cv2.resize(read(photo), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    found = examiner.examine(bytes(cv2.imencode(".jpg", large)[1]))
    assert found.size_wh[0] == pytest.approx(3072, abs=3)
    assert found.face_px == pytest.approx(6 * examiner.examine(photo).face_px, rel=0.06)


def test_a_closer_look_gives_the_crop_that_the_embedder_takes(examiner: Examiner, photo: bytes) -> None:
    found = examiner.examine(photo).found
    assert found is not None
    face = examiner.closer_look(found)
    assert face.landmarks.shape == (5, 2)
    assert face.crop.shape == (1, 112, 112, 3)
    nobody = PhotoFaces(np.zeros((40, 40, 3), np.uint8), Faces.empty(), None, 0)
    with pytest.raises(ValueError, match="no face was chosen"):
        examiner.closer_look(nobody)


class Broken:
    ref, provider, match_threshold = "broken@0", "cpu", 0.5

    def detect(self, frame_bgr: Image, min_face_px: float | None = None) -> Faces:
        raise ModelError("the network gave nonsense")

    def refine(self, frame_bgr: Image, faces: Faces) -> Faces:
        return faces


def test_a_model_that_fails_is_a_verdict_and_not_the_end_of_a_build(examiner: Examiner, photo: bytes) -> None:
    found = Examiner(Broken(), examiner.embedder, 20).examine(photo)
    assert found.verdict == "rejected"
    assert "nonsense" in found.reasons[0].text
    assert found.image_bgr is not None


def test_every_fault_that_a_gate_can_find_has_a_remedy() -> None:
    none_passes = Gate(1e9, 2, 1e9, -1, -1, -1, 1e9, -1)
    landmarks = np.array([[[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]]], np.float32)
    faces = Faces(np.array([[0, 0, 100, 100]], np.float32), landmarks, np.array([0.9], np.float32))
    kinds = {
        fault.kind
        for shade in (10, 250)
        for fault in none_passes.faults(assess(np.full((120, 120, 3), shade, np.uint8), faces), 0)
    }
    assert kinds == set(HELP)
    assert not REJECT.passes(assess(np.zeros((120, 120, 3), np.uint8), faces)).any()


def read_pil(content: bytes) -> Pil.Image:
    return Pil.fromarray(read(content)[:, :, ::-1])
