"""Reading a journal: any process of this machine may, at any time, also while the hub writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from appliance.alerts import database
from appliance.alerts.event import Event, parse_event
from appliance.alerts.messages import Alert, Decision
from appliance.alerts.tally import AlertTally, read_tally
from appliance.core.errors import JournalError
from appliance.security.encryption import PictureCipher


class StoredEvent(NamedTuple):
    """An event as it lies in the journal: frames for the stream."""

    seq: int
    topic: str
    header_json: bytes
    pictures: tuple[bytes, ...]


class JournalReader:
    """A journal open for reading; used by one thread at a time.

    Parameters
    ----------
    state_dir
        Folder of `journal.db` and `journal.key`.
    connection
        To its database, see `database`.
    cipher
        For its pictures; None: opened when the first picture is asked for.

    Attributes
    ----------
    epoch
        Names this database; another one means: start again from the beginning.
    """

    def __init__(self, state_dir: Path, connection: sqlite3.Connection, cipher: PictureCipher | None = None) -> None:
        self.state_dir = state_dir
        self.path = state_dir / database.DATABASE_NAME
        self._db = connection
        self._cipher = cipher
        with self._explained():
            self.epoch: str = self._db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def newest(self) -> int:
        """The newest sequence number ever given; 0 before the first."""
        with self._explained():
            row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return int(row[0]) if row else 0

    def stored(self, from_seq: int, limit: int, *, pictures: bool = True) -> list[StoredEvent]:
        """Up to `limit` events from `from_seq` on, in order, as frames for the stream."""
        with self._explained():
            rows = self._db.execute(
                "SELECT seq, topic, header, id FROM events WHERE seq >= ? ORDER BY seq LIMIT ?", (from_seq, limit)
            ).fetchall()
            return [
                StoredEvent(
                    seq, topic, header.encode(), self._pictures(seq, id_) if pictures and topic == "alert" else ()
                )
                for seq, topic, header, id_ in rows
            ]

    def events(self, from_seq: int = 1, *, limit: int = 1_000_000, pictures: bool = False) -> Iterator[Event]:
        """Events from `from_seq` on, in order, read in slices so that the hub's writing is never held up."""
        while limit > 0:
            batch = self.stored(from_seq, min(limit, 50), pictures=pictures)
            for stored in batch:
                yield parse_event(stored.topic, stored.header_json, stored.pictures)
            if not batch:
                return
            limit -= len(batch)
            from_seq = batch[-1].seq + 1

    def alerts(self) -> Iterator[Alert]:
        """The alerts in order, without pictures."""
        return (event.header for event in self.events() if isinstance(event.header, Alert))

    def find(self, alert_id: str, *, pictures: bool = True) -> StoredEvent | None:
        """The alert of that id; None when there is none."""
        with self._explained():
            row = self._db.execute("SELECT seq FROM events WHERE topic = 'alert' AND id = ?", (alert_id,)).fetchone()
        return self.stored(row[0], 1, pictures=pictures)[0] if row else None

    def decisions(self, alert_id: str) -> list[Decision]:
        """Every decision on an alert, in order, undone ones and undos included; see `decisions.standing_of`."""
        with self._explained():
            rows = self._db.execute(
                "SELECT header FROM events WHERE topic = 'decision' AND alert_id = ? ORDER BY seq", (alert_id,)
            ).fetchall()
        return [Decision.model_validate_json(row[0]) for row in rows]

    def tally(self, deployment: str | None = None) -> AlertTally:
        """Anonymous counts, of what is in the journal and of what was purged from it; of one deployment or of all."""
        with self._explained():
            return read_tally(self._db, deployment)

    def unaudited(self) -> list[Decision]:
        """Decisions that were made durable but perhaps not written to the audit record, oldest first."""
        with self._explained():
            seq = int(self._db.execute("SELECT value FROM meta WHERE key = 'audited_seq'").fetchone()[0])
            rows = self._db.execute(
                "SELECT header FROM events WHERE topic = 'decision' AND seq > ? ORDER BY seq", (seq,)
            )
            return [Decision.model_validate_json(row[0]) for row in rows.fetchall()]

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return database.explained(self.path)

    def _pictures(self, seq: int, alert_id: str) -> tuple[bytes, ...]:
        rows = self._db.execute(
            "SELECT position, sealed FROM pictures WHERE seq = ? ORDER BY position", (seq,)
        ).fetchall()
        if not rows:
            return ()
        key = self.state_dir / database.KEY_NAME
        if self._cipher is None:
            self._cipher = PictureCipher.open(key)
        try:
            return tuple(self._cipher.unseal(alert_id, position, sealed) for position, sealed in rows)
        except JournalError:
            self._cipher = PictureCipher.open(key)  # the hub has replaced the key since a reader took it
            return tuple(self._cipher.unseal(alert_id, position, sealed) for position, sealed in rows)
