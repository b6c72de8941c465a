"""The decisions of a report: each once, from the journal or the audit record, and marked when taken back."""

from datetime import UTC, datetime
from typing import Any

from appliance.alerts.messages import Decision
from appliance.audit.chain import AuditLine
from appliance.deployment.report.decisions import gather

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def made(name: str, kind: Any = "operator", value: str = "match", **more: Any) -> Decision:
    return Decision(id=name, alert_id="a", kind=kind, value=value, by="PC Lee", at=NOW, **more)


def line(act: str, **details: Any) -> AuditLine:
    return AuditLine(n=1, at="2026-11-21T10:00:00.000Z", by="PC Roy", act=act, details=details, prev="", hash="")


def test_of_nothing_there_is_nothing() -> None:
    assert gather([], []) == []


def test_the_journal_knows_more_than_the_record_and_is_not_told_twice() -> None:
    rows = gather([made("d-1", reason="Clear likeness")], [line("decision.operator", decision="d-1", alert="a")])
    assert [(row.value, row.reason) for row in rows] == [("match", "Clear likeness")]


def test_what_was_taken_back_is_marked_from_the_journal_and_from_the_record() -> None:
    journal = [made("d-1"), made("d-2", "undo", "undo", undoes="d-1"), made("d-3", value="no_match")]
    record = [
        line("decision.operator", decision="d-4", alert="b", value="match", kind="operator"),
        line("decision.undo", decision="d-5", alert="b", value="undo", undoes="d-4"),
    ]
    assert [row.undone for row in gather(journal, record)] == [True, False, False, True, False]


def test_an_act_that_is_no_decision_or_names_no_alert_is_passed_over() -> None:
    assert gather([], [line("view.alert", alert="a"), line("decision.operator", decision="d-1")]) == []


def test_what_an_older_record_does_not_tell_is_empty_and_its_kind_is_in_the_act() -> None:
    row = gather([], [line("decision.operator", decision="d-1", alert="a", seconds_taken="soon")])[0]
    assert (row.kind, row.value, row.by, row.seconds_taken) == ("operator", "", "PC Roy", None)
    assert "id" not in row.model_dump()
    assert "undoes" not in row.model_dump()
