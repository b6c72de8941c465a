"""Only a list that was verified reaches the cameras, and a file is judged only when it is still."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from appliance.audit.record import AuditRecord
from appliance.core.clock import utc_now
from appliance.core.errors import WatchlistError
from appliance.deployment.list_facts import OpenedList, UsedList
from appliance.supervision import list_watch
from appliance.supervision.list_watch import ListWatch


class Lists:
    """Opens a text file `SEQUENCE id id …`; refuses anything else."""

    def __init__(self) -> None:
        self.opened: list[tuple[set[str], set[str] | None]] = []
        self.lies = False

    def open_list(self, path: Path) -> OpenedList:
        sequence, *ids = path.read_text().split()
        if not sequence.isdigit():
            raise WatchlistError("It was altered.")
        digest = "0" * 64 if self.lies else hashlib.sha256(path.read_bytes()).hexdigest()
        used = UsedList(digest=digest, sequence=int(sequence), opened_at=utc_now(), entries=len(ids))
        return OpenedList(used, frozenset(ids))

    def list_opened(self, facts: OpenedList, before: OpenedList | None) -> None:
        self.opened.append((set(facts.ids), set(before.ids) if before else None))


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def watch(tmp_path: Path, lists: Lists) -> ListWatch:
    runtime = tmp_path / "run"
    runtime.mkdir()
    (tmp_path / "list.lfrw").write_text("5 N-1 N-2")
    port: Any = lists
    return ListWatch(tmp_path / "list.lfrw", runtime, port, AuditRecord(tmp_path / "state"))


def test_the_first_list_is_copied_for_the_cameras_and_recorded(watch: ListWatch, lists: Lists) -> None:
    facts = watch.open()
    assert (set(facts.ids), facts.sequence) == ({"N-1", "N-2"}, 5)
    assert watch.accepted.read_text() == "5 N-1 N-2"
    assert watch.accepted.stat().st_mode & 0o777 == 0o600
    assert lists.opened == [({"N-1", "N-2"}, None)]
    assert not watch.poll(), "nothing changed"


def test_a_changed_file_is_read_only_when_two_looks_agree(watch: ListWatch, lists: Lists) -> None:
    watch.open()
    watch.source.write_text("6 N-2")
    assert not watch.poll()
    watch.source.write_text("6 N-2 N-33")  # it is still being copied; of another size than any before
    assert not watch.poll()
    assert watch.poll()
    assert watch.accepted.read_text() == "6 N-2 N-33"
    assert lists.opened[-1] == ({"N-2", "N-33"}, {"N-1", "N-2"})
    assert not watch.poll()


def test_a_refused_file_leaves_the_accepted_one_and_is_recorded_once(watch: ListWatch, lists: Lists) -> None:
    watch.open()
    watch.source.write_text("altered")
    assert not any(watch.poll() for _ in range(4))
    assert watch.refused == "It was altered."
    assert watch.accepted.read_text() == "5 N-1 N-2"
    assert watch.facts is not None
    assert watch.facts.sequence == 5
    written = [(line.act, line.details) for line in AuditRecord(watch.source.parent / "state").records()]
    assert written == [("watchlist.refused", {"reason": "It was altered."})]
    watch.source.write_text("5 N-1 N-2")
    assert not any(watch.poll() for _ in range(3)), "the accepted list came back: no change"
    assert watch.refused == ""


def test_a_list_that_does_not_have_the_digest_that_it_says_is_refused(watch: ListWatch, lists: Lists) -> None:
    lists.lies = True
    with pytest.raises(WatchlistError, match="does not have the digest"):
        watch.open()
    assert not watch.accepted.exists()


def test_a_file_that_vanishes_changes_nothing_until_another_is_there(watch: ListWatch) -> None:
    watch.open()
    watch.source.unlink()
    assert not any(watch.poll() for _ in range(3))
    assert watch.refused == ""
    watch.source.write_text("7 N-9")
    assert [watch.poll() for _ in range(2)] == [False, True]


@pytest.mark.parametrize(("make", "why"), [(os.mkfifo, "is not a file"), (None, "does not exist")])
def test_what_is_no_file_is_said_and_not_waited_for(watch: ListWatch, make: Any, why: str) -> None:
    watch.source.unlink()
    if make:
        make(watch.source)
    with pytest.raises(WatchlistError, match=why):
        watch.open()


def test_a_file_that_is_far_too_large_is_not_copied_to_its_end(
    watch: ListWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_watch, "MAX_SEALED_BYTES", 5)
    with pytest.raises(WatchlistError, match="is larger than 5 bytes"):
        watch.open()


def test_forgetting_removes_both_copies_and_may_be_repeated(watch: ListWatch) -> None:
    watch.open()
    watch.forget()
    watch.forget()
    assert list(watch.accepted.parent.iterdir()) == []
