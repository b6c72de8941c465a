"""Who passes when follows from the seed alone, and everybody who comes can leave in time."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from appliance.lab.simulation.scenery import View
from appliance.lab.simulation.timetable import NEAREST_M, Walk, extra_walks, passing_walks

VIEW = View((1280, 720))
PEOPLE = tuple((name, Path(f"{name}.jpg")) for name in ("ann", "bo", "cy"))


def walks(seed: int = 1, *, loop: bool = False, ends_s: float | None = None, count: int = 50) -> list[Walk]:
    return list(itertools.islice(passing_walks(PEOPLE, VIEW, seed, 2.0, loop, ends_s), count))


def test_everybody_passes_once_in_the_order_given_towards_the_camera() -> None:
    found = walks()
    assert [walk.person for walk in found] == ["ann", "bo", "cy"]
    assert [walk.enter_s for walk in found] == sorted(walk.enter_s for walk in found)
    for walk in found:
        assert not walk.away
        assert walk.goal[1] == NEAREST_M
        assert walk.enter_s < walk.leave_s <= walk.enter_s + walk.lasts_s
        assert walk.peak_px > 40


def test_the_seed_alone_makes_the_day() -> None:
    assert walks(3) == walks(3)
    assert walks(3) != walks(4)


def test_nobody_comes_who_could_not_have_left_by_the_end() -> None:
    found = walks(loop=True, ends_s=30)
    assert found
    assert all(walk.leave_s <= 30 for walk in found)
    assert walks(ends_s=0.5) == []


def test_a_loop_goes_on_for_ever() -> None:
    assert len(walks(loop=True, count=40)) == 40


def test_nobody_at_all_passes_where_there_are_no_people() -> None:
    assert list(passing_walks((), VIEW, 1, 2.0, False, None)) == []


def test_those_who_walk_away_come_at_the_rate_asked_for_and_show_no_face() -> None:
    found = list(itertools.islice(extra_walks(VIEW, 1, 6.0), 12))
    assert all(walk.away and walk.peak_px == 0 and walk.photo is None for walk in found)
    assert found[-1].enter_s == pytest.approx(12 * 10, rel=0.1)
    assert list(extra_walks(VIEW, 1, 0)) == []


def test_a_way_begins_and_ends_where_it_says_and_never_turns_back() -> None:
    walk = walks()[0]
    assert walk.at(0) == walk.start
    assert walk.at(walk.lasts_s + 5) == pytest.approx(walk.goal)
    depths = [walk.at(walk.lasts_s * share / 20)[1] for share in range(21)]
    assert depths == sorted(depths, reverse=True)
