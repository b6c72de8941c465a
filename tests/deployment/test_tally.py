"""What cameras counted adds up, survives, and stands for nobody."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from appliance.deployment.tally import RunningTally, Tally, slot_of


def test_the_tally_adds_up_and_survives(tmp_path: Path, now: Any) -> None:
    tally = Tally(deployment="x")
    tally.add("north", 3, now, faces=5, frames=100)
    tally.add("north", 2, now, faces=1)
    tally.add("south", 0, now, frames=50)
    tally.save(tmp_path)
    read = Tally.load(tmp_path)
    assert read.people_seen == 5
    assert read.cameras["north"].faces == 6
    assert read.cameras["north"].slots == {slot_of(now): 5}
    assert read.cameras["south"].slots == {}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cameras": {"a": {"people_seen": -1}}}'])
def test_a_damaged_tally_reads_as_empty(tmp_path: Path, content: Any) -> None:
    (tmp_path / "tally.json").write_bytes(content)
    assert Tally.load(tmp_path).people_seen == 0


def test_no_tally_reads_as_empty(tmp_path: Path) -> None:
    read = Tally.load(tmp_path)
    assert (read.deployment, read.cameras, read.people_seen) == ("", {}, 0)


def test_a_tally_of_a_later_version_is_read_as_far_as_it_is_understood(tmp_path: Path) -> None:
    (tmp_path / "tally.json").write_text('{"cameras": {"north": {"people_seen": 4, "hats": 2}}, "weather": "rain"}')
    assert Tally.load(tmp_path).people_seen == 4


@pytest.mark.parametrize(
    ("moment", "slot"),
    [
        (datetime(2026, 11, 21, 10, 30, tzinfo=UTC), "2026-11-21T10:30Z"),
        (datetime(2026, 11, 21, 10, 39, 59, 999_999, tzinfo=UTC), "2026-11-21T10:30Z"),
        (datetime(2026, 11, 22, 0, 5, tzinfo=timezone(timedelta(hours=1))), "2026-11-21T23:00Z"),
    ],
)
def test_a_slot_is_ten_minutes_by_their_start_in_utc(moment: datetime, slot: str) -> None:
    assert slot_of(moment) == slot


def test_a_run_adds_what_is_new_in_its_totals_to_what_earlier_runs_left(tmp_path: Path) -> None:
    first = RunningTally(tmp_path, "x")
    assert first.people_base() == {}
    first.keep({"north": {"people": 3, "frames": 10}})
    first.keep({"north": {"people": 5, "frames": 30}, "south": {"people": 0}})
    second = RunningTally(tmp_path, "x")
    assert second.people_base() == {"north": 5, "south": 0}
    second.keep({"north": {"people": 2, "frames": 1}})
    kept = Tally.load(tmp_path)
    assert (kept.people_seen, kept.cameras["north"].frames) == (7, 31)


def test_a_total_that_fell_takes_nothing_away(tmp_path: Path) -> None:
    run = RunningTally(tmp_path, "x")
    run.keep({"north": {"people": 5}})
    run.keep({"north": {"people": 1}})
    assert Tally.load(tmp_path).people_seen == 5


def test_another_deployments_tally_is_not_added_to(tmp_path: Path) -> None:
    RunningTally(tmp_path, "x").keep({"north": {"people": 5}})
    run = RunningTally(tmp_path, "y")
    assert run.people_base() == {}
    run.keep({"north": {"people": 1}})
    assert Tally.load(tmp_path).people_seen == 1
