"""The journal is the one truth: durable, in one series, nothing twice, and gone when it is purged."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, picture, pictures, sighting
from present import present

from appliance.alerts.decisions import standing_of
from appliance.alerts.journal import Journal, destroy_files
from appliance.alerts.messages import Alert
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, JournalError, SecretError, StreamError, UnknownAlert


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Any]:
    with Journal.open(tmp_path, cooldown_s=60) as opened:
        yield opened


def everything(folder: Path) -> Any:
    """All bytes that the journal has on the disk."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


class TestSeries:
    def test_alerts_decisions_and_sightings_share_one_series(self, journal: Any) -> None:
        first = alert()
        assert journal.append_alert(first, pictures()).seq == 1
        assert journal.append_decision(decision(first.id))[0].seq == 2
        assert journal.append_sighting(sighting()).seq == 3
        assert [(event.seq, event.topic) for event in journal.events()] == [
            (1, "alert"),
            (2, "decision"),
            (3, "sighting"),
        ]

    def test_what_is_journaled_comes_back_as_it_was_with_number_epoch_and_time(self, journal: Any) -> None:
        made, before = alert(), utc_now()
        journal.append_alert(made, [picture("a"), picture("b"), picture("c")])
        after = utc_now()
        event = next(journal.events(pictures=True))
        header = event.header
        assert isinstance(header, Alert)
        assert header.seq == 1
        assert header.epoch == journal.epoch
        assert before - timedelta(milliseconds=1) <= present(header.published_at) <= after
        sent = made.model_dump(exclude={"seq", "epoch", "published_at"}, mode="json")
        assert header.model_dump(exclude={"seq", "epoch", "published_at"}, mode="json") == sent
        assert event.pictures == (picture("a"), picture("b"), picture("c"))

    def test_the_same_alert_again_is_answered_with_its_number(self, journal: Any) -> None:
        made = alert()
        journal.append_alert(made, pictures())
        again = journal.append_alert(made, pictures())
        assert (again.seq, again.header, again.repeats) == (1, None, "id")
        assert journal.newest == 1

    def test_a_number_is_never_used_twice_after_a_purge_and_a_restart(self, tmp_path: Path) -> None:
        with Journal.open(tmp_path) as journal:
            epoch = journal.epoch
            for _ in range(3):
                journal.append_alert(alert(at=utc_now() - timedelta(days=2)), pictures())
            journal.purge(utc_now())
        with Journal.open(tmp_path) as journal:
            assert journal.epoch == epoch
            assert journal.append_alert(alert(), pictures()).seq == 4

    def test_a_failed_transaction_leaves_nothing_and_uses_no_number(self, journal: Any) -> None:
        def fail() -> None:
            journal.append_alert(alert(), pictures())
            raise KeyError

        with pytest.raises(KeyError), journal.transaction():
            fail()
        assert journal.newest == 0
        assert journal.append_alert(alert(), pictures()).seq == 1

    def test_another_process_reads_while_the_journal_is_written(self, journal: Any, tmp_path: Path) -> None:
        journal.append_alert(alert(), [picture("a"), picture("b"), picture("c")])
        code = f"""
            from pathlib import Path
            from appliance.alerts.journal import Journal
            with Journal.open_reader(Path({str(tmp_path)!r})) as reader:
                print(reader.epoch, reader.newest, len(next(reader.events(pictures=True)).pictures))
        """
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        told = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=True
        )
        assert told.stdout.split() == [journal.epoch, "1", "3"]


