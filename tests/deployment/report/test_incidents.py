"""What went wrong is put together from pairs of acts, and only from those of this deployment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from audit_lines import earlier_act

from appliance.audit.act import APPLIANCE
from appliance.audit.record import AuditRecord
from appliance.deployment.report import incidents

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def record(tmp_path: Any) -> Any:
    """A function that writes acts, so many minutes after the start, and reads the incidents of them all."""
    audit = AuditRecord(tmp_path)

    def write(*acts: tuple[str, float, dict[str, Any]]) -> incidents.Incidents:
        for act, minutes, details in acts:
            audit.append(earlier_act(act, details), APPLIANCE, START + timedelta(minutes=minutes))
        return incidents.read(incidents.of_deployment(audit, "croydon-1"))

    return write


NORTH, SOUTH = {"camera": "north", "detail": "no picture"}, {"camera": "south"}


def test_nothing_happened_where_nothing_was_recorded(record: Any) -> None:
    assert record() == incidents.Incidents()


def test_down_and_up_are_one_outage_of_that_camera(record: Any) -> None:
    found = record(("camera.down", 0, NORTH), ("camera.down", 1, SOUTH), ("camera.up", 3, NORTH), ("camera.up", 2, {}))
    (north, south) = found.outages
    assert (north.camera, north.begun, north.until, north.detail) == (
        "north", START, START + timedelta(minutes=3), "no picture",
    )  # fmt: skip
    assert (south.camera, south.until) == ("south", None), "it lasts"
    assert south.seconds(START + timedelta(minutes=2)) == 60


def test_a_second_down_is_the_same_outage_and_up_without_down_is_none(record: Any) -> None:
    found = record(
        ("camera.up", 0, NORTH), ("camera.down", 1, NORTH), ("camera.down", 2, NORTH), ("camera.up", 3, NORTH)
    )
    assert [outage.seconds(START) for outage in found.outages] == [120]


@pytest.mark.parametrize("over", ["deployment.stop", "end.begin"])
def test_what_stops_recognition_ends_outages_and_the_span_that_it_ran(record: Any, over: str) -> None:
    found = record(("deployment.start", 0, {}), ("camera.down", 1, NORTH), (over, 5, {}), (over, 6, {}))
    assert found.ran == [(START, START + timedelta(minutes=5))]
    assert found.outages[0].until == START + timedelta(minutes=5)


def test_every_start_is_a_span_and_the_last_may_still_run(record: Any) -> None:
    found = record(("deployment.start", 0, {}), ("deployment.stop", 5, {}), ("deployment.start", 7, {}))
    assert [until for _, until in found.ran] == [START + timedelta(minutes=5), None]


def test_restarts_are_counted_by_process_also_of_older_records(record: Any) -> None:
    found = record(
        ("process.restarted", 0, {"worker": "camera/north"}),
        ("process.restarted", 1, {"worker": "camera/north"}),
        ("process.restarted", 2, {"process": "hub"}),
        ("process.restarted", 3, {}),
    )
    assert found.restarts == {"camera/north": 2, "hub": 1, "a process": 1}


def test_breaches_refusals_and_repairs_keep_their_moment(record: Any) -> None:
    found = record(
        ("guard.breach", 1, {"sentence": "Too many."}),
        ("watchlist.refused", 2, {"reason": "It was altered."}),
        ("audit.repair", 3, {}),
    )
    assert found.breaches == [(START + timedelta(minutes=1), "Too many.")]
    assert found.refused_lists == [(START + timedelta(minutes=2), "It was altered.")]
    assert found.repaired == [START + timedelta(minutes=3)]


def test_another_deployments_acts_in_the_same_folder_do_not_count(record: Any) -> None:
    found = record(
        ("deployment.open", 0, {"deployment": "yesterday-1"}),
        ("guard.breach", 1, {"sentence": "theirs"}),
        ("deployment.open", 2, {"deployment": "croydon-1"}),
        ("guard.breach", 3, {"sentence": "ours"}),
        ("deployment.open", 4, {"deployment": "next-2"}),
        ("guard.breach", 5, {"sentence": "next"}),
    )
    assert [sentence for _, sentence in found.breaches] == ["ours"]
