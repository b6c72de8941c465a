"""A passer-by fades in, grows while coming nearer, and hides those behind."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.lab.simulation.portraits import HEAD_WH, Head
from appliance.lab.simulation.scenery import View
from appliance.lab.simulation.timetable import Walk, extra_walks, passing_walks
from appliance.lab.simulation.walker import FADE_S, Walker, draw_shadow, visible_share

VIEW = View((1280, 720))
HEAD = Head((np.zeros((HEAD_WH[1], HEAD_WH[0], 4), np.uint8),), (90.0, 100.0, 174.0, 220.0), (120, 140, 180))


@pytest.fixture
def walk() -> Walk:
    return next(passing_walks((("ann", Path("ann.jpg")),), VIEW, 3, 2.0, False, None))


def test_a_face_grows_while_its_owner_comes_nearer(walk: Walk) -> None:
    heights = []
    for share in (0.2, 0.5, 0.8):
        left, top, right, bottom = Walker(walk, walk.enter_s + share * walk.lasts_s, VIEW).face_box(HEAD)
        assert left < right
        heights.append(bottom - top)
    assert heights == sorted(heights)
    assert heights[-1] > 1.5 * heights[0]


def test_people_fade_in_and_those_who_walk_away_fade_out(walk: Walk) -> None:
    assert Walker(walk, walk.enter_s, VIEW).fade == 0
    assert Walker(walk, walk.enter_s + FADE_S / 2, VIEW).fade == pytest.approx(0.5)
    assert Walker(walk, walk.enter_s + 2 * FADE_S, VIEW).fade == 1
    away = next(itertools.islice(extra_walks(VIEW, 3, 5.0), 1))
    assert Walker(away, away.leave_s - 0.75, VIEW).fade == pytest.approx(0.5)
    assert Walker(away, away.leave_s + 1, VIEW).fade == 0


def test_who_stands_before_a_face_hides_it(walk: Walk) -> None:
    now_s = walk.enter_s + 0.4 * walk.lasts_s
    behind = Walker(walk, now_s, VIEW)
    before = Walker(replace(walk, enter_s=walk.enter_s - 0.3), now_s, VIEW)
    box = behind.face_box(HEAD)
    assert visible_share(box, [], VIEW.size_wh) == 1
    assert visible_share(box, [before], VIEW.size_wh) < 0.5
    aside = Walker(replace(walk, start=(-9.0, walk.start[1]), goal=(-9.0, walk.goal[1])), now_s, VIEW)
    assert visible_share(box, [aside], VIEW.size_wh) == 1


def test_what_is_outside_the_picture_is_not_seen() -> None:
    assert visible_share((-100, 10, -20, 90), [], (640, 360)) == 0
    assert visible_share((-40, 10, 40, 90), [], (640, 360)) == pytest.approx(5 / 9)


def test_a_shadow_darkens_the_ground_at_the_feet_alone(walk: Walk) -> None:
    one = Walker(walk, walk.enter_s + 0.5 * walk.lasts_s, VIEW)
    image = np.full((720, 1280, 3), 150, np.uint8)
    draw_shadow(image, one)
    x, y = (int(value) for value in one.foot)
    assert image[y, x, 0] < 100
    assert image[y - 200, x, 0] == 150
    gone = Walker(replace(walk, start=(900, 12), goal=(900, 2)), one.walk.enter_s + 1, VIEW)
    draw_shadow(image, gone)