class TestCoolDown:
    def test_the_same_entry_at_the_same_camera_within_it_is_a_repetition(self, journal: Any) -> None:
        now = utc_now()
        journal.append_alert(alert("N-1", at=now), pictures())
        again = journal.append_alert(alert("N-1", at=now + timedelta(seconds=59.9)), pictures())
        assert (again.seq, again.header, again.repeats) == (1, None, "cooldown")

    def test_after_a_run_that_ended_in_order_a_recording_gives_its_alerts_again(
        self, journal: Any, tmp_path: Path
    ) -> None:
        now = utc_now()
        for media_s in (1.0, None):
            journal.append_alert(alert("N-1", at=now, media_s=media_s), pictures())
        journal.mark_run_ended()
        with Journal.open(tmp_path, cooldown_s=60) as later:
            assert later.append_alert(alert("N-1", at=now, media_s=1.0), pictures()).header is not None
            assert later.append_alert(alert("N-1", at=now, media_s=3.0), pictures()).repeats == "cooldown"
            assert later.append_alert(alert("N-1", at=now), pictures()).repeats == "cooldown"

    def test_an_alert_that_comes_late_and_is_older_is_one_as_well(self, journal: Any) -> None:
        now = utc_now()
        journal.append_alert(alert("N-1", at=now), pictures())
        assert journal.append_alert(alert("N-1", at=now - timedelta(seconds=30)), pictures()).repeats == "cooldown"

    @pytest.mark.parametrize(
        "other", [{"camera": "south"}, {"deployment": "street-2"}, {"at": 60.0}, {"entry": "N-2"}], ids=str
    )
    def test_another_camera_deployment_entry_or_a_later_moment_is_a_new_alert(self, journal: Any, other: Any) -> None:
        now = utc_now()
        journal.append_alert(alert("N-1", at=now), pictures())
        made = alert(other.get("entry", "N-1"), camera=other.get("camera", "north"))
        made = made.model_copy(
            update={
                "deployment": other.get("deployment", made.deployment),
                "captured_at": now + timedelta(seconds=other.get("at", 1.0)),
            }
        )
        assert journal.append_alert(made, pictures()).seq == 2

    def test_sightings_have_their_own(self, journal: Any) -> None:
        now = utc_now()
        journal.append_alert(alert("B-1", at=now), pictures())
        assert journal.append_sighting(sighting("B-1", at=now)).seq == 2
        assert journal.append_sighting(sighting("B-1", at=now)).repeats == "cooldown"


class TestDecisions:
    @pytest.fixture
    def of(self, journal: Any) -> Any:
        made = alert()
        journal.append_alert(made, pictures())
        return made.id

    def test_one_of_a_kind_stands_and_the_second_is_told_who_what_and_when(self, journal: Any, of: Any) -> None:
        first, _ = journal.append_decision(decision(of, by="PC Singh"))
        with pytest.raises(DecisionConflict, match=r"PC Singh said match \(operator\) at \d\d:\d\d") as told:
            journal.append_decision(decision(of, value="no_match", by="PC Jones"))
        assert told.value.standing.id == first.id
        assert journal.newest == 2

    def test_kinds_stand_beside_each_other(self, journal: Any, of: Any) -> None:
        for kind, value in (("operator", "match"), ("engagement", "engage"), ("outcome", "arrested")):
            journal.append_decision(decision(of, kind, value))
        assert set(standing_of(journal.decisions(of)).by_kind) == {"operator", "engagement", "outcome"}

    def test_undo_is_a_new_record_and_makes_room_for_another(self, journal: Any, of: Any) -> None:
        first, _ = journal.append_decision(decision(of))
        journal.append_decision(decision(of, "undo", "undo", undoes=first.id))
        assert standing_of(journal.decisions(of)).by_kind == {}
        journal.append_decision(decision(of, value="no_match"))
        decisions = journal.decisions(of)
        assert [made.value for made in decisions] == ["match", "undo", "no_match"]
        assert standing_of(decisions).state == "no_match"

    def test_what_does_not_stand_cannot_be_undone(self, journal: Any, of: Any) -> None:
        first, _ = journal.append_decision(decision(of))
        undo = decision(of, "undo", "undo", undoes=first.id)
        journal.append_decision(undo)
        with pytest.raises(DecisionConflict):
            journal.append_decision(decision(of, "undo", "undo", undoes=first.id))
        with pytest.raises(DecisionConflict):
            journal.append_decision(decision(of, "undo", "undo", undoes=undo.id))

    def test_an_undo_takes_back_only_decisions_of_its_own_alert(self, journal: Any, of: Any) -> None:
        other = alert()
        journal.append_alert(other, pictures())
        first, _ = journal.append_decision(decision(of))
        with pytest.raises(DecisionConflict):
            journal.append_decision(decision(other.id, "undo", "undo", undoes=first.id))

    def test_the_same_decision_again_is_answered_as_before(self, journal: Any, of: Any) -> None:
        made = decision(of)
        first = journal.append_decision(made)
        assert first[1]
        again, new = journal.append_decision(made)
        assert (again.seq, again.id, new) == (2, made.id, False)
        assert journal.newest == 2

    def test_a_used_id_for_another_decision_is_refused(self, journal: Any, of: Any) -> None:
        made = decision(of)
        journal.append_decision(made)
        with pytest.raises(StreamError, match="was used"):
            journal.append_decision(made.model_copy(update={"value": "no_match"}))

    def test_an_unknown_alert_has_no_decisions(self, journal: Any) -> None:
        with pytest.raises(UnknownAlert):
            journal.append_decision(decision("nobody"))
        assert journal.decisions("nobody") == []

    @pytest.mark.parametrize(
        ("kind", "value", "undoes"),
        [("operator", "engage", None), ("outcome", "", None), ("undo", "undo", None), ("operator", "match", "x")],
    )
    def test_a_value_of_another_kind_is_refused(
        self, journal: Any, of: Any, kind: Any, value: Any, undoes: Any
    ) -> None:
        with pytest.raises(StreamError):
            journal.append_decision(decision(of, kind, value, undoes=undoes))


