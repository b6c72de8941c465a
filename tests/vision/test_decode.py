"""Whatever a file holds ends in upright pixels of a bounded size, or in a reason with a remedy."""

from __future__ import annotations

import numpy as np
import pytest
from photos import saved
from PIL import Image as Pil

from appliance.vision.decode import WORK_SIDE_PX, Unreadable, decode


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
    with pytest.raises(Unreadable, match=reason) as caught:
        decode(content)
    assert caught.value.remedy


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
    photo = decode(saved(Pil.new(mode, (40, 50)), kind))
    assert photo.image_bgr.shape == (50, 40, 3)
    assert photo.image_bgr.dtype == np.uint8
    assert (photo.shrunk, photo.size_wh) == (1, (40, 50))


def test_red_stays_red_and_what_is_transparent_becomes_grey() -> None:
    assert decode(saved(Pil.new("RGB", (40, 40), (255, 0, 0)))).image_bgr[5, 5].tolist() == [0, 0, 255]
    assert decode(saved(Pil.new("RGBA", (40, 40), (255, 0, 0, 0)))).image_bgr[5, 5].tolist() == [128, 128, 128]


def test_a_large_picture_is_shrunk_and_knows_the_size_of_the_original() -> None:
    photo = decode(saved(Pil.new("RGB", (6000, 3000), (200, 10, 20)), "JPEG"))
    assert max(photo.image_bgr.shape) <= WORK_SIDE_PX
    assert photo.size_wh[0] == pytest.approx(6000, abs=4)
    assert photo.shrunk * photo.image_bgr.shape[1] == pytest.approx(6000, abs=4)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Pil.Transpose.ROTATE_180), (6, Pil.Transpose.ROTATE_90), (8, Pil.Transpose.ROTATE_270)],
)
def test_the_orientation_of_exif_is_honoured(orientation: int, turn: Pil.Transpose) -> None:
    picture = Pil.new("RGB", (60, 40))
    picture.paste((255, 255, 255), (0, 0, 60, 10))
    exif = Pil.Exif()
    exif[274] = orientation
    photo = decode(saved(picture.transpose(turn), "JPEG", quality=95, exif=exif))
    assert photo.image_bgr.shape == (40, 60, 3)
    assert photo.image_bgr[2].mean() > 240, "the white stripe is at the top again"
    assert photo.image_bgr[-2].mean() < 15
