"""A state that was edited, removed or put back is not believed; a power cut between two files is mended."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from present import present

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import DeploymentStart, End, Purge
from appliance.audit.record import AuditRecord
from appliance.core.errors import AuthorityError
from appliance.deployment.state import DeploymentState, Store, Tally, UsedList, add_list, slot_of


@pytest.fixture
def store(config: Any) -> Any:
    made = Store(config.alerts.state_dir)
    made.take_up(config)
    return made


END = End(deployment="croydon-1", complete=True)


def run(store: Any) -> Any:
    start = DeploymentStart(deployment="croydon-1")
    return store.change(lambda state: state.model_copy(update={"phase": "running"}), start, APPLIANCE)


def test_taking_up_twice_changes_nothing(store: Any, config: Any) -> None:
    before = store.path.read_bytes()
    assert store.take_up(config).phase == "waiting"
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"v": 1, "deployment": "croydon-1"}'])
def test_an_edited_or_removed_state_is_refused(store: Any, content: Any) -> None:
    run(store)
    store.path.unlink()
    if content is not None:
        store.path.write_bytes(content)
    with pytest.raises(AuthorityError, match=r"audit record"):
        Store(store.state_dir).load()


def test_an_older_state_that_was_put_back_is_refused(store: Any) -> None:
    older = store.path.read_bytes()
    run(store)
    store.path.write_bytes(older)
    with pytest.raises(AuthorityError, match="something else changed it"):
        store.load()


def test_a_state_without_the_record_that_knows_it_is_refused(store: Any) -> None:
    store.audit.path.unlink()
    with pytest.raises(AuthorityError, match="knows nothing of it"):
        Store(store.state_dir).load()


def test_a_record_that_was_cut_together_with_its_head_does_not_fit_the_state(store: Any) -> None:
    run(store)
    assert store.verify().ok
    lines = store.audit.path.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])
    store.audit.path.write_bytes(lines[0])
    store.audit.head_path.write_text(f"{1:020d} {first['hash']}\n")
    assert store.audit.verify().ok
    assert "something else changed it" in Store(store.state_dir).verify().problems[0]
    store.audit.path.unlink()
    store.audit.head_path.unlink()
    assert "knows nothing of it" in Store(store.state_dir).verify().problems[0]


def test_a_pipe_in_the_place_of_the_state_is_refused_and_not_waited_for(store: Any) -> None:
    store.path.unlink()
    os.mkfifo(store.path)
    with pytest.raises(AuthorityError, match="is not a file"):
        store.load()
    assert store.peek() is None


def test_a_power_cut_between_record_and_file_is_mended(store: Any) -> None:
    older = store.path.read_bytes()
    run(store)
    newer = store.path.read_bytes()
    store.path.write_bytes(older)
    (store.state_dir / ".deployment.json.next").write_bytes(newer)
    assert present(Store(store.state_dir).load()).phase == "running"
    assert store.path.read_bytes() == newer


def test_a_power_cut_before_the_record_changes_nothing(store: Any) -> None:
    (store.state_dir / ".deployment.json.next").write_bytes(b'{"v": 1}')
    assert present(Store(store.state_dir).load()).phase == "waiting"


def test_a_change_is_seen_by_a_store_that_read_before(store: Any) -> None:
    reader = Store(store.state_dir)
    assert present(reader.load()).phase == "waiting"
    run(store)
    assert present(reader.load()).phase == "running"


def test_another_deployment_waits_for_the_purge_and_archives_what_was_there(
    store: Any, config: Any, make_config: Any
) -> None:
    other = make_config(deployment=dict(config.deployment.model_dump(), id="next-2"))
    with pytest.raises(AuthorityError, match="has not ended"):
        store.take_up(other)
    store.change(lambda state: state.model_copy(update={"phase": "ended"}), END, APPLIANCE)
    with pytest.raises(AuthorityError, match="still has alerts"):
        store.take_up(other)
    store.change(lambda state: state.model_copy(update={"phase": "purged"}), Purge(alerts=0), APPLIANCE)
    assert store.take_up(other).deployment == "next-2"
    archived = json.loads((store.state_dir / "archive" / "croydon-1" / "deployment.json").read_text())
    assert archived["phase"] == "purged"
    assert AuditRecord(store.state_dir).verify().ok


def test_a_list_is_remembered_by_counts_only(now: Any) -> None:
    people = [
        SimpleNamespace(id="W-1", category="violence", response="red", label="A name"),
        SimpleNamespace(id="W-2", category="missing", response="green", label="Another"),
        SimpleNamespace(id="B-1", category="officer", response="blue", label="PC Lee"),
    ]
    record = UsedList.of(people, "d" * 64, sequence=2)
    assert record.entries == 2
    assert record.by_category == {"missing": 1, "violence": 1}
    assert record.blue_ids == ("B-1",)
    assert "W-1" not in record.model_dump_json()
    assert "name" not in record.model_dump_json()
    state = DeploymentState(deployment="x", opened_at=now)
    assert len(add_list(add_list(state, record), record).lists) == 1


def test_an_empty_list_is_counted(now: Any) -> None:
    assert UsedList.of([], "d").by_category == {}


def test_the_tally_adds_up_and_survives(tmp_path: Path, now: Any) -> None:
    tally = Tally(deployment="x")
    tally.add("north", 3, now, faces=5, frames=100)
    tally.add("north", 2, now, faces=1)
    tally.add("south", 0, now, frames=50)
    tally.save(tmp_path)
    read = Tally.load(tmp_path)
    assert read.people_seen == 5
    assert read.cameras["north"].faces == 6
    assert read.cameras["north"].slots == {slot_of(now): 5}
    assert read.cameras["south"].slots == {}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cameras": {"a": {"people_seen": -1}}}'])
def test_a_damaged_tally_reads_as_empty(tmp_path: Path, content: Any) -> None:
    (tmp_path / "tally.json").write_bytes(content)
    assert Tally.load(tmp_path).people_seen == 0
