"""A folder's images come in the order a person would count them, and what is no image is stepped over."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from appliance.camera.sources import image_folder as module
from appliance.camera.sources.image_folder import FolderReader, read_image
from appliance.camera.sources.options import SourceOptions
from appliance.core.errors import SourceError, SourceUnusable

SHAPE = (12, 16, 3)


def put(folder: Path, name: str, value: int, shape: tuple[int, int, int] = SHAPE) -> Path:
    path = folder / name
    cv2.imwrite(str(path), np.full(shape, value, np.uint8))
    return path


def reader_of(folder: Path, query: str = "") -> FolderReader:
    allowed = {"fps": "images a second", "loop": "1 for again and again"}
    return FolderReader(folder, SourceOptions(str(folder), query, allowed))


def values(reader: FolderReader, count: int = 99) -> list[int]:
    found: list[int] = []
    while len(found) < count and reader.advance():
        image, _ = reader.retrieve(np.zeros(SHAPE, np.uint8))
        found.append(int(image[0, 0, 0]))
    return found


def test_numbers_in_names_are_counted_not_spelt(tmp_path: Path) -> None:
    for name, value in (("img10.png", 10), ("img2.png", 2), ("img1.PNG", 1), ("a7b3.png", 73), ("a7b20.png", 90)):
        put(tmp_path, name, value)
    reader = reader_of(tmp_path)
    reader.open()
    assert values(reader) == [73, 90, 1, 2, 10]


def test_media_time_follows_the_images_that_were_shown(tmp_path: Path) -> None:
    put(tmp_path, "1.png", 1)
    (tmp_path / "2.png").write_bytes(b"no image")
    put(tmp_path, "3.png", 3)
    reader = reader_of(tmp_path, "fps=4")
    reader.open()
    assert reader.advance()
    assert reader.media_s == 0
    assert reader.advance()
    assert reader.media_s == 0.25
    assert reader.dropped == {"unreadable": 1}


def test_a_loop_begins_again_and_ends_where_nothing_can_be_read(tmp_path: Path) -> None:
    put(tmp_path, "1.png", 1)
    put(tmp_path, "2.png", 2)
    reader = reader_of(tmp_path, "loop=1")
    reader.open()
    assert not reader.finite
    assert values(reader, 5) == [1, 2, 1, 2, 1]
    for path in tmp_path.iterdir():
        path.write_bytes(b"no image any more")
    assert not reader.advance()
    assert "could not be read" in reader.notice


def test_a_picture_is_wiped_where_it_was_decoded_and_when_it_is_not_wanted(tmp_path: Path) -> None:
    put(tmp_path, "1.png", 200)
    reader = reader_of(tmp_path)
    reader.open()
    reader.advance()
    decoded = reader._image
    assert decoded is not None
    buffer = np.zeros(SHAPE, np.uint8)
    assert reader.retrieve(buffer)[0] is buffer
    assert buffer.all()
    assert not decoded.any()
    reader.open()
    reader.advance()
    unwanted = reader._image
    assert unwanted is not None
    reader.close()
    assert not unwanted.any()
    with pytest.raises(SourceError, match="no picture to retrieve"):
        reader.retrieve(buffer)


def test_another_size_than_the_buffer_is_given_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, "1.png", 5, (20, 30, 3))
    reader = reader_of(tmp_path)
    reader.open()
    reader.advance()
    image, _ = reader.retrieve(np.zeros(SHAPE, np.uint8))
    assert image.shape == (20, 30, 3)
    assert reader.shape == (20, 30, 3)


def test_a_folder_without_images_is_unusable_and_says_what_counts(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SourceUnusable, match=r"holds no images.*\.jpg"):
        reader_of(tmp_path).open()
    with pytest.raises(SourceUnusable, match="cannot be read"):
        reader_of(tmp_path / "gone").open()


def test_an_image_file_is_colour_whatever_it_was(tmp_path: Path) -> None:
    grey, clear = tmp_path / "grey.png", tmp_path / "clear.png"
    cv2.imwrite(str(grey), np.full((4, 5), 9, np.uint8))
    cv2.imwrite(str(clear), np.full((4, 5, 4), 9, np.uint8))
    for path in (grey, clear):
        image = read_image(path)
        assert image is not None
        assert image.shape == (4, 5, 3)


def test_an_image_beyond_the_limits_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "1.png", 1)
    assert read_image(path) is not None
    monkeypatch.setattr(module, "MAX_IMAGE_PIXELS", SHAPE[0] * SHAPE[1] - 1)
    assert read_image(path) is None
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_IMAGE_BYTES", path.stat().st_size - 1)
    assert read_image(path) is None


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert read_image(path) is None
    assert read_image(tmp_path / "gone.png") is None
