"""Each decision reaches the audit record, in order, whatever fails between the journal and the record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, pictures

from appliance.alerts.journal import Journal
from appliance.core.errors import AuditError, JournalError, StreamError
from appliance.stream.decision_audit import Auditor


class Sink:
    """Keeps what is written; raises `problem` while there is one."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, dict[str, Any]]] = []
        self.problem: Exception | None = None

    def __call__(self, act: str, by: str, details: dict[str, Any]) -> None:
        if self.problem is not None:
            raise self.problem
        self.acts.append((act, by, details))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state") as made:
        yield made


def decided(journal: Journal, note: str = "") -> str:
    made = alert()
    journal.append_alert(made, pictures())
    journal.append_decision(decision(made.id, note=note))
    return made.id


def test_decisions_are_written_once_each_and_in_order(journal: Journal) -> None:
    written, auditor = Sink(), Auditor(journal, sink := Sink())
    first, second = decided(journal), decided(journal)
    auditor.catch_up()
    auditor.catch_up()
    assert [(act, by, details["alert"]) for act, by, details in sink.acts] == [
        ("decision.operator", "PC Singh", first),
        ("decision.operator", "PC Singh", second),
    ]
    Auditor(journal, written).catch_up()
    assert written.acts == [], "the journal remembers how far the record reaches"


def test_what_could_not_be_written_is_written_later(journal: Journal) -> None:
    auditor = Auditor(journal, sink := Sink())
    decided(journal)
    sink.problem = OSError(28, "No space left on device")
    with pytest.raises(JournalError, match="cannot be written"):
        auditor.catch_up()
    sink.problem = None
    auditor.catch_up()
    assert len(sink.acts) == 1


def test_the_free_note_stays_in_the_journal(journal: Journal) -> None:
    auditor = Auditor(journal, sink := Sink())
    decided(journal, note="he ran into the shop")
    auditor.catch_up()
    (_, _, details) = sink.acts[0]
    assert "he ran" not in str(details)
    assert "note" not in details


def test_without_a_record_nothing_is_marked_as_recorded(journal: Journal) -> None:
    decided(journal)
    Auditor(journal, None).catch_up()
    auditor = Auditor(journal, sink := Sink())
    auditor.catch_up()
    assert len(sink.acts) == 1


@pytest.mark.parametrize(("alerts", "lines"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1])])
def test_purged_ids_are_written_some_hundred_a_line(journal: Journal, alerts: int, lines: list[int]) -> None:
    Auditor(journal, sink := Sink()).purged([str(n) for n in range(alerts)], 24)
    assert [len(details["alerts"]) for _, _, details in sink.acts] == lines
    assert [id_ for _, _, details in sink.acts for id_ in details["alerts"]] == [str(n) for n in range(alerts)]


def test_an_act_that_the_record_does_not_take_differs_from_a_record_that_fails(journal: Journal) -> None:
    auditor = Auditor(journal, sink := Sink())
    sink.problem = ValueError("no such act")
    with pytest.raises(StreamError, match="does not take this: no such act"):
        auditor.record("dance", "me", {})
    sink.problem = AuditError("The record is damaged.")
    with pytest.raises(JournalError, match="The record is damaged"):
        auditor.record("view.alert", "me", {})
