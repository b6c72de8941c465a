"""The cases: a view of the stream that can be rebuilt, taken up anywhere, and never grows without bound."""

from datetime import timedelta
from typing import Any

import alerts_material as material
import pytest

from appliance.console.officer import cases as module
from appliance.console.officer.cases import Cases, parse_event_id
from appliance.console.users import User
from appliance.core.clock import utc_now

SUPERVISOR = User("sam", "supervisor", "")
STREET = User("eve", "engagement", "")


class Told:
    """Events with running numbers."""

    def __init__(self, cases: Any) -> None:
        self.cases = cases
        self.seq = 0

    def alert(self, **changes: Any) -> Any:
        self.seq += 1
        alert = material.alert(**changes).model_copy(update={"seq": self.seq})
        self.cases.add(alert, self.seq)
        return alert

    def decide(self, alert: Any, kind: Any = "operator", value: Any = "match", **more: Any) -> Any:
        self.seq += 1
        decision = material.decision(alert.id, kind, value, **more).model_copy(update={"seq": self.seq})
        self.cases.add(decision, self.seq)
        return decision


@pytest.fixture
def cases() -> Any:
    return Cases(keep_hours=24)


@pytest.fixture
def told(cases: Any) -> Any:
    return Told(cases)


def test_an_event_that_comes_twice_counts_once(cases: Any, told: Any) -> None:
    alert = told.alert()
    decision = told.decide(alert)
    assert cases.add(alert, 1) is None
    assert cases.add(decision, 2) is None
    assert len(cases.get(alert.id).decisions) == 1


def test_an_undone_decision_no_longer_stands_and_is_still_told(cases: Any, told: Any) -> None:
    alert = told.alert()
    wrong = told.decide(alert, value="no_match")
    told.decide(alert, "undo", "undo", undoes=wrong.id)
    case = cases.get(alert.id)
    assert case.standing.state == "undecided"
    assert len(case.decisions) == 2
    told.decide(alert, value="match")
    assert case.standing.state == "match"


def test_a_page_gets_exactly_what_changed_since(cases: Any, told: Any) -> None:
    first, second, third = told.alert(), told.alert(), told.alert()
    seen = cases.seq
    told.decide(first)
    told.decide(third, "taken", "taken")
    told.decide(first, "passed_on", "passed_on")
    assert [case.alert.id for case, _ in cases.changed_after(seen, SUPERVISOR)] == [third.id, first.id]
    assert cases.changed_after(cases.seq, SUPERVISOR) == []
    assert second.id not in {case.alert.id for case, _ in cases.changed_after(seen, SUPERVISOR)}


def test_an_engagement_officer_sees_only_what_was_passed_on(cases: Any, told: Any) -> None:
    kept, passed = told.alert(), told.alert()
    told.decide(kept)
    order = told.decide(passed, "passed_on", "passed_on")
    assert [case["alert"]["id"] for case in cases.snapshot(STREET)] == [passed.id]
    told.decide(passed, "undo", "undo", undoes=order.id)
    assert cases.snapshot(STREET) == []


def test_alerts_beyond_their_time_are_forgotten(cases: Any, told: Any) -> None:
    old = told.alert(at=utc_now() - timedelta(hours=25))
    new = told.alert()
    assert cases.expire(utc_now()) == [old.id]
    assert cases.get(old.id) is None
    assert cases.get(new.id) is not None


def test_the_cases_are_bounded_and_drops_the_oldest(monkeypatch: pytest.MonkeyPatch, cases: Any, told: Any) -> None:
    monkeypatch.setattr(module, "MAX_CASES", 5)
    alerts = [told.alert() for _ in range(8)]
    assert [case.alert.id for case in cases.all()] == [alert.id for alert in alerts[3:]]


def test_a_snapshot_of_two_thousand_alerts_stays_small(cases: Any, told: Any) -> None:
    for i in range(2000):
        alert = told.alert()
        if i % 2:
            told.decide(alert)
    shown = cases.snapshot(SUPERVISOR)
    assert len(shown) == module.SNAPSHOT_UNDECIDED + module.SNAPSHOT_OTHERS
    assert shown[-1]["alert"]["id"] == cases.all()[-1].alert.id


