"""The values that rooms hand to one another are checked when made, and valid when empty."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from appliance.core.clock import utc_text
from appliance.core.types import Faces, Frame


def test_no_faces_is_a_valid_batch() -> None:
    none = Faces.empty()
    assert len(none) == 0
    assert len(none.select(np.zeros(0, bool))) == 0


@pytest.mark.parametrize(
    "arrays",
    [
        (np.zeros((2, 3), np.float32), np.zeros((2, 5, 2), np.float32), np.zeros(2, np.float32)),
        (np.zeros((2, 4), np.float64), np.zeros((2, 5, 2), np.float32), np.zeros(2, np.float32)),
        (np.zeros((2, 4), np.float32), np.zeros((1, 5, 2), np.float32), np.zeros(2, np.float32)),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(arrays: Any) -> None:
    with pytest.raises(ValueError, match=r"Faces\.(boxes_xyxy|landmarks) must be float32"):
        Faces(*arrays)


def test_a_wiped_frame_holds_nothing() -> None:
    frame = Frame(np.full((4, 4, 3), 200, np.uint8), 0, datetime.now(UTC), 0.0)
    pixels = frame.image_bgr
    frame.wipe()
    assert not pixels.any()


def test_moments_are_written_in_utc_with_milliseconds() -> None:
    assert utc_text(datetime(2026, 11, 21, 10, 31, 7, 412_900, tzinfo=UTC)) == "2026-11-21T10:31:07.412Z"
