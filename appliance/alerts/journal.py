"""The journal: alerts, decisions and sightings in one series, durable before anyone is told; the only truth.

A SQLite file in the state folder, written by the hub alone and read by anybody there (`Journal.open_reader`): each
commit is on the disk when it returns, deleted content is overwritten, pictures are encrypted (see `cipher`).
A sequence number is never used twice, also not after a purge. `epoch` names this database: a reader that meets
another epoch starts again from the beginning.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from appliance.alerts import database
from appliance.alerts.event import Header
from appliance.alerts.messages import DECISION_VALUES, Alert, Decision, Sighting
from appliance.alerts.reader import JournalReader
from appliance.alerts.tally import fold_into_purged
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, JournalError, StreamError, UnknownAlert
from appliance.security.encryption import PictureCipher, shred

PICTURES_OF_AN_ALERT = 3
_SHRINK_ABOVE_BYTES = 16 << 20
_COOLDOWN_SLACK_MS = 5  # the stream's moments are rounded to milliseconds, the camera's clock is not

_log = structlog.get_logger()


class Journaled(NamedTuple):
    """What became of something that was given to the journal."""

    seq: int
    header: Header | None
    """As it was journaled, with epoch and sequence number; None for a repetition of what `seq` names already."""
    repeats: str = ""
    """Why it was not journaled: `id` (sent again) or `cooldown` (the same person a moment ago)."""


class Journal(JournalReader):
    """A journal open for writing (`open`); `open_reader` gives one for reading. Used by one thread at a time.

    Parameters
    ----------
    state_dir, connection, cipher
        As `open` makes them.
    cooldown_s
        A second alert (or sighting) of one entry at one camera within this is a repetition; of a recording, since the
        run that reads it began (`rest`).
    """

    def __init__(
        self, state_dir: Path, connection: sqlite3.Connection, cipher: PictureCipher, cooldown_s: float = 0.0
    ) -> None:
        super().__init__(state_dir, connection, cipher)
        self._sealer = cipher
        self._cooldown_ms = round(cooldown_s * 1000)
        row = self._db.execute("SELECT value FROM meta WHERE key = 'rested_seq'").fetchone()
        self._rested_seq = int(row[0]) if row else 0
        self._settling_owed = False

    @classmethod
    def open(cls, state_dir: Path, *, cooldown_s: float = 0.0) -> Self:
        """Open the journal for writing; make it, and its key, when there is none.

        Raises
        ------
        JournalError
            Folder or file cannot be used.
        SecretError
            The key's file is missing though there are pictures, readable by others, or not a key.
        """
        connection = database.open_writer(state_dir)
        try:
            key = state_dir / database.KEY_NAME
            with database.explained(state_dir / database.DATABASE_NAME):
                pictures = connection.execute("SELECT EXISTS (SELECT 1 FROM pictures)").fetchone()[0]
            cipher = PictureCipher.open(key) if pictures or key.exists() else PictureCipher.create(key)
            return cls(state_dir, connection, cipher, cooldown_s)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open_reader(cls, state_dir: Path) -> JournalReader:
        """Open an existing journal for reading, also while a hub writes it.

        Raises
        ------
        JournalError
            There is none yet, or it cannot be read.
        """
        return JournalReader(state_dir, database.open_reader(state_dir))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything that is appended in the block durable at its end, or nothing of it.

        Raises
        ------
        JournalError
            Nothing of the block was kept: disk full, read-only, failing.
        """
        with self._explained():
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has rolled back by itself when the disk was full
                    self._db.execute("ROLLBACK")
                raise

    def append_alert(self, alert: Alert, pictures: Sequence[bytes | bytearray]) -> Journaled:
        """Journal an alert and its three pictures.

        `published_at` is stamped here, once the pictures are encrypted and just before the commit: an alert has one
        such moment, the same for who hears it live and who asks for it later, and a header cannot hold a moment that
        lies after its own commit. What the commit and the sending take on top of it is measured by the hub
        (`lfr_alert_latency_seconds`).

        An alert that was journaled before (same id), or whose entry was alerted at the same camera of the same
        deployment within the cool-down, is not journaled again: the earlier sequence number is the answer.
        """
        with self.transaction():
            repeated = self._repeated("alert", alert, alert.entry.id)
            if repeated:
                return repeated
            seq = self.newest + 1
            if not self._sealer.current:  # replaced after a purge by another process, while it held the write lock
                self._sealer = PictureCipher.open(self._sealer.path)
            self._db.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?)",
                [(seq, i, self._sealer.seal(alert.id, i, picture)) for i, picture in enumerate(pictures)],
            )
            stamped = alert.model_copy(update={"epoch": self.epoch, "seq": seq, "published_at": utc_now()})
            self._insert(
                "alert", stamped, stamped.id, alert.deployment, alert.camera, alert.entry.id, alert.entry.category,
                alert.captured_at,
            )  # fmt: skip
            return Journaled(seq, stamped)

    def append_sighting(self, sighting: Sighting) -> Journaled:
        """Journal that a blue-list entry was seen; repetitions as with alerts."""
        with self.transaction():
            repeated = self._repeated("sighting", sighting, sighting.entry_id)
            if repeated:
                return repeated
            stamped = sighting.model_copy(update={"epoch": self.epoch, "seq": self.newest + 1})
            self._insert(
                "sighting", stamped, "", sighting.deployment, sighting.camera, sighting.entry_id, "",
                sighting.captured_at,
            )  # fmt: skip
            return Journaled(stamped.seq, stamped)

    def append_decision(self, decision: Decision) -> tuple[Decision, bool]:
        """Journal what a person decided. Of one kind one decision stands for an alert, until it is undone.

        Returns
        -------
        The decision as it was journaled, and whether it is new: the same one again (same id) is answered as before.

        Raises
        ------
        UnknownAlert
            No such alert (any more).
        DecisionConflict
            Another decision of that kind stands; for an undo, the decision it names does not stand.
        StreamError
            A value that this kind does not have, or an id that was used for another decision.
        """
        _check_decision(decision)
        with self.transaction():
            known = self._db.execute(
                "SELECT seq, header FROM events WHERE topic = 'decision' AND id = ?", (decision.id,)
            ).fetchone()
            if known:
                return _same_decision(decision, Decision.model_validate_json(known[1]))
            alert = self._db.execute(
                "SELECT deployment, camera, entry, category, captured_ms FROM events WHERE topic = 'alert' AND id = ?",
                (decision.alert_id,),
            ).fetchone()
            if alert is None:
                raise UnknownAlert(
                    f"The journal holds no alert {decision.alert_id}.", "It may have been purged; lfr alerts lists all."
                )
            self._stand(decision, seq := self.newest + 1)
            stamped = decision.model_copy(update={"epoch": self.epoch, "seq": seq})
            self._db.execute(
                "INSERT INTO events VALUES (?, 'decision', ?, ?, ?, ?, ?, ?, ?, ?)",
                (seq, decision.id, decision.alert_id, *alert, stamped.model_dump_json()),
            )
            return stamped, True

    def holds_before(self, before: datetime) -> bool:
        """Whether there is an alert or a sighting that was captured before a moment.

        Raises
        ------
        JournalError
            It cannot be read.
        """
        with self._explained():
            old = "SELECT EXISTS (SELECT 1 FROM events WHERE topic != 'decision' AND captured_ms < ?)"
            return bool(self._db.execute(old, (_milliseconds(before),)).fetchone()[0])

    def purge(self, before: datetime) -> list[str]:
        """Delete alerts and sightings captured before a moment, with decisions and pictures; only counts remain.

        Deleted content is overwritten in the database and its log is emptied. When no picture is left, the key is
        replaced, so that older copies of the pictures anywhere cannot be read either.

        Returns
        -------
        The ids of the alerts that were deleted.
        """
        with self.transaction():
            limit = (_milliseconds(before),)
            gone = "topic != 'decision' AND captured_ms < ?"
            ids = [
                str(row[0])
                for row in self._db.execute(
                    "SELECT id FROM events WHERE topic = 'alert' AND captured_ms < ? ORDER BY seq", limit
                )
            ]
            changed = self._db.execute(f"SELECT EXISTS (SELECT 1 FROM events WHERE {gone})", limit).fetchone()[0]  # noqa: S608
            if changed:
                fold_into_purged(self._db, limit[0])
                old = "SELECT seq FROM events WHERE topic = 'alert' AND captured_ms < ?"
                self._db.execute(f"DELETE FROM pictures WHERE seq IN ({old})", limit)  # noqa: S608
                self._db.execute(
                    "DELETE FROM standing WHERE alert_id IN "
                    "(SELECT id FROM events WHERE topic = 'alert' AND captured_ms < ?)",
                    limit,
                )
                # A decision carries the capture time of its alert, so one condition takes both.
                self._db.execute("DELETE FROM events WHERE captured_ms < ?", limit)
        if changed or self._settling_owed:
            self._settling_owed = True
            try:
                self._settle()
            except JournalError as error:  # the alerts are gone; the next purge settles
                _log.warning("the journal's log could not be emptied after a purge", reason=str(error))
        return ids

    def _settle(self) -> None:
        """After a purge: empty the log, give space back, replace the key if it protects nothing any more."""
        with self.transaction():
            empty = not self._db.execute("SELECT EXISTS (SELECT 1 FROM pictures)").fetchone()[0]
            if empty:
                self._cipher = self._sealer = PictureCipher.create(self.state_dir / database.KEY_NAME)
        with self._explained():
            free, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
            if empty and free * size > _SHRINK_ABOVE_BYTES:
                # Only when empty: shrinking moves live pages and leaves their old place unwritten on the disk.
                # As a script, because `execute` would give back one page and stop.
                self._db.executescript("PRAGMA incremental_vacuum;")
            # Busy when somebody reads an older state just now: the next purge tries again.
            self._settling_owed = bool(self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])

    def destroy(self) -> list[Path]:
        """Close the journal, then overwrite and remove its key, database and logs; what was removed, key first.

        Raises
        ------
        JournalError
            A file could not be overwritten and removed.
        """
        self.close()
        return destroy_files(self.state_dir)

    def mark_audited(self, seq: int) -> None:
        """Remember that decisions up to `seq` are in the audit record."""
        with self.transaction():
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'audited_seq'", (str(seq),))

    def rest(self) -> None:
        """A run ends in order. A recording that the next one reads gives its alerts again, cool-down or not.

        After a run that was killed it does not: what was on its way then may come twice.
        """
        with self.transaction():
            self._rested_seq = self.newest
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('rested_seq', ?)", (str(self._rested_seq),))

    def _repeated(self, topic: str, header: Alert | Sighting, entry: str) -> Journaled | None:
        row = self._db.execute("SELECT seq FROM events WHERE topic = ? AND id = ?", (topic, header.id)).fetchone()
        if row:
            return Journaled(row[0], None, "id")
        reach_ms = self._cooldown_ms - _COOLDOWN_SLACK_MS
        if reach_ms <= 0:
            return None
        moment = _milliseconds(header.captured_at)
        recorded = isinstance(header, Alert) and header.media_s is not None
        row = self._db.execute(
            "SELECT seq FROM events WHERE topic = ? AND entry = ? AND camera = ? AND deployment = ? "
            "AND captured_ms > ? AND captured_ms < ? AND seq > ? ORDER BY seq DESC LIMIT 1",
            (
                topic, entry, header.camera, header.deployment, moment - reach_ms, moment + reach_ms,
                self._rested_seq if recorded else 0,
            ),
        ).fetchone()  # fmt: skip
        return Journaled(row[0], None, "cooldown") if row else None

    def _insert(
        self, topic: str, header: Alert | Sighting, alert_id: str, deployment: str, camera: str, entry: str,
        category: str, captured_at: datetime,
    ) -> None:  # fmt: skip
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (header.seq, topic, header.id, alert_id, deployment, camera, entry, category, _milliseconds(captured_at),
             header.model_dump_json()),
        )  # fmt: skip

    def _stand(self, decision: Decision, seq: int) -> None:
        standing = self.standing(decision.alert_id)
        if decision.kind != "undo":
            other = standing.get(decision.kind)
            if other is not None:
                said = other.value.replace("_", " ")
                raise DecisionConflict(
                    f"{other.by} said {said} ({other.kind}) at {other.at:%H:%M:%S} UTC already.",
                    "Undo that decision first to make another.",
                    standing=other,
                )
            self._db.execute(
                "INSERT INTO standing VALUES (?, ?, ?, ?)", (decision.alert_id, decision.kind, decision.value, seq)
            )
            return
        undone = next((other for other in standing.values() if other.id == decision.undoes), None)
        if undone is None:
            raise DecisionConflict(
                f"The decision {decision.undoes} does not stand for this alert.", "Look at what stands now: lfr alerts."
            )
        self._db.execute("DELETE FROM standing WHERE alert_id = ? AND kind = ?", (decision.alert_id, undone.kind))


