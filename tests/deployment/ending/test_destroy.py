"""What is destroyed is overwritten, removed and recorded, before and after; runs that live keep their folder."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from appliance.deployment.ending import destroy
from appliance.deployment.ending.destroy import Destroyer
from appliance.deployment.store import Store


@pytest.fixture
def store(config: Any) -> Store:
    made = Store(config.alerts.state_dir)
    made.take_up(config)
    return made


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def destroyer(store: Store, problems: list[str]) -> Destroyer:
    return Destroyer(store, lambda _: None, problems)


def stages(store: Store, path: Path) -> list[str]:
    records = [record for record in store.audit.records() if record.act == "wipe"]
    return [str(record.details["stage"]) for record in records if record.details["path"] == str(path)]


def test_a_files_bytes_are_overwritten_before_it_is_removed(
    store: Store, destroyer: Destroyer, problems: list[str], tmp_path: Path
) -> None:
    path, held = tmp_path / "a.key", tmp_path / "held"
    path.write_bytes(b"secret" * 100)
    os.link(path, held)  # another name of the same bytes
    destroyer.destroy("sealing key", path)
    assert not path.exists()
    assert b"secret" not in held.read_bytes()
    assert stages(store, path) == ["begin", "done"]
    assert problems == []


def test_what_is_not_there_is_no_act(store: Store, destroyer: Destroyer, tmp_path: Path) -> None:
    destroyer.destroy("sealing key", tmp_path / "none")
    assert stages(store, tmp_path / "none") == []


def test_a_link_goes_with_what_it_points_to_and_one_that_leads_nowhere_goes_too(
    destroyer: Destroyer, problems: list[str], tmp_path: Path
) -> None:
    real, link, stray = tmp_path / "real", tmp_path / "link", tmp_path / "stray"
    real.write_bytes(b"x")
    link.symlink_to(real)
    stray.symlink_to(tmp_path / "gone")
    assert destroy.exists(stray)
    for path in (link, stray):
        destroyer.destroy("sealed watchlist", path)
        assert not path.is_symlink()
    assert not real.exists()
    assert problems == []


def test_a_folder_goes_with_everything_in_it_and_a_pipe_is_not_waited_for(
    destroyer: Destroyer, problems: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"x")
    os.mkfifo(folder / "pipe")
    destroyer.destroy("runtime folder's file", folder)
    assert not folder.exists()
    assert problems == []


def test_what_cannot_be_destroyed_is_a_problem_and_stays_begun(
    store: Store, destroyer: Destroyer, problems: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(b"x")

    def refuse(_: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(destroy, "overwrite_and_remove", refuse)
    destroyer.destroy("sealing key", path)
    assert problems == [f"{path} could not be destroyed: Operation not permitted."]
    assert stages(store, path) == ["begin"]
    destroyer.record_what_is_gone()
    assert stages(store, path) == ["begin"], "it is still there"
    path.unlink()
    destroyer.record_what_is_gone()
    destroyer.record_what_is_gone()
    assert stages(store, path) == ["begin", "done"], "once"


def test_only_the_sealed_list_is_recorded_with_its_hash(store: Store, destroyer: Destroyer, tmp_path: Path) -> None:
    for what in ("sealed watchlist", "sealing key"):
        (tmp_path / what).write_bytes(b"x")
        destroyer.destroy(what, tmp_path / what)
    hashed = {record.details["what"]: "sha256" in record.details for record in store.audit.records()
              if record.act == "wipe"}  # fmt: skip
    assert hashed == {"sealed watchlist": True, "sealing key": False}


def test_only_folders_of_runs_that_are_over_are_cleared(destroyer: Destroyer, tmp_path: Path) -> None:
    roots = tmp_path / "tmp"
    for name in ("lfr-over", "lfr-alive", "lfr-no-run", "other"):
        (roots / name).mkdir()
        (roots / name / "file").write_bytes(b"x")
    for name in ("lfr-over", "lfr-alive", "other"):
        (roots / name / "lock").touch()
    (roots / "lfr-link").symlink_to(roots / "other")
    with (roots / "lfr-alive" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        destroy.clear_runtime(destroyer)
    assert sorted(path.name for path in roots.iterdir()) == ["lfr-alive", "lfr-link", "lfr-no-run", "other"]
    assert (roots / "other" / "file").exists()


def test_what_is_left_over_is_key_list_and_companions(on_disk: Any) -> None:
    names = {path.name for path in destroy.left_over(on_disk)}
    assert names == {"seal.key", "croydon.lfrw", "croydon.lfrw.report.html", "croydon.lfrw.cache"}
    for path in destroy.left_over(on_disk):
        path.unlink()
    assert destroy.left_over(on_disk) == []
    assert destroy.sealed_files(on_disk) == [on_disk.watchlist.file], "named also when it is gone"
