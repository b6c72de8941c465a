"""The audit record: nobody changes, removes, reorders or cuts it unseen, and a power cut loses nothing silently."""

import io
import json
import multiprocessing
import os
import random
from pathlib import Path
from typing import Any

import pytest
from audit_lines import write_lines

from appliance.audit.act import APPLIANCE, IDS_PER_LINE
from appliance.audit.acts import DeploymentOpen, DeploymentStart, Report, ViewAlert, WipeScan
from appliance.audit.chain import GENESIS
from appliance.audit.record import AuditRecord, record_change, record_purge
from appliance.core.errors import AuditError


def act(i: int = 0) -> ViewAlert:
    return ViewAlert(alert=f"a-{i}")


@pytest.fixture
def record(tmp_path: Path) -> Any:
    audit = AuditRecord(tmp_path)
    for i in range(12):
        audit.append(act(i), "PC Lee")
    return audit


def fresh(audit: Any) -> Any:
    return AuditRecord(audit.path.parent)


def test_an_untouched_record_verifies(record: Any) -> None:
    found = record.verify()
    assert found.ok
    assert (found.count, found.head) == record.head()
    assert found.count == 12
    assert [one.n for one in record.records()] == list(range(1, 13))


def test_an_empty_record_verifies(tmp_path: Path) -> None:
    found = AuditRecord(tmp_path / "none").verify()
    assert found.ok
    assert (found.count, found.head) == (0, GENESIS)


def test_any_changed_byte_of_any_line_is_found(record: Any) -> None:
    original = record.path.read_bytes()
    chance = random.Random(7)
    starts = [0, *[i + 1 for i, byte in enumerate(original) if byte == 10][:-1]]
    for start, end in zip(starts, [*starts[1:], len(original)], strict=True):
        for _ in range(8):
            at = chance.randrange(start, end)
            changed = bytearray(original)
            changed[at] ^= 1 << chance.randrange(8)
            record.path.write_bytes(changed)
            assert not fresh(record).verify().ok, (at, changed[at : at + 1])


def edited(audit: Any, edit: Any) -> None:
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(edit(lines)))


@pytest.mark.parametrize("at", range(12))
def test_a_removed_line_is_found(record: Any, at: Any) -> None:
    edited(record, lambda lines: lines[:at] + lines[at + 1 :])
    assert not record.verify().ok


