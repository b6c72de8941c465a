"""Where a deployment stands, as its file holds it."""

from typing import Any

import pytest
from pydantic import ValidationError

from appliance.deployment.list_facts import UsedList
from appliance.deployment.state import DeploymentState


def used(sequence: int, at: Any) -> UsedList:
    return UsedList(digest=f"digest-{sequence}", sequence=sequence, opened_at=at, entries=1)


@pytest.mark.parametrize(
    ("phase", "over", "ended"),
    [
        ("waiting", False, False),
        ("running", False, False),
        ("ending", True, False),
        ("ended", True, True),
        ("purged", True, True),
    ],
)
def test_a_deployment_is_over_when_its_end_begins_and_has_ended_when_it_is_done(
    now: Any, phase: Any, over: bool, ended: bool
) -> None:
    state = DeploymentState(deployment="x", opened_at=now, phase=phase)
    assert (state.over, state.ended) == (over, ended)


def test_the_list_in_use_is_added_once_and_the_one_before_may_come_back(now: Any) -> None:
    state = DeploymentState(deployment="x", opened_at=now)
    assert state.newest_sequence == 0
    twice = state.with_list(used(5, now)).with_list(used(5, now))
    assert [one.sequence for one in twice.lists] == [5]
    assert [one.sequence for one in twice.with_list(used(7, now)).with_list(used(5, now)).lists] == [5, 7, 5]
    assert twice.with_list(used(7, now)).newest_sequence == 7
    assert state.lists == (), "a state is never changed in place"


def test_a_file_of_the_first_version_is_read(now: Any) -> None:
    text = f"""{{"v": 1, "deployment": "croydon-1", "phase": "ending", "opened_at": "{now.isoformat()}",
    "lists": [{{"digest": "d", "sequence": 3, "opened_at": "{now.isoformat()}", "entries": 2, "photos": 4,
                "by_category": {{"missing": 2}}, "by_response": {{"green": 2}}, "blue_ids": ["B-1"],
                "builder": "B", "approvals": ["A"], "embedder": "a@0", "under_18": 0}}]}}"""
    state = DeploymentState.model_validate_json(text)
    assert (state.phase, state.newest_sequence, state.lists[0].blue_ids) == ("ending", 3, ("B-1",))


@pytest.mark.parametrize("change", [{"phase": "over"}, {"v": 2}, {"officer": "A. Shah"}])
def test_what_is_no_state_is_refused(now: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeploymentState.model_validate({"deployment": "x", "opened_at": now, **change})
