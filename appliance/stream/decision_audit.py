"""Every decision goes into the audit record, also when the hub dies between the journal and the record."""

from __future__ import annotations

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Decision
from appliance.audit.acts import DecisionMade
from appliance.audit.record import AuditRecord


class Auditor:
    """Writes decisions from the journal to an audit record, each at least once, in their order.

    The journal remembers how far the record reaches. After a crash between the two, the last decision may be written
    again; its id tells.

    Parameters
    ----------
    journal
        Where decisions are durable first.
    """

    def __init__(self, journal: Journal, audit: AuditRecord) -> None:
        self._journal = journal
        self._audit = audit

    def catch_up(self) -> None:
        """Write every decision that the record may not have yet.

        Raises
        ------
        AuditError, JournalError
            The record or the journal cannot be written; call again later.
        """
        for decision in self._journal.unaudited():
            self._audit.append(_act(decision), decision.by)
            self._journal.mark_audited(decision.seq)


def _act(decision: Decision) -> DecisionMade:
    """What outlives the alert: ids and the choice; the free note stays in the journal and is purged with it."""
    details = {
        "seq": decision.seq,
        "decision": decision.id,
        "alert": decision.alert_id,
        "kind": decision.kind,
        "value": decision.value,
        "role": decision.role,
        "at": decision.at,
        "reason": decision.reason,
        "seconds_taken": decision.seconds_taken,
        "undoes": decision.undoes,
    }
    return DecisionMade(**{key: value for key, value in details.items() if value not in (None, "")})