@pytest.mark.parametrize("at", range(11))
def test_reordered_lines_are_found(record: Any, at: Any) -> None:
    edited(record, lambda lines: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert not record.verify().ok


@pytest.mark.parametrize("at", range(12))
def test_a_repeated_line_is_found(record: Any, at: Any) -> None:
    edited(record, lambda lines: [*lines[: at + 1], lines[at], *lines[at + 1 :]])
    assert not record.verify().ok


@pytest.mark.parametrize("kept", range(12))
def test_a_cut_tail_is_found(record: Any, kept: Any) -> None:
    edited(record, lambda lines: lines[:kept])
    assert "removed from its end" in record.verify().problems[0]


@pytest.mark.parametrize("name", ["audit.jsonl", "audit.head"])
def test_a_pipe_in_the_place_of_the_record_is_said_and_not_waited_for(record: Any, name: Any) -> None:
    path = record.path.with_name(name)
    path.unlink()
    os.mkfifo(path)
    for use in (
        record.verify,
        record.head,
        lambda: list(record.records()),
        lambda: record.newest(bool),
        lambda: record.append(act(), "PC Lee"),
    ):
        with pytest.raises(AuditError, match="is not a file"):
            use()


def test_a_line_that_was_rewritten_with_its_right_hash_breaks_the_chain(record: Any) -> None:
    other = AuditRecord(record.path.parent / "other")
    for i in range(12):
        other.append(act(i if i != 5 else 99), "PC Lee")
    forged = other.path.read_bytes().splitlines(keepends=True)
    edited(record, lambda lines: [*lines[:5], forged[5], *lines[6:]])
    assert not record.verify().ok


def test_a_removed_record_is_found(record: Any) -> None:
    record.path.unlink()
    assert not record.verify().ok


@pytest.mark.parametrize("content", [None, b"", b"00000000000000000003 " + b"a" * 64 + b"\n", b"nonsense"])
def test_a_removed_or_forged_head_is_found(record: Any, content: Any) -> None:
    record.head_path.unlink()
    if content is not None:
        record.head_path.write_bytes(content)
    assert not record.verify().ok


def test_a_cut_tail_stays_visible_after_further_acts(record: Any) -> None:
    edited(record, lambda lines: lines[:9])
    fresh(record).append(act(), "PC Lee")
    assert "acts were removed" in fresh(record).verify().problems[0]


def test_a_removed_head_stays_visible_after_further_acts(record: Any) -> None:
    record.head_path.unlink()
    fresh(record).append(act(), "PC Lee")
    assert "audit.head had been removed" in fresh(record).verify().problems[0]


def test_a_remade_chain_shows_only_against_a_hash_kept_elsewhere(record: Any) -> None:
    kept = record.head()[1]
    assert record.verify(anchor=kept).ok
    for path in (record.path, record.head_path):
        path.unlink()
    remade = fresh(record)
    for i in range(12):
        remade.append(act(i + 100), "PC Lee")
    assert remade.verify().ok
    assert not remade.verify(anchor=kept).ok


@pytest.mark.parametrize("torn", [b"{", b'{"act":"view.alert","at"', b'\xff\xfe{"a', b"x" * 200_000])
def test_a_line_torn_by_a_power_cut_is_kept_explained_and_no_problem(record: Any, torn: Any) -> None:
    with record.path.open("ab") as file:
        file.write(torn)
    before = record.verify()
    assert before.ok
    assert "torn" in before.notices[0]
    fresh(record).append(act(), "PC Lee")
    after = fresh(record).verify()
    assert after.ok
    assert "torn by a power cut" in after.notices[0]
    assert torn in record.path.read_bytes()
    assert [one.act for one in record.records()][-2:] == ["audit.repair", "view.alert"]


def test_a_repair_that_was_torn_itself_is_repaired(record: Any) -> None:
    for torn in (b'{"act"', b'\n{"act":"audit.rep'):
        with record.path.open("ab") as file:
            file.write(torn)
    fresh(record).append(act(), "PC Lee")
    assert fresh(record).verify().ok


def test_a_head_that_lags_after_a_power_cut_is_no_problem(record: Any) -> None:
    head = record.head_path.read_bytes()
    record.append(act(), "PC Lee")
    record.head_path.write_bytes(head)
    assert record.verify().ok
    fresh(record).append(act(), "PC Lee")
    assert fresh(record).verify().ok


def append_many(folder: Path, who: Any) -> None:
    audit = AuditRecord(folder)
    for i in range(60):
        audit.append(act(i), who)


def test_processes_append_at_the_same_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=append_many, args=(tmp_path, f"p{i}")) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = AuditRecord(tmp_path).verify()
    assert found.ok
    assert found.count == 240
    for i in range(4):
        mine = [one.details["alert"] for one in AuditRecord(tmp_path).records() if one.by == f"p{i}"]
        assert mine == [f"a-{j}" for j in range(60)]