def destroy_files(state_dir: Path) -> list[Path]:
    """Overwrite and remove a journal's key, database and logs, also of a journal that does not open any more.

    Raises
    ------
    JournalError
        A file could not be overwritten and removed.
    """
    key = state_dir / database.KEY_NAME
    data = state_dir / database.DATABASE_NAME
    removed = []
    for path in (
        key,
        key.with_name(key.name + ".new"),
        data,
        *(data.with_name(data.name + end) for end in ("-wal", "-shm")),
    ):
        try:
            if shred(path):
                removed.append(path)
        except OSError as error:
            raise JournalError(f"{path} could not be destroyed: {error.strerror}.", "Remove it by hand.") from None
    return removed


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _check_decision(decision: Decision) -> None:
    allowed = DECISION_VALUES[decision.kind]
    if decision.value not in allowed:
        raise StreamError(f"A decision of kind {decision.kind} says {' or '.join(allowed)}, not {decision.value!r}.")
    if (decision.kind == "undo") != bool(decision.undoes):
        raise StreamError("An undo, and only an undo, names the decision that it takes back.")


def _same_decision(again: Decision, first: Decision) -> tuple[Decision, bool]:
    if (again.alert_id, again.kind, again.value) != (first.alert_id, first.kind, first.value):
        raise StreamError(f"The id {again.id} was used for another decision.", "Make a new id for each decision.")
    return first, False
