"""The street is drawn once, the same each time, and the camera that looks along it is a pinhole."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.lab.simulation.scenery import View, draw_street


def test_the_street_is_the_same_each_time_and_nobody_can_draw_into_it() -> None:
    street = draw_street((320, 180))
    assert street.shape == (180, 320, 3)
    assert street.std() > 20, "there is something in it"
    again = draw_street.__wrapped__((320, 180))
    np.testing.assert_array_equal(street, again)
    with pytest.raises(ValueError, match="read-only"):
        street[0, 0] = 0


def test_a_thing_twice_as_far_is_half_as_large_and_the_far_end_is_at_the_horizon() -> None:
    view = View((1280, 720))
    near = view.project(1, 0, 5)[1] - view.project(1, 1, 5)[1]
    far = view.project(1, 0, 10)[1] - view.project(1, 1, 10)[1]
    assert near == pytest.approx(2 * far)
    assert view.project(0, 0, 1e9) == pytest.approx((640, view.horizon_px), abs=1e-3)


def test_a_larger_picture_sees_the_same() -> None:
    small, large = View((640, 360)).project(1.5, 1.7, 6), View((1280, 720)).project(1.5, 1.7, 6)
    assert large == pytest.approx(tuple(2 * value for value in small))