def test_of_a_long_record_no_more_is_read_than_its_end_and_that_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an act costs as much in the last hour as in the first; the clock could not tell it from a slow disk."""
    write_lines(tmp_path, *[("view.alert", {"alert": f"a-{i}"}) for i in range(3000)])
    audit = AuditRecord(tmp_path)
    length = audit.path.stat().st_size
    read: list[int] = []
    pread, opened = os.pread, io.open

    def reads(descriptor: int, count: int, at: int) -> bytes:
        read.append(count)
        return pread(descriptor, count, at)

    def opens(file: Any, *how: Any, **more: Any) -> Any:
        if file == audit.path:
            read.append(length)
        return opened(file, *how, **more)

    monkeypatch.setattr(os, "pread", reads)
    monkeypatch.setattr(io, "open", opens)
    audit.append(act(), "PC Lee")
    assert 0 < sum(read) < length / 2
    read.clear()
    for i in range(20):
        audit.append(act(i), "PC Lee")
    assert read == []
    assert audit.verify().count == 3021
    assert read == [length], "what this test counts is how the file is read"


def test_an_act_that_is_too_long_for_a_line_is_refused_by_name_and_changes_nothing(record: Any) -> None:
    before = record.path.read_bytes()
    found = [f"/{'long/' * 200}{i}" for i in range(100)]
    with pytest.raises(AuditError, match=r"wipe\.scan of \d+ bytes"):
        record.append(WipeScan(files=1, bytes=1, searched_for=["key"], found=100, remains=found), APPLIANCE)
    assert record.path.read_bytes() == before


@pytest.mark.parametrize("by", ["", "x" * 129])
def test_an_act_needs_a_name_of_who_did_it(record: Any, by: str) -> None:
    with pytest.raises(AuditError, match="name of 1 to 128"):
        record.append(act(), by)
    assert record.verify().count == 12


def test_a_line_holds_what_was_given_and_no_more(tmp_path: Path) -> None:
    AuditRecord(tmp_path).append(Report(folder="/r\udcff", sha256={"report-public.json": "a" * 64}), "Ænder “quoted”")
    (one,) = AuditRecord(tmp_path).records()
    assert (one.act, one.by) == ("report", "Ænder “quoted”")
    assert one.details == {"folder": "/r?", "sha256": {"report-public.json": "a" * 64}}
    assert AuditRecord(tmp_path).verify().ok


def test_lines_of_earlier_versions_are_read_and_verified_and_continued(tmp_path: Path) -> None:
    write_lines(
        tmp_path,
        ("purge", {"alerts": ["a-1", "a-2"], "kept_hours": 24}),
        ("decision", {"kind": "operator"}),
        ("user.password_changed", {"anything": [0.5, {"deep": None}]}),
    )
    audit = AuditRecord(tmp_path)
    assert [one.act for one in audit.records()] == ["purge", "decision", "user.password_changed"]
    purge = audit.newest(lambda one: one.act == "purge")
    assert purge is not None
    assert purge.details["alerts"] == ["a-1", "a-2"]
    audit.append(act(), "PC Lee")
    assert audit.verify().ok
    assert audit.verify().count == 4


def test_purged_alerts_are_recorded_with_every_id(tmp_path: Path) -> None:
    audit = AuditRecord(tmp_path)
    ids = [f"a-{i}" for i in range(2 * IDS_PER_LINE + 1)]
    record_purge(audit, APPLIANCE, ids, 24.0)
    rows = [one.details for one in audit.records()]
    assert [row["alerts"] for row in rows] == [IDS_PER_LINE, IDS_PER_LINE, 1]
    assert [name for row in rows for name in row["ids"]] == ids
    record_purge(audit, APPLIANCE, [], 24.0)
    assert audit.verify().count == 3, "where nothing was deleted there is nothing to record"


def test_a_change_of_ten_thousand_ids_is_recorded_whole(tmp_path: Path) -> None:
    audit = AuditRecord(tmp_path)
    record_change(audit, "appliance", [f"{'N' * 50}-{i}" for i in range(10_000)], ["W-1"], {"digest": "d"})
    rows = list(audit.records())
    assert sum(len(row.details["added"]) for row in rows) == 10_000
    assert rows[-1].details["removed"] == ["W-1"]
    assert audit.verify().ok


def test_the_record_is_readable_by_its_owner_only(record: Any) -> None:
    for path in (record.path, record.head_path):
        assert path.stat().st_mode & 0o077 == 0
    assert all(json.loads(line)["by"] == "PC Lee" for line in record.path.read_text().splitlines())


def test_a_loss_of_power_in_the_very_first_act_is_no_tampering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = AuditRecord(tmp_path)
    real = AuditRecord._write_head

    def cut(self: Any, n: Any, digest: Any) -> None:
        if n:
            raise OSError("no power")
        real(self, n, digest)

    monkeypatch.setattr(AuditRecord, "_write_head", cut)
    with pytest.raises((OSError, AuditError)):
        audit.append(DeploymentOpen(deployment="d-1"), APPLIANCE)
    monkeypatch.undo()
    AuditRecord(tmp_path).append(DeploymentStart(deployment="d-1"), APPLIANCE)
    found = AuditRecord(tmp_path).verify()
    assert found.ok, found.problems
    assert found.count == 2
    audit.head_path.unlink()
    assert not AuditRecord(tmp_path).verify().ok
