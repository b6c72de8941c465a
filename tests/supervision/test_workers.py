"""How long a restart waits, and what a lock and a runtime folder do when their owner is gone."""

import os
from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import LfrError
from appliance.deployment.running import holder
from appliance.supervision.run_folder import RunLock, RuntimeDir, sweep
from appliance.supervision.workers import RestartPolicy


def test_the_wait_before_a_restart_doubles_up_to_a_cap() -> None:
    policy = RestartPolicy(first_delay_s=0.5, max_delay_s=8, jitter=0)
    assert [policy.delay_s(losses, 0.3) for losses in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)])
def test_the_wait_is_jittered_so_that_processes_do_not_all_start_at_once(draw: Any, wait: Any) -> None:
    assert RestartPolicy(first_delay_s=1, jitter=0.25).delay_s(1, draw) == wait


def test_a_state_folder_is_locked_by_one_run_and_free_again_after_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = RunLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(LfrError, match=f"process {os.getpid()}"):
        RunLock(tmp_path)
    lock.close()
    assert holder(tmp_path) is None


def test_only_folders_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    mine = RuntimeDir(tmp_path)
    assert mine.path.stat().st_mode & 0o777 == 0o700
    left = tmp_path / "lfr-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "lfr-other").mkdir()
    assert sweep(tmp_path) == 1
    assert mine.path.exists()
    assert not left.exists()
    assert (tmp_path / "lfr-other").exists(), "a folder without our lock is not ours"
    mine.close()
    assert not mine.path.exists()
