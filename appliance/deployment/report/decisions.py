"""The decisions of a deployment: from the journal and, where it holds them no more, from the audit record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from appliance.alerts.decisions import standing_of
from appliance.alerts.messages import Decision
from appliance.audit.chain import AuditLine
from appliance.core.clock import utc_text
from appliance.deployment.report.contents import DecisionRow


def gather(journal: Iterable[Decision], records: Iterable[AuditLine]) -> list[DecisionRow]:
    """Each decision once, an alert's own in order; `undone` is set on those that were taken back.

    Parameters
    ----------
    journal
        What the journal holds; it knows more of a decision than the record.
    records
        Acts of the audit record, which also tells of decisions whose alerts were purged.
    """
    rows: dict[str, DecisionRow] = {}
    for row in (*map(_of_journal, journal), *_of_record(records)):
        rows.setdefault(row.id, row)
    of_alert: dict[str, list[DecisionRow]] = defaultdict(list)
    for row in rows.values():
        of_alert[row.alert].append(row)
    for decisions in of_alert.values():
        for undone in standing_of(decisions).undone:
            rows[undone].undone = True
    return list(rows.values())


def _of_journal(made: Decision) -> DecisionRow:
    return DecisionRow(
        id=made.id, alert=made.alert_id, kind=made.kind, value=made.value, by=made.by, role=made.role,
        at=utc_text(made.at), reason=made.reason, seconds_taken=made.seconds_taken, undoes=made.undoes,
    )  # fmt: skip


def _of_record(records: Iterable[AuditLine]) -> Iterator[DecisionRow]:
    for record in records:
        family, _, kind = record.act.partition(".")
        facts = record.details
        if family != "decision" or "alert" not in facts:
            continue
        seconds, undoes = facts.get("seconds_taken"), facts.get("undoes")
        yield DecisionRow(
            id=str(facts.get("decision")), alert=str(facts["alert"]), kind=str(facts.get("kind") or kind),
            value=str(facts.get("value", "")), by=record.by, role=str(facts.get("role", "")),
            at=str(facts.get("at", record.at)), reason=str(facts.get("reason", "")),
            seconds_taken=seconds if isinstance(seconds, int | float) else None,
            undoes=str(undoes) if undoes else None,
        )  # fmt: skip
