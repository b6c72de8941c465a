"""What a lock and a runtime folder do when their owner is gone."""

import multiprocessing
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import LfrError
from appliance.core.files import locked
from appliance.deployment.running import holder
from appliance.supervision import run_folder
from appliance.supervision.run_folder import RunLock, RuntimeDir, sweep


def test_a_state_folder_is_locked_by_one_run_and_free_again_after_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = RunLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(LfrError, match=f"process {os.getpid()}"):
        RunLock(tmp_path)
    lock.close()
    assert holder(tmp_path) is None


def test_who_only_looks_whether_there_is_a_run_keeps_none_from_starting_and_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "LOOKED_AT_S", 20.0)
    RunLock(tmp_path).close()
    looking, looks = threading.Event(), threading.Event()

    def look() -> None:
        with locked(tmp_path / "run.lock", shared=True):
            looks.set()
            looking.wait(20)

    thread = threading.Thread(target=look)
    thread.start()
    assert looks.wait(20)
    assert holder(tmp_path) is None
    threading.Timer(0.1, looking.set).start()
    RunLock(tmp_path).close()
    thread.join()


def test_a_state_folder_that_cannot_be_one_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LfrError, match=r"alerts\.state_dir .*file/state cannot be used.*It must be a folder"):
        RunLock(tmp_path / "file" / "state")


def hold_and_die(state_dir: Path) -> None:
    held = RunLock(state_dir)
    assert held
    os._exit(7)


def test_the_lock_is_let_go_when_its_process_dies(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=hold_and_die, args=(tmp_path,))
    process.start()
    process.join(20)
    assert process.exitcode == 7
    RunLock(tmp_path).close()


def test_only_folders_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    mine = RuntimeDir(tmp_path)
    assert mine.path.stat().st_mode & 0o777 == 0o700
    left = tmp_path / "lfr-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "lfr-other").mkdir()
    (tmp_path / "lfr-link").symlink_to(left)
    assert sweep(tmp_path) == 1
    assert mine.path.exists()
    assert not left.exists()
    assert (tmp_path / "lfr-other").exists(), "a folder without our lock is not ours"
    assert (tmp_path / "lfr-link").is_symlink(), "a link is not followed"
    mine.close()
    assert not mine.path.exists()


def test_a_folder_is_swept_by_no_other_run_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[int] = []

    def lock(path: Path, **how: Any) -> AbstractContextManager[int]:
        path.touch()
        swept.append(sweep(tmp_path))
        return locked(path, **how)

    monkeypatch.setattr(run_folder, "locked", lock)
    made = RuntimeDir(tmp_path)
    assert swept == [0]
    assert list(tmp_path.iterdir()) == [made.path]
    assert sweep(tmp_path) == 0
    made.close()


def test_a_runtime_folder_leaves_room_for_a_sockets_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    made = RuntimeDir()
    try:
        assert not made.path.is_relative_to(deep)
        assert len(os.fsencode(made.path / "supervisor")) < 107
    finally:
        made.close()
