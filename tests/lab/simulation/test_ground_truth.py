"""Who was where is read off the simulation: at any moment, in either direction of time, in any size of picture."""

from __future__ import annotations

import itertools

import pytest

from appliance.core.errors import SourceUnusable
from appliance.lab.simulation.ground_truth import GroundTruth, list_passes
from appliance.lab.simulation.street import open_street

STREET = "street:?people=2&size=640x360&fps=6&gap=1&seed=4&extras=0"


def moments(source: str) -> dict[float, list[tuple[str, tuple[float, float, float, float], float]]]:
    """Everybody's name, box and visible share at each frame."""
    reader = open_street(source)
    reader.open()
    found = {}
    while reader.advance():
        found[reader.media_s] = [(one.person, one.box_xyxy, one.visible) for one in reader.in_view()]
    return found


def test_a_box_on_a_face_is_that_persons_forwards_backwards_and_in_a_smaller_picture() -> None:
    truth, told = GroundTruth(STREET), moments(STREET)
    clear = [(at, seen[0]) for at, seen in told.items() if len(seen) == 1 and seen[0][2] > 0.9][::3]
    assert len(clear) > 3
    for at, (person, box, _) in (*clear, *reversed(clear)):
        assert truth.who(at, box, (640, 360)) == person
        assert truth.who(at, [value / 2 for value in box], (320, 180)) == person


def test_a_box_on_nobody_is_nobodys() -> None:
    truth = GroundTruth(STREET)
    assert truth.who(0.0, (0, 0, 30, 30), (640, 360)) == "", "nobody has entered yet"
    assert truth.who(4.0, (0, 330, 20, 360), (640, 360)) == "", "a corner of the pavement"


def test_passes_are_in_order_of_entering_and_end_where_asked() -> None:
    passes = list_passes("street:?people=2&loop=1&seed=4", until_s=40)
    assert [one.enter_s for one in passes] == sorted(one.enter_s for one in passes)
    assert all(one.leave_s <= 40 for one in passes)
    assert len(passes) < len(list_passes("street:?people=2&loop=1&seed=4", until_s=80))
    assert list_passes("street:?people=2&loop=1&seed=4", until_s=0) == []


def test_a_loop_never_ends_and_nobody_is_in_the_street_twice() -> None:
    source = "street:?people=2&loop=1&seconds=60&gap=0.5&seed=9"
    passes = list_passes(source)
    assert len(passes) >= 6
    for person in ("astronaut", "hopper"):
        own = [one for one in passes if one.person == person]
        assert all(earlier.leave_s < later.enter_s for earlier, later in itertools.pairwise(own))
    assert max(one.leave_s for one in passes) <= 60
    with pytest.raises(SourceUnusable, match="never ends"):
        list_passes("street:?loop=1")
    assert list_passes("street:?loop=1", until_s=30)
