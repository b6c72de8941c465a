"""The folders of runs: the living are left alone, what the dead left is nobody's, and nothing else is touched."""

from pathlib import Path

import pytest

from appliance.core.files import locked
from appliance.core.run_folders import LOCK_FILE, abandoned, run_folders, temporary_roots


def folder(root: Path, name: str, *, lock: bool = True) -> Path:
    made = root / name
    made.mkdir()
    if lock:
        (made / LOCK_FILE).touch()
    return made


def test_only_folders_whose_lock_nobody_holds_are_abandoned(tmp_path: Path) -> None:
    living, dead = folder(tmp_path, "lfr-living"), folder(tmp_path, "lfr-dead")
    with locked(living / LOCK_FILE):
        assert list(abandoned([tmp_path])) == [dead]
    assert set(abandoned([tmp_path])) == {living, dead}


def test_an_abandoned_folder_is_locked_while_it_is_being_removed(tmp_path: Path) -> None:
    dead = folder(tmp_path, "lfr-dead")
    found = abandoned([tmp_path])
    assert next(found) == dead
    assert list(abandoned([tmp_path])) == [], "somebody else is at it"
    found.close()  # type: ignore[attr-defined]
    assert list(abandoned([tmp_path])) == [dead]


def test_links_files_and_what_others_named_are_not_folders_of_runs(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = folder(elsewhere, "lfr-target")
    (tmp_path / "lfr-link").symlink_to(target)
    (tmp_path / "lfr-file").touch()
    folder(tmp_path, "other")
    unlocked = folder(tmp_path, "lfr-unlocked", lock=False)
    linked = folder(tmp_path, "lfr-linked", lock=False)
    (linked / LOCK_FILE).symlink_to(target / LOCK_FILE)
    assert set(run_folders([tmp_path])) == {unlocked, linked}
    assert list(abandoned([tmp_path])) == []
    assert run_folders([tmp_path / "nowhere"]) == []


def test_the_roots_are_those_of_this_user_that_are_there_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert temporary_roots() == [tmp_path, Path("/tmp")]
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    assert temporary_roots() == [tmp_path, Path("/tmp")]
