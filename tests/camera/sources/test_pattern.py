"""The test pattern moves, is the same every time, and ends when it is told to."""

import itertools

import numpy as np
import pytest

from appliance.camera.sources.pattern import PatternReader, open_pattern
from appliance.core.errors import SourceUnusable


def pictures(source: str, count: int = 1000) -> list[np.ndarray]:
    reader = open_pattern(source)
    reader.open()
    found: list[np.ndarray] = []
    while len(found) < count and reader.advance():
        image, truth = reader.retrieve(np.zeros(reader.shape or (1, 1, 3), np.uint8))
        assert truth is None
        found.append(image)
    return found


def test_it_ends_after_the_seconds_that_were_asked_for() -> None:
    assert len(pictures("test:?seconds=2&fps=5&size=64x64")) == 10
    assert len(pictures("test:?seconds=0.04&fps=1&size=64x64")) == 1, "there is at least one picture"


def test_without_seconds_it_never_ends() -> None:
    assert open_pattern("test:").finite is False
    assert len(pictures("test:?size=64x64", count=60)) == 60


def test_every_picture_is_another_one_and_each_run_the_same() -> None:
    first, again = (pictures("test:?seconds=2&fps=5&size=320x240") for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not any(np.array_equal(one, other) for one, other in itertools.pairwise(first))


def test_media_time_is_even() -> None:
    reader = open_pattern("test:?fps=4&size=64x64")
    times = []
    for _ in range(3):
        reader.advance()
        times.append(reader.media_s)
    assert times == [0, 0.25, 0.5]


def test_the_picture_goes_into_the_buffer_where_it_fits() -> None:
    reader = open_pattern("test:?size=64x64")
    reader.advance()
    buffer, other = np.zeros((64, 64, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)
    assert reader.retrieve(buffer)[0] is buffer
    assert buffer.any()
    assert reader.retrieve(other)[0].shape == (64, 64, 3)
    assert not other.any()


@pytest.mark.parametrize("source", ["test:?size=1x1", "test:?fps=0", "test:?seconds=0.01", "test:?faces=2"])
def test_what_it_cannot_show_is_refused(source: str) -> None:
    with pytest.raises(SourceUnusable):
        open_pattern(source)


def test_a_bare_name_is_enough() -> None:
    reader = open_pattern("test:")
    assert isinstance(reader, PatternReader)
    assert (reader.shape, reader.fps) == ((480, 640, 3), 25)
