"""What a camera makes of a scene: as much noise as asked for, and compression about heads alone."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from appliance.core.types import Image
from appliance.lab.simulation.imaging import compress_faces, expose
from appliance.lab.simulation.walker import Walker


def scene() -> Image:
    return np.random.default_rng(2).integers(60, 190, (90, 160, 3)).astype(np.uint8)


def head(x: float, y: float, px_per_m: float = 100) -> Walker:
    return cast("Walker", SimpleNamespace(head=(x, y), px_per_m=px_per_m))


def test_noise_is_another_each_frame_the_same_again_and_none_where_none_is_asked_for() -> None:
    def exposed(noise: float, seed: int) -> Any:
        image = np.full((90, 160, 3), 128, np.uint8)
        expose(image, 1.0, noise, random.Random(seed))
        return image

    np.testing.assert_array_equal(exposed(1, 5), exposed(1, 5))
    assert not np.array_equal(exposed(1, 5), exposed(1, 6))
    assert exposed(0, 5).std() == 0
    assert 1 < exposed(1, 5).std() < exposed(4, 5).std()


def test_compression_changes_the_blocks_about_a_head_and_nothing_else() -> None:
    image, before = scene(), scene()
    compress_faces(image, [head(80, 45)], 30)
    changed = (image != before).any(axis=2)
    assert changed[40:50, 70:90].mean() > 0.5
    assert not changed[:, :40].any()
    assert not changed[:, 130:].any()


def test_nothing_is_compressed_at_full_quality_or_outside_the_picture() -> None:
    image = scene()
    compress_faces(image, [head(80, 45)], 100)
    compress_faces(image, [head(-300, 45), head(500, 500)], 30)
    compress_faces(image, [], 30)
    np.testing.assert_array_equal(image, scene())