def test_history_is_filtered_and_paged_without_loss_or_repetition(cases: Any, told: Any) -> None:
    for i in range(120):
        alert = told.alert(camera=("north", "south")[i % 2], category=("violence", "theft")[i % 3 == 0])
        if i % 4 == 0:
            told.decide(alert, value="no_match")
    found, before = [], 0
    while True:
        page = cases.search(SUPERVISOR, camera="north", state="no_match", before=before)
        found += [case["alert"]["seq"] for case in page["alerts"]]
        before = page["next"]
        if not before:
            break
    assert len(found) == page["total"] == 30
    assert found == sorted(set(found), reverse=True)
    assert page["cameras"] == ["north", "south"]


@pytest.mark.parametrize("text", ["", "12", ":12", "e:", "e:-1", "e:１", "e:" + "9" * 16, "x" * 65 + ":1"])
def test_a_forged_position_is_none(text: Any) -> None:
    assert parse_event_id(text) == ("", 0)


def test_a_position_is_read_back() -> None:
    assert parse_event_id("a1:b2:42") == ("a1:b2", 42)


def test_a_page_is_told_what_stands_and_has_nothing_to_work_out(cases: Any, told: Any) -> None:
    alert = told.alert()
    shown = cases.get(alert.id).as_json()
    assert (shown["standing"], shown["undone"], shown["tells_most"], shown["state"]) == ({}, [], None, "undecided")
    assert shown["waits"] == {"operator": True, "engagement": True}
    wrong = told.decide(alert)
    told.decide(alert, "undo", "undo", undoes=wrong.id)
    right = told.decide(alert, value="no_match")
    sent = told.decide(alert, "engagement", "do_not_engage")
    shown = cases.get(alert.id).as_json()
    assert shown["standing"] == {"operator": right.id, "engagement": sent.id}
    assert (shown["undone"], shown["tells_most"], shown["state"]) == ([wrong.id], sent.id, "no_match")
    assert shown["waits"] == {"operator": False, "engagement": False}
    assert shown["changed"] == sent.seq


def test_a_decision_that_the_stream_has_not_told_yet_is_shown_without_being_taken_for_told(
    cases: Any, told: Any
) -> None:
    alert = told.alert()
    case = cases.get(alert.id)
    made = material.decision(alert.id).model_copy(update={"seq": 9})
    ahead = case.with_decision(made)
    assert (ahead.standing.state, ahead.changed_seq) == ("match", case.changed_seq)
    assert case.decisions == []
    assert case.with_decision(made).with_decision(made).decisions == [made]


def test_a_case_with_very_many_decisions_forgets_old_ones_and_never_what_stands(
    monkeypatch: pytest.MonkeyPatch, cases: Any, told: Any
) -> None:
    monkeypatch.setattr(module, "MAX_DECISIONS", 6)
    alert = told.alert()
    first = told.decide(alert, "taken", "taken")
    for _ in range(10):
        made = told.decide(alert)
        assert cases.get(alert.id).standing.by_kind == {"taken": first, "operator": made}
        told.decide(alert, "undo", "undo", undoes=made.id)
        assert cases.get(alert.id).standing.by_kind == {"taken": first}
    assert len(cases.get(alert.id).decisions) == 6


@pytest.mark.parametrize("alert_id", ["", "nobody", "../../etc/passwd", "\0"])
def test_what_is_no_alert_is_visible_to_nobody(cases: Any, told: Any, alert_id: str) -> None:
    told.alert()
    assert cases.visible(alert_id, SUPERVISOR) is None


def test_an_alert_is_visible_to_those_who_may_see_it(cases: Any, told: Any) -> None:
    alert = told.alert()
    assert cases.visible(alert.id, SUPERVISOR) is cases.get(alert.id)
    assert cases.visible(alert.id, STREET) is None
    told.decide(alert, "passed_on", "passed_on")
    assert cases.visible(alert.id, STREET) is cases.get(alert.id)
