"""What every reader of a finite source does alike: one suite for each form."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from appliance.camera.sources.image_folder import FolderReader
from appliance.camera.sources.options import SourceOptions
from appliance.camera.sources.pattern import open_pattern
from appliance.camera.sources.reader import Reader
from appliance.camera.sources.video import VideoReader
from appliance.core.errors import SourceError
from appliance.core.types import Image

COUNT = 6
SIZE_WH = (160, 120)


def image(number: int) -> Image:
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 30, np.uint8)
    cv2.rectangle(picture, (10 + 15 * number, 20), (40 + 15 * number, 90), (20, 220, 30), -1)
    return picture


def folder(place: Path) -> Reader:
    for number in range(COUNT):
        cv2.imwrite(str(place / f"{number}.png"), image(number))
    return FolderReader(place, SourceOptions("folder", "", {}))


def video(place: Path) -> Reader:
    writer = cv2.VideoWriter(str(place / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, SIZE_WH)
    for number in range(COUNT):
        writer.write(image(number))
    writer.release()
    return VideoReader(place / "a.avi", loop=False)


def pattern(_: Path) -> Reader:
    return open_pattern(f"test:?size=160x120&fps=5&seconds={COUNT / 5}")


every_reader = pytest.mark.parametrize("make", [folder, video, pattern])
Make = Callable[[Path], Reader]


def read(reader: Reader) -> tuple[list[Image], list[float]]:
    """All pictures from where it is, and their media times."""
    pictures, times = [], []
    while reader.advance():
        into = np.zeros(reader.shape or (1, 1, 3), np.uint8)
        pictures.append(reader.retrieve(into)[0])
        times.append(reader.media_s)
    return pictures, times


@every_reader
def test_all_pictures_come_once_in_rising_media_time_from_nought(make: Make, tmp_path: Path) -> None:
    reader = make(tmp_path)
    assert reader.finite
    assert not reader.live
    reader.open()
    pictures, times = read(reader)
    assert len(pictures) == COUNT
    assert times == pytest.approx([number / 5 for number in range(COUNT)], abs=0.01)
    assert reader.dropped == {}
    assert reader.notice == ""


@every_reader
def test_the_end_stays_the_end(make: Make, tmp_path: Path) -> None:
    reader = make(tmp_path)
    reader.open()
    read(reader)
    assert [reader.advance() for _ in range(3)] == [False] * 3


@every_reader
def test_opened_again_it_begins_again(make: Make, tmp_path: Path) -> None:
    reader = make(tmp_path)
    reader.open()
    first, _ = read(reader)
    reader.close()
    reader.close()
    reader.open()
    second, times = read(reader)
    assert times[0] == 0
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


@every_reader
def test_a_buffer_of_the_right_size_is_filled(make: Make, tmp_path: Path) -> None:
    reader = make(tmp_path)
    reader.open()
    assert reader.advance()
    buffer = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    picture, truth = reader.retrieve(buffer)
    assert np.shares_memory(picture, buffer)
    assert buffer.any()
    assert truth is None


@pytest.mark.parametrize("make", [folder, video])
def test_a_closed_file_gives_no_picture(make: Make, tmp_path: Path) -> None:
    reader = make(tmp_path)
    reader.open()
    reader.advance()
    reader.close()
    with pytest.raises(SourceError):
        reader.retrieve(np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8))
