"""A withdrawn authority ends the deployment, by the appliance that runs or without it."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from appliance.core.errors import AuthorityError
from appliance.deployment import running, withdraw
from appliance.deployment.end import end
from appliance.deployment.store import Store


def test_where_nothing_runs_it_is_ended_at_once_with_the_reason(on_disk: Any) -> None:
    told: list[str] = []
    done = withdraw.withdraw(on_disk, "C. Hale", "complaint upheld", step=told.append)
    assert done.complete
    assert not on_disk.watchlist.key.exists()
    state = Store(on_disk.alerts.state_dir).load()
    assert state is not None
    assert state.revocation is not None
    assert (state.revocation.by, state.end_reason) == ("C. Hale", "revoked by C. Hale: complaint upheld")
    assert not any("waiting" in step for step in told)


@pytest.mark.parametrize(("by", "reason"), [("", "complaint upheld"), ("C. Hale", "  "), ("tbd", "complaint")])
def test_without_name_or_reason_nothing_is_withdrawn(on_disk: Any, by: str, reason: str) -> None:
    with pytest.raises(AuthorityError, match="is empty"):
        withdraw.withdraw(on_disk, by, reason)
    assert on_disk.watchlist.key.exists()


def test_what_has_ended_cannot_be_withdrawn(on_disk: Any) -> None:
    end(on_disk)
    with pytest.raises(AuthorityError, match="has ended already"):
        withdraw.withdraw(on_disk, "C. Hale", "complaint upheld")


def appliance(config: Any, obeys: bool) -> None:
    """Holds the state folder as a run does; where it obeys, it ends the deployment when its authority is gone."""
    import fcntl

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    lock = os.open(config.alerts.state_dir / "run.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    store = Store(config.alerts.state_dir)
    while True:
        state = store.load_or_none()
        if obeys and state is not None and state.revocation is not None and not state.ended:
            end(config, "appliance", "revoked")
        time.sleep(0.02)


@pytest.mark.parametrize("obeys", [True, False], ids=["ends by itself", "has to be stopped"])
def test_a_running_appliance_is_given_time_to_end_by_itself(
    on_disk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, obeys: bool
) -> None:
    state_dir = on_disk.alerts.state_dir
    Store(state_dir).take_up(on_disk)
    monkeypatch.setattr(withdraw, "PATIENCE_S", 30.0 if obeys else 0.3)
    process = multiprocessing.get_context("fork").Process(target=appliance, args=(on_disk, obeys), daemon=True)
    process.start()
    try:
        until(lambda: running.holder(state_dir) == process.pid)
        told: list[str] = []
        done = withdraw.withdraw(on_disk, "C. Hale", "complaint upheld", step=told.append)
        assert told[0] == "waiting for the appliance to stop"
        assert done.complete
        assert done.already == obeys
        assert process.is_alive() == obeys, "one that ended by itself goes on to serve its alerts"
    finally:
        process.kill()
        process.join()
