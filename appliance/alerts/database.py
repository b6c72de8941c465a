"""The journal's SQLite file: how it is opened, what is in it, and what its errors mean to a person."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from appliance.core.errors import JournalError

DATABASE_NAME = "journal.db"
KEY_NAME = "journal.key"
APPLICATION_ID = 0x4C465241
"""Marks the file as this appliance's journal (SQLite's application_id): the letters LFRA."""
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    deployment TEXT NOT NULL,
    camera TEXT NOT NULL,
    entry TEXT NOT NULL,
    category TEXT NOT NULL,
    captured_ms INTEGER NOT NULL,
    header TEXT NOT NULL,
    UNIQUE (topic, id)
);
CREATE INDEX events_of_alert ON events (alert_id);
CREATE INDEX events_of_entry ON events (topic, entry, camera, deployment, captured_ms);
CREATE INDEX events_captured ON events (topic, captured_ms);
CREATE TABLE pictures (
    seq INTEGER NOT NULL, position INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (seq, position)
);
CREATE TABLE standing (
    alert_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (alert_id, kind)
) WITHOUT ROWID;
CREATE TABLE purged_counts (
    deployment TEXT NOT NULL, what TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (deployment, what, a, b)
) WITHOUT ROWID;
"""

_BUSY_S = 5.0


def open_writer(state_dir: Path) -> sqlite3.Connection:
    """The journal's database, made when there is none; durable at each commit, deleted content overwritten.

    Raises
    ------
    JournalError
        Folder or file cannot be used: read-only, full, damaged, foreign, or of a newer version.
    """
    path = state_dir / DATABASE_NAME
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be opened for writing: {error.strerror}.",
            "Give alerts.state_dir a folder that this user may write to.",
        ) from None
    with explained(path):
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            if not _check(connection, path):
                # Only before the first table: lets the file shrink without a copy of it in a temporary file.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            if not _check(connection, path):
                _create(connection)
            _check_pages(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(state_dir: Path) -> sqlite3.Connection:
    """The journal's database for reading, also while the hub writes it.

    Raises
    ------
    JournalError
        There is none yet, or it cannot be read.
    """
    path = state_dir / DATABASE_NAME
    missing = JournalError(f"There is no journal in {state_dir} yet.", "lfr run makes it at its start.")
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise missing from None
    except OSError as error:
        raise JournalError(f"The journal {path} cannot be read: {error.strerror}.") from None
    if size == 0:
        raise missing
    with explained(path):
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            ours = _check(connection, path)
        except BaseException:
            connection.close()
            raise
    if not ours:
        connection.close()
        raise missing
    return connection


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says in the block into a sentence with a remedy (`JournalError`)."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(error, path) from error


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """True for a journal of ours, False for an empty file; anything else is an error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not tables and not application:
        return False
    if application != APPLICATION_ID:
        raise JournalError(
            f"{path} is a database, but not this appliance's journal.", "Move it away or name another alerts.state_dir."
        )
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"The journal {path} has form {version}; this version of the appliance reads form {SCHEMA_VERSION}.",
            "Use the version that made it, or name another alerts.state_dir.",
        )
    return True


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise _damaged(path, " ".join(damage.split()))


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (secrets.token_hex(8),))
        connection.execute("INSERT INTO meta VALUES ('audited_seq', '0')")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _damaged(path: Path, detail: str) -> JournalError:
    return JournalError(
        f"The journal {path} is damaged ({detail}).",
        "Move the state folder away to keep what can be saved from it, and start again with an empty one.",
    )


def _explain(error: sqlite3.Error, path: Path) -> JournalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return JournalError(
            f"The disk of the journal {path} is full.", "Make space; cameras keep their alerts until then."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return JournalError(
            f"The journal {path} cannot be opened or written: {error}.",
            "Give alerts.state_dir a folder that this user may write to.",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return _damaged(path, "it is not a database")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(
            f"The journal {path} is in use by another process.", "Is a second lfr run on this state_dir?"
        )
    if code == sqlite3.SQLITE_IOERR:
        return JournalError(f"The disk of the journal {path} fails: {error}.", "Check the disk; use another one.")
    return JournalError(f"The journal {path} refused: {error}.")
