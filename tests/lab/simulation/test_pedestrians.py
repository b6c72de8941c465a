"""Bodies are drawn by chance that a seed fixes, and put into a picture without spilling over its edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from appliance.core.types import Image
from appliance.lab.simulation.pedestrians import PHASES, Picture, back_of_head, draw_pedestrian, level_for, paste

SKIN = (120.0, 140.0, 180.0)
ORIGIN = np.eye(3)


def white_square(side: int = 10) -> Picture:
    return np.full((side, side, 4), 255, np.uint8)


def at(x: float, y: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, 2] = (x, y)
    return matrix


def canvas() -> Image:
    return np.zeros((40, 60, 3), np.uint8)


def test_a_seed_dresses_a_person_the_same_each_time_and_another_one_differently() -> None:
    body = draw_pedestrian.__wrapped__("7/ann", SKIN)
    again = draw_pedestrian.__wrapped__("7/ann", SKIN)
    assert len(body.phases) == PHASES
    np.testing.assert_array_equal(body.phases[3][0], again.phases[3][0])
    assert not np.array_equal(body.phases[3][0], draw_pedestrian.__wrapped__("7/bo", SKIN).phases[3][0])


def test_a_step_moves_the_body_and_every_level_is_half_the_one_before() -> None:
    body = draw_pedestrian("7/ann", SKIN)
    assert not np.array_equal(body.phases[0][0], body.phases[2][0])
    heights = [level.shape[0] for level in body.phases[0]]
    assert all(abs(one / 2 - other) <= 1 for one, other in itertools.pairwise(heights))


def test_a_picture_is_never_brighter_than_its_share_covers() -> None:
    for picture in (draw_pedestrian("7/ann", SKIN).phases[0][0], back_of_head("7/ann")[0]):
        assert (picture[..., :3] <= picture[..., 3:]).mean() > 0.999, "blue, green and red are multiplied by the share"
        assert picture[0, 0, 3] == 0, "its corner is transparent"


def test_a_picture_is_put_where_the_matrix_says() -> None:
    image = canvas()
    paste(image, white_square(), at(20, 15), (0, 0), 1)
    assert image[17:23, 22:28].min() == 255
    assert image[:13].max() == image[:, :18].max() == image[28:].max() == image[:, 33:].max() == 0


@pytest.mark.parametrize("place", [(-5, -5), (55, 35), (200, 10), (-50, -50)])
def test_what_reaches_beyond_the_edge_is_cut_off(place: tuple[int, int]) -> None:
    image = canvas()
    paste(image, white_square(), at(*place), (0, 0), 1)
    inside = -10 < place[0] < 60 and -10 < place[1] < 40
    assert bool(image.any()) is inside


def test_half_faded_is_half_there_and_movement_smears_along_its_way() -> None:
    still, faded, moved = canvas(), canvas(), canvas()
    paste(still, white_square(), at(20, 15), (0, 0), 1)
    paste(faded, white_square(), at(20, 15), (0, 0), 0.5)
    paste(moved, white_square(), at(20, 15), (8, 0), 1)
    assert faded[20, 25, 0] == pytest.approx(128, abs=2)
    assert (moved[20] > 0).sum() > (still[20] > 0).sum()
    assert (moved[:, 25] > 0).sum() <= (still[:, 25] > 0).sum() + 3


@pytest.mark.parametrize(("scale", "level"), [(1.0, 0), (0.5, 1), (0.25, 2), (0.01, 3), (0.0, 3), (4.0, 0)])
def test_a_level_is_never_larger_than_needed_by_more_than_half(scale: float, level: int) -> None:
    assert level_for(scale, 4) == level
