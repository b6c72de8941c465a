from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pil
from present import image_of

from appliance.vision import examine
from appliance.vision.examine import PhotoResult, Unreadable, decode


def saved(picture: Pil.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def astronaut(models_dir: Path) -> Pil.Image:
    return Pil.open(models_dir / "astronaut.png").convert("RGB")


def bgr(picture: Pil.Image) -> np.ndarray:
    return np.asarray(picture)[:, :, ::-1].copy()


def png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


def test_a_good_photo_is_accepted_with_its_measures(examiner: Any, astronaut: Pil.Image) -> None:
    result = examiner.examine(saved(astronaut))
    assert result.verdict == "accepted", result.reasons
    assert 90 < result.face_px < 150
    assert np.linalg.norm(result.template) == pytest.approx(1, abs=1e-5)
    assert image_of(result.portrait).shape == (256, 256, 3)


@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        (lambda x: cv2.GaussianBlur(x, (0, 0), 5), "too blurred", "in focus"),
        (lambda x: cv2.resize(x, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA), "too small", "original"),
        (lambda x: np.full_like(x, 128), "no face was found", "from the front"),
        (lambda x: cv2.convertScaleAbs(x, alpha=0.06), "exposed", "better light"),
        (lambda x: np.hstack([x[:300, 60:360], x[:300, 60:360]]), "several faces: 2", "Crop"),
    ],
)
def test_each_kind_of_bad_photo_is_rejected_with_reason_and_help(
    examiner: Any, astronaut: Pil.Image, change: Any, reason: str, remedy: str
) -> None:
    result = examiner.examine(png(change(bgr(astronaut))))
    assert result.verdict == "rejected"
    assert reason in "; ".join(result.reasons)
    assert remedy in " ".join(result.remedies)
    assert not len(result.template)
    assert not result.portrait
    assert result.thumbnail


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_of_exif_is_honoured(examiner: Any, astronaut: Pil.Image, orientation: int) -> None:
    turn = {3: Pil.Transpose.ROTATE_180, 6: Pil.Transpose.ROTATE_90, 8: Pil.Transpose.ROTATE_270}[orientation]
    exif = Pil.Exif()
    exif[274] = orientation
    result = examiner.examine(saved(astronaut.transpose(turn), "JPEG", quality=95, exif=exif))
    upright = examiner.examine(saved(astronaut))
    assert result.verdict == "accepted", result.reasons
    assert float(result.template @ upright.template) > 0.97


@pytest.mark.parametrize("turn", [Pil.Transpose.ROTATE_90, Pil.Transpose.ROTATE_180, Pil.Transpose.ROTATE_270])
def test_a_photo_on_its_side_is_turned_with_a_warning(examiner: Any, astronaut: Pil.Image, turn: Any) -> None:
    upright = examiner.examine(saved(astronaut))
    result = examiner.examine(saved(astronaut.transpose(turn)))
    assert result.verdict == "warning"
    assert "was turned" in result.reasons[0]
    assert float(result.template @ upright.template) > 0.99


def test_a_bystander_at_the_edge_is_pointed_out_and_redacted(examiner: Any, astronaut: Pil.Image) -> None:
    face = bgr(astronaut)[30:250, 120:330]
    wide = np.full((440, 640, 3), 90, np.uint8)
    wide[100:320, 215:425] = face
    wide[5:170, 0:158] = cv2.resize(face, (158, 165), interpolation=cv2.INTER_AREA)
    result = examiner.examine(png(wide))
    assert result.verdict == "warning", result.reasons
    assert "2 faces" in result.reasons[0]
    seen = examiner._detect(cv2.imdecode(np.frombuffer(result.portrait, np.uint8), 1))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"hello", "not a picture"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "not a picture|damaged|truncated"),
        (b"%PDF-1.7 and so on", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    ],
)
def test_what_is_no_picture_ends_in_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        decode(content)


def test_truncated_pictures_and_bombs_are_refused() -> None:
    noise = Pil.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    for kind in ("JPEG", "PNG"):
        content = saved(noise, kind)
        with pytest.raises(Unreadable, match=r"truncated|damaged"):
            decode(content[: len(content) // 2])
    with pytest.raises(Unreadable, match="too large"):
        decode(saved(Pil.new("1", (12_000, 12_000))))
    with pytest.raises(Unreadable, match="too large"):
        decode(saved(Pil.new("1", (30_000, 10_000))))
    with pytest.raises(Unreadable, match="too small"):
        decode(saved(Pil.new("RGB", (20, 200))))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I"])
def test_every_kind_of_pixels_becomes_blue_green_red(mode: str) -> None:
    kind = {"CMYK": "JPEG", "I": "TIFF"}.get(mode, "PNG")
    picture = Pil.new(mode, (40, 50))
    pixels, shrunk = decode(saved(picture, kind))
    assert pixels.shape == (50, 40, 3)
    assert pixels.dtype == np.uint8
    assert shrunk == 1


def test_a_large_picture_is_shrunk_and_its_measures_are_of_the_original() -> None:
    pixels, shrunk = decode(saved(Pil.new("RGB", (6000, 3000), (200, 10, 20)), "JPEG"))
    assert max(pixels.shape) <= examine.WORK_SIDE_PX
    assert shrunk * pixels.shape[1] == pytest.approx(6000, abs=4)


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
