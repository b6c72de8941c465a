"""Buffers are bounded, wiped when they come back, and never shared by two frames."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from appliance.camera.sources.buffers import BufferPool
from appliance.core.types import Frame, Image

SHAPE = (4, 6, 3)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def taken(pool: BufferPool, shape: tuple[int, int, int] = SHAPE) -> Image:
    image = pool.take(shape)
    assert image is not None
    return image


@pytest.mark.parametrize("limit", [0, -1])
def test_a_pool_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1"):
        BufferPool(limit)


def test_no_more_buffers_exist_than_agreed() -> None:
    pool = BufferPool(2)
    one, _ = taken(pool), taken(pool)
    assert pool.take(SHAPE) is None
    assert pool.held == 2
    pool.give_back(one)
    assert (pool.held, taken(pool) is one) == (1, True)


def test_a_buffer_is_wiped_when_it_comes_back_and_empty_when_it_goes_out_again() -> None:
    pool = BufferPool(1)
    image = taken(pool)
    image.fill(200)
    pool.give_back(image)
    assert not image.any()
    assert not taken(pool).any()


def test_what_is_not_out_is_left_alone() -> None:
    pool = BufferPool(2)
    image = taken(pool)
    pool.give_back(image)
    again = taken(pool)
    stranger = np.full(SHAPE, 7, np.uint8)
    pool.give_back(stranger)
    assert stranger.all()
    assert (again is image, pool.held) == (True, 1)


def test_a_picture_that_the_decoder_put_elsewhere_takes_the_place_of_its_buffer() -> None:
    pool = BufferPool(1)
    buffer, elsewhere = taken(pool), np.full(SHAPE, 9, np.uint8)
    buffer.fill(5)
    assert pool.exchange(buffer, elsewhere) is elsewhere
    assert not buffer.any(), "what the decoder left there is a picture too"
    assert pool.held == 1
    pool.give_back(elsewhere)
    assert not elsewhere.any()
    assert pool.exchange(taken(pool), elsewhere) is elsewhere


def test_another_size_drops_the_buffers_of_the_old_one() -> None:
    pool, wider = BufferPool(2), (4, 8, 3)
    old = taken(pool)
    pool.give_back(old)
    assert taken(pool, wider).shape == wider
    pool.give_back(old)
    other = taken(pool, wider)
    assert other.shape == wider
    assert pool.take(wider) is None


def test_a_released_frame_is_empty_and_a_second_release_harms_nobody() -> None:
    pool = BufferPool(1)
    frame = Frame(taken(pool), 0, NOON, 0.0)
    pixels = frame.image_bgr
    pool.release(frame)
    assert frame.image_bgr.size == 0
    following = taken(pool)
    following.fill(3)
    pool.release(frame)
    assert following is pixels
    assert following.all()


def test_threads_never_hold_the_same_buffer() -> None:
    pool, start = BufferPool(3), threading.Barrier(6)

    def work(mark: int) -> bool:
        start.wait(30)
        kept_apart = True
        for _ in range(300):
            image = pool.take(SHAPE)
            if image is not None:
                image.fill(mark)
                kept_apart &= bool((image == mark).all())
                pool.give_back(image)
        return kept_apart

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(work, range(1, 7)))
    assert pool.held == 0
