"""Each decision reaches the audit record, in order, whatever fails between the journal and the record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, pictures

from appliance.alerts.journal import Journal
from appliance.audit.record import AuditRecord
from appliance.core.errors import AuditError
from appliance.stream.decision_audit import Auditor


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state") as made:
        yield made


@pytest.fixture
def audit(tmp_path: Path) -> AuditRecord:
    return AuditRecord(tmp_path / "state")


def decided(journal: Journal, note: str = "") -> str:
    made = alert()
    journal.append_alert(made, pictures())
    journal.append_decision(decision(made.id, note=note))
    return made.id


def test_decisions_are_written_once_each_and_in_order(journal: Journal, audit: AuditRecord) -> None:
    auditor = Auditor(journal, audit)
    first, second = decided(journal), decided(journal)
    auditor.catch_up()
    auditor.catch_up()
    Auditor(journal, audit).catch_up()  # the journal remembers how far the record reaches
    assert [(line.act, line.by, line.details["alert"]) for line in audit.records()] == [
        ("decision.operator", "PC Singh", first),
        ("decision.operator", "PC Singh", second),
    ]


def test_what_could_not_be_written_is_written_later(
    journal: Journal, audit: AuditRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = Auditor(journal, audit)
    decided(journal)

    def full(*_: Any) -> None:
        raise AuditError("The audit record cannot be written: no space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr(AuditRecord, "append", full)
        with pytest.raises(AuditError, match="cannot be written"):
            auditor.catch_up()
    assert list(audit.records()) == []
    auditor.catch_up()
    assert len(list(audit.records())) == 1


def test_the_free_note_stays_in_the_journal(journal: Journal, audit: AuditRecord) -> None:
    decided(journal, note="he ran into the shop")
    Auditor(journal, audit).catch_up()
    (line,) = audit.records()
    assert "he ran" not in str(line.details)
    assert "note" not in line.details
