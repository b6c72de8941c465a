"""A state that was edited, removed or put back is not believed; a power cut between two files is mended."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from present import present

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import DeploymentStart, End, EndBegin, Purge, WatchlistOpen
from appliance.audit.record import AuditRecord
from appliance.core.clock import utc_now
from appliance.core.errors import AuthorityError
from appliance.deployment.list_facts import UsedList
from appliance.deployment.store import Store


@pytest.fixture
def store(config: Any) -> Any:
    made = Store(config.alerts.state_dir)
    made.take_up(config)
    return made


def run(store: Any) -> Any:
    return store.update(
        lambda state: state.model_copy(update={"phase": "running"}),
        DeploymentStart(deployment="croydon-1"),
        APPLIANCE,
    )


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
    assert store.read_unverified() is None


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
    store.update(
        lambda state: state.model_copy(update={"phase": "ended"}),
        End(deployment="croydon-1", complete=True),
        APPLIANCE,
    )
    with pytest.raises(AuthorityError, match="still has alerts"):
        store.take_up(other)
    store.update(
        lambda state: state.model_copy(update={"phase": "purged"}),
        Purge(alerts=0, journal="destroyed"),
        APPLIANCE,
    )
    assert store.take_up(other).deployment == "next-2"
    archived = json.loads((store.state_dir / "archive" / "croydon-1" / "deployment.json").read_text())
    assert archived["phase"] == "purged"
    assert AuditRecord(store.state_dir).verify().ok


def test_the_newest_sequence_is_that_of_the_deployment_asked_for(store: Any) -> None:
    assert store.newest_sequence("croydon-1") == 0
    for sequence in (7, 5):
        used = UsedList(digest=f"d{sequence}", sequence=sequence, opened_at=utc_now(), entries=1)
        store.update(lambda state, used=used: state.with_list(used), WatchlistOpen(digest="d", entries=1), APPLIANCE)
    assert store.newest_sequence("croydon-1") == 7
    assert store.newest_sequence("another-1") == 0


def test_a_folder_that_knows_no_deployment_has_no_state_and_is_not_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert store.load() is None
    assert store.newest_sequence("croydon-1") == 0
    assert not store.state_dir.exists()


def test_an_edited_state_is_read_for_the_end_but_not_relied_on(store: Any) -> None:
    store.path.write_bytes(store.path.read_bytes().replace(b"waiting", b"running"))
    assert store.load_or_none() is None
    assert present(store.read_unverified()).phase == "running"
    with pytest.raises(AuthorityError):
        run(store)
    begin = EndBegin(deployment="croydon-1", reason="it was edited")
    changed = store.change(
        lambda state: present(state).model_copy(update={"phase": "ending"}), begin, APPLIANCE, trusting=False
    )
    assert (changed.phase, present(store.load()).phase) == ("ending", "ending")


def test_a_change_that_raises_changes_nothing(store: Any) -> None:
    before = (store.path.read_bytes(), store.audit.path.read_bytes())

    def refuse(_: Any) -> Any:
        raise AuthorityError("No.")

    with pytest.raises(AuthorityError, match="No"):
        store.change(refuse, DeploymentStart(deployment="croydon-1"), APPLIANCE)
    assert (store.path.read_bytes(), store.audit.path.read_bytes()) == before


def test_only_a_state_that_is_there_can_be_updated(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    with pytest.raises(AuthorityError, match="state is gone"):
        store.update(lambda state: state, DeploymentStart(deployment="croydon-1"), APPLIANCE)
    assert not store.path.exists()
    assert not store.audit.path.exists()