class TestPictures:
    def test_no_picture_lies_on_the_disk_in_clear(self, journal: Any, tmp_path: Path) -> None:
        journal.append_alert(alert(), pictures("watchlist-photo"))
        assert b"watchlist-photo" not in everything(tmp_path)

    def test_a_picture_opens_only_for_its_own_alert_and_place(self, journal: Any, tmp_path: Path) -> None:
        journal.append_alert(alert(), pictures("one"))
        journal.append_alert(alert(), pictures("two"))
        journal._db.execute("UPDATE pictures SET sealed = (SELECT sealed FROM pictures WHERE seq = 1 AND position = 0)")
        with pytest.raises(JournalError, match="does not open"):
            journal.stored(2, 1)

    def test_files_are_for_the_owner_alone(self, journal: Any, tmp_path: Path) -> None:
        journal.append_alert(alert(), pictures())
        names = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.key")
        assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == dict.fromkeys(names, 0o600)

    def test_a_lost_key_is_said_at_the_start_and_not_replaced_in_silence(self, tmp_path: Path) -> None:
        with Journal.open(tmp_path) as journal:
            journal.append_alert(alert(), pictures())
        (tmp_path / "journal.key").unlink()
        with pytest.raises(SecretError, match="cannot be read"):
            Journal.open(tmp_path)

    @pytest.mark.parametrize("spoil", [lambda key: key.chmod(0o644), lambda key: key.write_bytes(b"short")])
    def test_a_key_that_others_can_read_or_that_is_none_is_refused(self, tmp_path: Path, spoil: Any) -> None:
        Journal.open(tmp_path).close()
        spoil(tmp_path / "journal.key")
        with pytest.raises(SecretError):
            Journal.open(tmp_path)


