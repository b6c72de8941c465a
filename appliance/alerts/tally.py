"""Counts of what the journal holds and has held: no ids, so that they may outlive the alerts."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from appliance.alerts.decisions import standing_of

_ALERTS = "SELECT id, deployment, camera, category FROM events WHERE topic = 'alert' AND captured_ms < :before"
_SIGHTINGS = (
    "SELECT deployment, camera, count(*) FROM events WHERE topic = 'sighting' AND captured_ms < :before GROUP BY 1, 2"
)
_DECISIONS = (
    "SELECT alert_id, id, json_extract(header, '$.kind'), json_extract(header, '$.value'), "
    "json_extract(header, '$.undoes') FROM events WHERE topic = 'decision' AND captured_ms < :before ORDER BY seq"
)
_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class AlertTally:
    """Anonymous counts of a journal, purged alerts included.

    Attributes
    ----------
    alerts
        By (camera, category).
    decisions
        By (kind, value): every one ever made, undone ones and undos included.
    standing
        By (kind, value): those that stand.
    judged
        Alerts by (`false`, `true`, `other` or `undecided`; category), see `decisions`.
    sightings
        Of blue-list entries, by camera.
    """

    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    standing: Counter[tuple[str, str]] = field(default_factory=Counter)
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    sightings: Counter[str] = field(default_factory=Counter)

    @property
    def alerts_total(self) -> int:
        """Every alert that the journal took."""
        return self.alerts.total()

    @property
    def false_alerts(self) -> int:
        """Alerts that people found to be false."""
        return self._judged("false")

    @property
    def true_alerts(self) -> int:
        """Alerts that people found to be true."""
        return self._judged("true")

    @property
    def undecided(self) -> int:
        """Alerts that still wait for an operator, or were purged while they did."""
        return self._judged("undecided")

    def alerts_at(self, camera: str) -> int:
        """Alerts of one camera."""
        return sum(n for (name, _), n in self.alerts.items() if name == camera)

    def _judged(self, how: str) -> int:
        return sum(n for (judged, _), n in self.judged.items() if judged == how)


class _Decided(NamedTuple):
    """What counting needs of a decision; read without its model, which would take most of the time."""

    id: str
    kind: str
    value: str
    undoes: str | None


def _counts(connection: sqlite3.Connection, before_ms: int) -> Counter[tuple[str, str, str, str]]:
    """Of what was captured before a moment: numbers by (deployment, what, a, b), as they are kept after a purge."""
    limit = {"before": before_ms}
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for deployment, camera, n in connection.execute(_SIGHTINGS, limit):
        counts[deployment, "sighting", camera, ""] = n
    decisions: dict[str, list[_Decided]] = defaultdict(list)
    for alert_id, *decided in connection.execute(_DECISIONS, limit):
        decisions[alert_id].append(_Decided(*decided))
    for alert_id, deployment, camera, category in connection.execute(_ALERTS, limit):
        counts[deployment, "alert", camera, category] += 1
        made = decisions.get(alert_id, ())
        standing = standing_of(made)
        counts[deployment, "judged", standing.judged, category] += 1
        for one in made:
            counts[deployment, "decision", one.kind, one.value] += 1
        for kind, one in standing.by_kind.items():
            counts[deployment, "standing", kind, one.value] += 1
    return counts


def read_tally(connection: sqlite3.Connection, deployment: str | None) -> AlertTally:
    """The counts of live and purged events together, in one consistent view."""
    connection.execute("SAVEPOINT tally")  # several questions, and one state of the journal
    try:
        counts = _counts(connection, _EVER)
        for where, what, a, b, n in connection.execute("SELECT deployment, what, a, b, n FROM purged_counts"):
            counts[where, what, a, b] += n
    finally:
        connection.execute("RELEASE tally")
    tally = AlertTally()
    for (where, what, a, b), n in counts.items():
        if deployment is not None and where != deployment:
            continue
        if what == "alert":
            tally.alerts[a, b] += n
        elif what == "decision":
            tally.decisions[a, b] += n
        elif what == "standing":
            tally.standing[a, b] += n
        elif what == "judged":
            tally.judged[a, b] += n
        elif what == "sighting":
            tally.sightings[a] += n
    return tally


def fold_into_purged(connection: sqlite3.Connection, before_ms: int) -> None:
    """Add the counts of everything captured before a moment to those that stay; within the purge's transaction."""
    connection.executemany(
        "INSERT INTO purged_counts VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (deployment, what, a, b) DO UPDATE SET n = n + excluded.n",
        [(*key, n) for key, n in _counts(connection, before_ms).items()],
    )
