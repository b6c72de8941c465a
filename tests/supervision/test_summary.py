"""What a run did, added up over its cameras."""

from typing import Any

import pytest
from rich.console import Console

from appliance.alerts.messages import CameraState
from appliance.core.clock import utc_now
from appliance.supervision.summary import CameraSummary, Summary


def camera(name: str, **counts: Any) -> CameraSummary:
    return CameraSummary.of(CameraState(name=name, since=utc_now(), state="ended", **counts))


def shown(summary: Summary) -> str:
    out = Console(width=100, record=True, force_terminal=False)
    with out.capture() as captured:
        out.print(summary.table())
    return captured.get()


def test_counts_are_added_up_over_cameras() -> None:
    cameras = [camera("north", frames=1000, people_seen=12, alerts=1), camera("south", frames=500, dropped=7)]
    made = Summary(deployment="d", seconds=61.25, cameras=cameras, restarts={"hub": 1, "camera/south": 2})
    assert (made.frames, made.people_seen, made.alerts) == (1500, 12, 1)
    text = shown(made)
    assert "1,500" in text
    assert [line for line in text.splitlines() if line.strip().strip("│┃ ").startswith("all")]


@pytest.mark.parametrize("cameras", [[], [camera("north", frames=3)]])
def test_one_camera_or_none_needs_no_sum(cameras: list[CameraSummary]) -> None:
    made = Summary(deployment="d", seconds=1, cameras=cameras)
    assert made.frames == sum(one.frames for one in cameras)
    assert "all" not in shown(made)


def test_machines_read_the_same() -> None:
    made = Summary(deployment="d", seconds=1, cameras=[camera("north", frames=3)], restarts={"hub": 1})
    assert Summary.model_validate_json(made.model_dump_json()) == made
