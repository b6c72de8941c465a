"""The messages of the stream: what they take, what they refuse, and identifiers in the order of time."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from alerts_material import alert, decision
from pydantic import ValidationError

from appliance.alerts.messages import (
    DECISION_VALUES,
    Decision,
    DecisionKind,
    EntryRef,
    Status,
    TrackRef,
    made_at,
    new_id,
)


class TestIdentifiers:
    def test_they_are_uuids_of_version_7_that_tell_when_they_were_made(self) -> None:
        before = datetime.now(UTC)
        made = new_id()
        parsed = uuid.UUID(made)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert before - timedelta(milliseconds=1) <= made_at(made) <= datetime.now(UTC)

    def test_later_ones_sort_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(range(1_700_000_000_000, 1_700_000_000_050))
        monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 1_000_000)
        made = [new_id() for _ in range(50)]
        assert made == sorted(made)
        assert len(set(made)) == 50


def test_every_kind_of_decision_has_its_values() -> None:
    assert set(DECISION_VALUES) == set(get_args(DecisionKind))
    assert all(DECISION_VALUES.values())


def test_a_decision_has_an_id_of_its_own_and_is_never_rewritten() -> None:
    first, second = decision("a"), decision("a")
    assert first.id != second.id
    with pytest.raises(ValidationError, match="frozen"):
        first.value = "no_match"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "guess"},
        {"by": ""},
        {"by": "x" * 65},
        {"seconds_taken": -1},
        {"note": "x" * 1001},
        {"v": 2},
        {"seq": -1},
    ],
    ids=str,
)
def test_a_decision_that_is_not_of_its_form_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Decision.model_validate({**decision("a").model_dump(), **wrong})


@pytest.mark.parametrize(
    "wrong", [{"score": 1.01}, {"threshold": -1.01}, {"id": "x" * 65}, {"face_xyxy": (1, 2, 3)}], ids=str
)
def test_an_alert_that_is_not_of_its_form_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        type(alert()).model_validate({**alert().model_dump(), **wrong})


def test_an_entry_has_few_and_short_warnings_and_a_track_at_least_one_frame() -> None:
    for warnings in (["x"] * 9, ["x" * 65]):
        with pytest.raises(ValidationError):
            EntryRef.model_validate({"id": "N-1", "category": "c", "response": "red", "warnings": warnings})
    with pytest.raises(ValidationError):
        TrackRef(id=1, first_seen=datetime.now(UTC), frames=0)


def test_an_alert_is_read_back_from_its_own_text() -> None:
    made = alert(at=datetime(2026, 11, 21, 10, 0, 0, 123000, tzinfo=UTC))
    assert type(made).model_validate_json(made.model_dump_json()) == made


def test_the_status_of_nothing_claims_nothing() -> None:
    status = Status(at=datetime.now(UTC))
    assert (status.phase, status.cameras, status.degraded, status.false_alert_rate) == ("waiting", [], [], None)
