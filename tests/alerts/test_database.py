"""The journal's file: made for its owner alone, checked before it is used, and its errors said with what to do."""

import os
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, pictures

from appliance.alerts import database
from appliance.alerts.journal import Journal
from appliance.core.errors import JournalError


def test_a_new_file_is_durable_at_each_commit_and_overwrites_what_is_deleted(tmp_path: Path) -> None:
    connection = database.open_writer(tmp_path / "state")
    asked = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "secure_delete", "temp_store", "application_id", "user_version")
    }
    connection.close()
    assert asked == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "temp_store": 2,
        "application_id": database.APPLICATION_ID,
        "user_version": database.SCHEMA_VERSION,
    }
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_opened_again_it_is_the_same_journal(tmp_path: Path) -> None:
    epochs = []
    for _ in range(2):
        connection = database.open_writer(tmp_path)
        epochs.append(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone())
        connection.close()
    assert epochs[0] == epochs[1]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    database.open_writer(tmp_path).close()
    connection = database.open_reader(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM meta")
    connection.close()


@pytest.mark.parametrize(
    "made", [lambda path: None, lambda path: path.touch(), lambda path: sqlite3.connect(path).close()]
)
def test_a_reader_of_a_file_that_is_not_made_yet_is_told_what_makes_it(tmp_path: Path, made: Any) -> None:
    made(tmp_path / database.DATABASE_NAME)
    with pytest.raises(JournalError, match=r"There is no journal .* lfr run makes it"):
        database.open_reader(tmp_path)


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / database.DATABASE_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="cannot be opened"):
        database.open_writer(tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, "is full"),
        (sqlite3.SQLITE_READONLY, "may write to"),
        (sqlite3.SQLITE_CANTOPEN, "may write to"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_BUSY, "in use by another process"),
        (sqlite3.SQLITE_IOERR | 10 << 8, "Check the disk"),
        (sqlite3.SQLITE_ERROR, "refused"),
    ],
)
def test_what_sqlite_says_becomes_a_sentence_with_a_remedy(tmp_path: Path, code: int, said: str) -> None:
    error = sqlite3.OperationalError("something")
    error.sqlite_errorcode = code
    with pytest.raises(JournalError, match=said) as told, database.explained(tmp_path / "journal.db"):
        raise error
    assert "journal.db" in str(told.value)


def test_a_damaged_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        for _ in range(20):
            journal.append_alert(alert(), pictures())
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[8192:40960] = random.Random(7).randbytes(32768)
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"is damaged.*Move the state folder away"):
        Journal.open(tmp_path)


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is a letter to the editor" * 100)
    for open_ in (Journal.open, Journal.open_reader):
        with pytest.raises(JournalError, match="is damaged"):
            open_(tmp_path)


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "journal.db")
    other.execute("CREATE TABLE songs (name)")
    other.close()
    before = (tmp_path / "journal.db").read_bytes()
    for open_ in (Journal.open, Journal.open_reader):
        with pytest.raises(JournalError, match="not this appliance's journal"):
            open_(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal._db.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="has form 2"):
        Journal.open(tmp_path)


def test_reading_where_nothing_is_says_so_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        Journal.open_reader(tmp_path / "state")
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match="may write to"):
        Journal.open(tmp_path / "state")
    tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(tmp_path / "state")