class TestPurge:
    def test_old_alerts_go_with_decisions_and_pictures_and_newer_stay(self, journal: Any) -> None:
        old, new = alert(at=utc_now() - timedelta(hours=25)), alert()
        journal.append_alert(old, pictures())
        journal.append_alert(new, pictures())
        journal.append_decision(decision(old.id))
        journal.append_decision(decision(new.id))
        assert journal.purge(utc_now() - timedelta(hours=24)) == [old.id]
        assert [event.seq for event in journal.events()] == [2, 4]
        assert journal.find(old.id) is None
        assert len(journal.find(new.id).pictures) == 3
        assert journal.decisions(old.id) == []

    def test_a_purged_header_is_nowhere_on_the_disk(self, journal: Any, tmp_path: Path) -> None:
        made = alert(at=utc_now() - timedelta(hours=25))
        journal.append_alert(made, pictures())
        journal.append_decision(decision(made.id, note="told his mother"))
        assert made.entry.label.encode() in everything(tmp_path)
        journal.purge(utc_now())
        left = everything(tmp_path)
        assert not any(word in left for word in (made.entry.label.encode(), b"told his mother", made.id.encode()))

    def test_the_key_is_replaced_when_it_protects_nothing_any_more(self, journal: Any, tmp_path: Path) -> None:
        key = tmp_path / "journal.key"
        before = key.read_bytes()
        journal.append_alert(alert(at=utc_now() - timedelta(hours=2)), pictures())
        kept = alert()
        journal.append_alert(kept, pictures("kept"))
        journal.purge(utc_now() - timedelta(hours=1))
        assert key.read_bytes() == before
        journal.purge(utc_now() + timedelta(hours=1))
        assert key.read_bytes() != before
        assert key.stat().st_mode & 0o777 == 0o600

    def test_writer_and_reader_go_on_with_a_key_that_another_process_replaced(
        self, journal: Any, tmp_path: Path
    ) -> None:
        journal.append_alert(alert(at=utc_now() - timedelta(hours=2)), pictures())
        with Journal.open_reader(tmp_path) as reader:
            assert reader.stored(1, 1)[0].pictures
            with Journal.open(tmp_path) as other:
                other.purge(utc_now() - timedelta(hours=1))
            journal.append_alert(alert(), [picture("a"), picture("b"), picture("c")])
            assert reader.stored(1, 9)[0].pictures == (picture("a"), picture("b"), picture("c"))

    def test_the_file_shrinks_when_much_was_purged(self, journal: Any, tmp_path: Path) -> None:
        for _ in range(12):
            journal.append_alert(alert(at=utc_now() - timedelta(hours=2)), pictures(size=600_000))
        assert (tmp_path / "journal.db").stat().st_size + (tmp_path / "journal.db-wal").stat().st_size > 16 << 20
        journal.purge(utc_now())
        assert (tmp_path / "journal.db").stat().st_size < 1 << 20
        assert (tmp_path / "journal.db-wal").stat().st_size == 0

    def test_destroy_leaves_nothing_and_may_be_repeated(self, journal: Any, tmp_path: Path) -> None:
        journal.append_alert(alert(), pictures())
        assert {path.name for path in journal.destroy()} >= {"journal.key", "journal.db"}
        assert list(tmp_path.iterdir()) == []
        assert destroy_files(tmp_path) == []


class TestTrouble:
    def test_a_full_disk_is_said_and_keeps_what_was_there(self, journal: Any) -> None:
        journal.append_alert(alert(), pictures())
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match=r"is full\. Make space"):
            journal.append_alert(alert(), pictures(size=50_000))
        journal._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        assert journal.append_alert(alert(), pictures(size=50_000)).seq == 2


def test_decisions_are_remembered_until_they_are_in_the_audit_record(journal: Any) -> None:
    made = alert()
    journal.append_alert(made, pictures())
    first, _ = journal.append_decision(decision(made.id))
    assert [made.id for made in journal.unaudited()] == [first.id]
    journal.mark_audited(first.seq)
    assert journal.unaudited() == []
    second, _ = journal.append_decision(decision(made.id, "outcome", "lost"))
    assert [made.id for made in journal.unaudited()] == [second.id]


def test_moments_in_any_time_zone_are_journaled_in_utc(journal: Any) -> None:
    made = alert(at=datetime(2026, 11, 21, 11, 31, 7, 412345, tzinfo=UTC))
    journal.append_alert(made, pictures())
    assert b'"captured_at":"2026-11-21T11:31:07.412Z"' in journal.stored(1, 1)[0].header_json
