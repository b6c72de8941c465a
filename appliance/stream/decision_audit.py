"""Every decision goes into the audit record, also when the hub dies between the journal and the record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Decision
from appliance.core.clock import utc_text
from appliance.core.errors import JournalError, LfrError, StreamError

AuditSink = Callable[[str, str, dict[str, Any]], None]
"""Writes one act: what was done (`decision.operator`, `purge`, `view.alert` …), by whom, details: ids, no pictures."""
AuditFactory = Callable[[Path], AuditSink]
"""Gives the sink of a state folder; a module-level callable, so that a spawned hub can make its own."""

_IDS_A_LINE = 500


class Auditor:
    """Writes decisions from the journal to an audit record, each at least once, in their order.

    The journal remembers how far the record reaches. After a crash between the two, the last decision may be written
    again; its id tells.

    Parameters
    ----------
    journal
        Where decisions are durable first.
    sink
        None: nothing is recorded.
    """

    def __init__(self, journal: Journal, sink: AuditSink | None) -> None:
        self._journal = journal
        self._sink = sink

    def catch_up(self) -> None:
        """Write every decision that the record may not have yet.

        Raises
        ------
        JournalError, StreamError
            The record or the journal cannot be written; call again later.
        """
        if self._sink is None:
            return
        for decision in self._journal.unaudited():
            self.record(f"decision.{decision.kind}", decision.by, _details(decision))
            self._journal.mark_audited(decision.seq)

    def purged(self, ids: list[str], kept_hours: float) -> None:
        """Write which alerts were deleted at the end of their time, some hundred ids a line.

        Raises
        ------
        JournalError
            The record cannot be written.
        """
        for start in range(0, len(ids), _IDS_A_LINE):
            self.record("purge", "appliance", {"alerts": ids[start : start + _IDS_A_LINE], "kept_hours": kept_hours})

    def record(self, act: str, by: str, details: dict[str, Any]) -> None:
        """Write one act.

        Raises
        ------
        JournalError
            The record cannot be written.
        StreamError
            The record does not take such an act.
        """
        if self._sink is None:
            return
        try:
            self._sink(act, by, details)
        except ValueError as error:
            raise StreamError(f"The audit record does not take this: {error}") from error
        except (LfrError, OSError) as error:
            raise JournalError(f"The audit record cannot be written: {error}") from error


def _details(decision: Decision) -> dict[str, Any]:
    """What outlives the alert: ids and the choice; the free note stays in the journal and is purged with it."""
    details = {
        "seq": decision.seq,
        "decision": decision.id,
        "alert": decision.alert_id,
        "kind": decision.kind,
        "value": decision.value,
        "role": decision.role,
        "at": utc_text(decision.at),
        "reason": decision.reason,
        "seconds_taken": decision.seconds_taken,
        "undoes": decision.undoes,
    }
    return {key: value for key, value in details.items() if value not in (None, "")}
