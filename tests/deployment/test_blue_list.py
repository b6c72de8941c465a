"""The blue list gives the true recognition rate: each walk is found once, or not, or not yet."""

from datetime import timedelta
from typing import Any

import pytest

from appliance.alerts.messages import Sighting, new_id
from appliance.audit.act import APPLIANCE
from appliance.audit.acts import WatchlistOpen
from appliance.core.errors import AuthorityError
from appliance.deployment import blue_list
from appliance.deployment.list_facts import UsedList
from appliance.deployment.report import counts
from appliance.deployment.store import Store


def walk(n: Any, at: Any, entry: Any = "BLUE-1", camera: Any = "north") -> Any:
    return blue_list.Walk(n, entry, camera, at, "PS Roy")


def sighting(at: Any, entry: Any = "BLUE-1", camera: Any = "north") -> Any:
    return Sighting(
        id=new_id(), deployment="x", camera=camera, captured_at=at, entry_id=entry, score=0.8, threshold=0.5
    )


def results(walks: Any, sightings: Any, now: Any, **more: Any) -> Any:
    return [one.result for one in blue_list.assess(walks, sightings, now, **more).outcomes]


def test_no_walks_give_no_rate(now: Any) -> None:
    found = blue_list.assess([], [], now)
    assert (found.rate, found.judged, found.interval) == (None, 0, (0.0, 1.0))


def test_found_not_found_and_pending(now: Any) -> None:
    walks = [walk(1, now), walk(2, now + timedelta(minutes=10)), walk(3, now + timedelta(minutes=20))]
    seen = [sighting(now + timedelta(seconds=15))]
    at = now + timedelta(minutes=21)
    assert results(walks, seen, at) == ["found", "not found", "pending"]
    found = blue_list.assess(walks, seen, at)
    assert (found.found, found.judged, found.rate) == (1, 2, 0.5)


@pytest.mark.parametrize(
    "other",
    [{"entry": "BLUE-2"}, {"camera": "south-7"}, {"at": timedelta(seconds=121)}, {"at": -timedelta(seconds=121)}],
)
def test_another_person_camera_or_time_is_not_this_walk(now: Any, other: Any) -> None:
    seen = sighting(now + other.pop("at", timedelta()), **other)
    assert results([walk(1, now)], [seen], now + timedelta(hours=1)) == ["not found"]


def test_one_sighting_serves_one_walk_the_nearest(now: Any) -> None:
    walks = [walk(1, now), walk(2, now + timedelta(seconds=100))]
    seen = [sighting(now + timedelta(seconds=90))]
    assert results(walks, seen, now + timedelta(hours=1)) == ["not found", "found"]


def test_a_sighting_that_served_a_walk_serves_no_later_one(now: Any) -> None:
    walks = [walk(1, now), walk(2, now + timedelta(seconds=100))]
    seen = [sighting(now + timedelta(seconds=90))]
    assert results(walks, seen, now + timedelta(hours=1), found_before=[1]) == ["found", "not found"]


def test_a_walk_stays_found_when_its_sighting_is_purged(now: Any) -> None:
    assert results([walk(7, now)], [], now + timedelta(days=2), found_before=[7]) == ["found"]


@pytest.fixture
def opened(config: Any, now: Any) -> Any:
    store = Store(config.alerts.state_dir)
    store.take_up(config)
    listed = UsedList(digest="d", opened_at=now, entries=3, blue_ids=("BLUE-1",))
    store.update(lambda state: state.with_list(listed), WatchlistOpen(digest="d", entries=1), APPLIANCE)
    return config


def test_a_walk_is_recorded_and_judged_by_the_journal(opened: Any, journal: Any, now: Any) -> None:
    recorded = blue_list.record_walk(opened, "BLUE-1", "north", "PS Roy", now - timedelta(minutes=20, seconds=30))
    gathered = counts.gather(opened)
    assert gathered.walks_found == [recorded.n]
    assert gathered.sightings == 1
    (one,) = blue_list.walks(Store(opened.alerts.state_dir).audit, "croydon-1")
    assert (one.entry, one.camera, one.by) == ("BLUE-1", "north", "PS Roy")


@pytest.mark.parametrize(
    ("entry", "camera", "minutes", "words"),
    [
        ("W-1", "north", 0, "not a blue-list entry"),
        ("BLUE-1", "west", 0, "no camera 'west'"),
        ("BLUE-1", "north", 90, "in the future"),
        ("BLUE-1", "north", -100, "outside the deployment"),
    ],
)
def test_what_cannot_be_a_walk_is_refused(
    opened: Any, now: Any, entry: Any, camera: Any, minutes: Any, words: Any
) -> None:
    with pytest.raises(AuthorityError, match=words):
        blue_list.record_walk(opened, entry, camera, "PS Roy", now + timedelta(minutes=minutes))


def test_a_walk_within_the_cooldown_would_be_unfair_and_is_refused(opened: Any, now: Any) -> None:
    blue_list.record_walk(opened, "BLUE-1", "north", "PS Roy", now)
    blue_list.record_walk(opened, "BLUE-1", "south-7", "PS Roy", now)
    with pytest.raises(AuthorityError, match="cool-down of 60 s"):
        blue_list.record_walk(opened, "BLUE-1", "north", "PS Roy", now + timedelta(seconds=30))
