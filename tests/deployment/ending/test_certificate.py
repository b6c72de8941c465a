"""The certificate is made of the record's acts, so that it is whole also after an end that was cut off."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_lines import earlier_act

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import End, WatchlistOpen
from appliance.deployment.ending import certificate
from appliance.deployment.list_facts import UsedList
from appliance.deployment.store import Store


@pytest.fixture
def store(config: Any) -> Store:
    made = Store(config.alerts.state_dir)
    made.take_up(config)
    return made


def act(store: Store, name: str, **details: Any) -> None:
    store.audit.append(earlier_act(name, details), "PS Roy")


def wipe(store: Store, path: Path, stage: str, what: str = "sealing key") -> None:
    act(store, "wipe", what=what, path=str(path), bytes=10, stage=stage)


def test_before_any_end_it_says_that_there_was_none(config: Any, store: Store) -> None:
    made = certificate.build(config, store)
    assert not made.complete
    assert made.problems == ["It has not ended."]
    assert made.destroyed == []
    assert made.search is None
    assert certificate.load(config) is None
    assert not certificate.exists(config)


def test_a_destruction_that_was_begun_and_not_finished_is_named(config: Any, store: Store, tmp_path: Path) -> None:
    wipe(store, tmp_path / "a.key", "begin")
    wipe(store, tmp_path / "a.key", "done")
    wipe(store, tmp_path / "a.lfrw", "begin", "sealed watchlist")
    act(store, "end", problems=[])
    made = certificate.build(config, store)
    assert [(item.what, item.done) for item in made.destroyed] == [("sealing key", True), ("sealed watchlist", False)]
    assert made.problems == [f"{tmp_path / 'a.lfrw'} was begun to be destroyed, and not finished."]
    assert made.destroyed[0].checked == "the file is gone"


def test_a_file_of_that_name_that_came_back_is_said(config: Any, store: Store, tmp_path: Path) -> None:
    wipe(store, tmp_path / "a.key", "done")
    (tmp_path / "a.key").touch()
    act(store, "end", problems=[])
    assert "is there again" in certificate.build(config, store).destroyed[0].checked


def test_only_the_newest_end_counts_but_for_the_quality_report_before_it(
    config: Any, store: Store, tmp_path: Path
) -> None:
    wipe(store, tmp_path / "old.key", "done")
    wipe(store, tmp_path / "page.html", "done", certificate.QUALITY_REPORT)
    act(store, "end.begin")
    wipe(store, tmp_path / "new.key", "done")
    assert [Path(item.path).name for item in certificate.wiped(store.audit)] == ["page.html", "new.key"]
    act(store, "deployment.open", deployment="next-2")
    assert certificate.wiped(store.audit) == []


def test_purged_alerts_are_added_up_whether_they_were_named_or_counted(config: Any, store: Store) -> None:
    act(store, "purge", alerts=["a", "b"], kept_hours=24)
    act(store, "purge", alerts=3, ids=["c", "d", "e"])
    act(store, "end.begin")
    act(store, "purge", alerts=1, journal="destroyed")
    assert certificate.build(config, store).alerts_purged == 6


def test_remains_are_named_until_somebody_removed_them(config: Any, store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    act(store, "end.begin")
    assert certificate.remains(store.audit) == []
    act(store, "wipe.scan", files=1, bytes=2, searched_for=["a key"], found=1, remains=[str(copy)])
    act(store, "end", problems=[], remains={str(copy): ["a key"]})
    assert certificate.remains(store.audit) == [copy]
    assert not certificate.build(config, store).complete
    act(store, "end.cleared", gone=[str(copy)])
    made = certificate.build(config, store)
    assert made.complete
    assert str(copy) in made.remarks[0]
    assert certificate.remains(store.audit) == []


def test_a_search_that_could_not_look_for_the_destroyed_key_says_so(config: Any, store: Store, tmp_path: Path) -> None:
    act(store, "end.begin")
    wipe(store, tmp_path / "a.key", "done")
    act(store, "wipe.scan", files=1, bytes=2, searched_for=["sealed watchlist (end)"], found=0)
    act(store, "end", problems=[])
    assert certificate.CUT_OFF in certificate.build(config, store).remarks


def test_lists_are_told_by_digest_sequence_and_entries_only_and_read_back(config: Any, store: Store, now: Any) -> None:
    used = UsedList(digest="d" * 64, sequence=3, opened_at=now, entries=500, blue_ids=("BLUE-1",), builder="B. Builder")
    store.update(lambda state: state.with_list(used), WatchlistOpen(digest="d", entries=500), APPLIANCE)
    made = certificate.write(config, store, now)
    document = json.loads(certificate.paths(config)[0].read_text())
    assert list(document["lists"][0]) == ["digest", "sequence", "entries", "opened_at"]
    for path in certificate.paths(config):
        assert "BLUE-1" not in path.read_text()
        assert "B. Builder" not in path.read_text()
    read = certificate.load(config)
    assert read is not None
    assert (read.lists[0].entries, read.lists[0].opened_at) == (500, now)
    assert (read.audit_n, read.audit_head) == (made.audit_n, made.audit_head)
    assert certificate.exists(config)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"v": 1, "complete": "perhaps"}'])
def test_a_certificate_that_cannot_be_read_is_none(config: Any, store: Store, content: str) -> None:
    certificate.paths(config)[0].write_text(content)
    assert certificate.load(config) is None


def test_times_and_reason_are_those_of_the_state(config: Any, store: Store, now: Any) -> None:
    told = {"phase": "ended", "end_begun_at": now, "ended_at": now + timedelta(seconds=2), "end_by": "A. Shah",
            "end_reason": "over", "purge_at": now + timedelta(hours=24)}  # fmt: skip
    store.update(lambda state: state.model_copy(update=told), End(deployment="croydon-1", complete=True), APPLIANCE)
    made = certificate.build(config, store)
    assert (made.begun_at, made.by, made.reason) == (now, "A. Shah", "over")
    assert made.alerts_kept_until == now + timedelta(hours=24)
    assert made.alerts_purged_at is None
