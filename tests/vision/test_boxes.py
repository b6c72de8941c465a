from __future__ import annotations

import numpy as np
import pytest

from appliance.vision.boxes import intersection_over_union


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((0, 0, 10, 5), 0.5), ((10, 0, 20, 10), 0.0),
        ((30, 30, 40, 40), 0.0), ((3, 3, 3, 3), 0.0), ((8, 8, 2, 2), 0.0),
    ],
    ids=["itself", "half of each", "a half", "only touching", "far away", "without area", "turned inside out"],
)  # fmt: skip
def test_the_share_of_two_boxes(other: tuple[float, ...], share: float) -> None:
    box = (0, 0, 10, 10)
    assert intersection_over_union(box, np.array([other], np.float32)) == pytest.approx([share])
    assert intersection_over_union(other, np.array([box], np.float32)) == pytest.approx([share])


def test_no_boxes_share_nothing() -> None:
    assert intersection_over_union((0, 0, 1, 1), np.zeros((0, 4), np.float32)).shape == (0,)


def test_a_box_without_area_shares_nothing_with_itself_and_gives_no_nan() -> None:
    assert intersection_over_union((3, 3, 3, 3), np.array([(3, 3, 3, 3)], np.float32)).tolist() == [0]
