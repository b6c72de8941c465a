"""Counts of what the journal holds and has held: no ids, so that they may outlive the alerts.

An alert is *false* when its standing outcome is `not_the_person` or, without an outcome, when its standing operator
decision is `no_match`. It is *true* when its standing outcome is `confirmed` or `arrested` or, without an outcome,
when the operator's is `match`. It is *undecided* while no operator decision and no outcome stands.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

_JUDGED = """
SELECT e.deployment, e.camera, e.category,
    CASE
        WHEN o.value = 'not_the_person' THEN 'false'
        WHEN o.value IN ('confirmed', 'arrested') THEN 'true'
        WHEN o.value IS NOT NULL THEN 'other'
        WHEN p.value = 'no_match' THEN 'false'
        WHEN p.value = 'match' THEN 'true'
        WHEN p.value IS NOT NULL THEN 'other'
        ELSE 'undecided'
    END AS judged
FROM events e
LEFT JOIN standing o ON o.alert_id = e.id AND o.kind = 'outcome'
LEFT JOIN standing p ON p.alert_id = e.id AND p.kind = 'operator'
WHERE e.topic = 'alert' AND e.captured_ms < :before
"""

# Each yields deployment, what, a, b, n: the form of purged_counts.
_COUNTS = (
    "SELECT deployment, 'alert', camera, category, count(*) FROM events "
    "WHERE topic = 'alert' AND captured_ms < :before GROUP BY 1, 3, 4",
    "SELECT deployment, 'sighting', camera, '', count(*) FROM events "
    "WHERE topic = 'sighting' AND captured_ms < :before GROUP BY 1, 3",
    f"SELECT deployment, 'judged', judged, category, count(*) FROM ({_JUDGED}) GROUP BY 1, 3, 4",  # noqa: S608
    "SELECT deployment, 'decision', json_extract(header, '$.kind'), json_extract(header, '$.value'), count(*) "
    "FROM events WHERE topic = 'decision' AND captured_ms < :before GROUP BY 1, 3, 4",
    "SELECT e.deployment, 'standing', s.kind, s.value, count(*) FROM standing s JOIN events e ON e.seq = s.seq "
    "WHERE e.captured_ms < :before GROUP BY 1, 3, 4",
)
_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Tally:
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
        Alerts by (`false`, `true`, `other` or `undecided`; category), as the module defines them.
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
        """Every alert that was journaled."""
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


def read_tally(connection: sqlite3.Connection, deployment: str | None) -> Tally:
    """The counts of live and purged events together, in one consistent view."""
    live = " UNION ALL ".join(f"SELECT * FROM ({query})" for query in _COUNTS)  # noqa: S608
    query = f"SELECT * FROM ({live} UNION ALL SELECT deployment, what, a, b, n FROM purged_counts)"  # noqa: S608
    tally = Tally()
    for where, what, a, b, n in connection.execute(query, {"before": _EVER}):
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
    for query in _COUNTS:
        for row in connection.execute(query, {"before": before_ms}).fetchall():
            connection.execute(
                "INSERT INTO purged_counts VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (deployment, what, a, b) DO UPDATE SET n = n + excluded.n",
                row,
            )
