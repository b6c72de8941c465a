"""Whether an appliance runs on a folder is told by its lock; it is asked to stop before it is killed."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from appliance.core.errors import LfrError
from appliance.core.files import locked
from appliance.deployment import running

RUNNER = """
import fcntl, os, signal, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, f"{os.getpid()}\\n".encode(), 0)
print("up", flush=True)
time.sleep(60)
"""


@contextmanager
def runner(state_dir: Path, manner: str = "polite") -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a folder as `lfr run` does."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(state_dir / "run.lock"), manner], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"up\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_nobody_holds_a_folder_that_is_not_there_nor_one_whose_run_is_over(tmp_path: Path) -> None:
    assert running.holder(tmp_path / "none") is None
    (tmp_path / "run.lock").write_text("4711\n")
    assert running.holder(tmp_path) is None
    assert not running.elsewhere(tmp_path)
    assert not running.stop(tmp_path)


def test_a_run_is_known_by_its_process_and_by_zero_where_the_lock_does_not_tell(tmp_path: Path) -> None:
    with runner(tmp_path) as process:
        assert running.holder(tmp_path) == process.pid
        assert running.elsewhere(tmp_path)
        (tmp_path / "run.lock").write_text("")
        assert running.holder(tmp_path) == 0
        assert running.elsewhere(tmp_path)


def test_this_processs_own_run_is_not_elsewhere_and_is_not_stopped(tmp_path: Path) -> None:
    with (tmp_path / "run.lock").open("w+") as lock:
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert running.holder(tmp_path) == os.getpid()
        assert not running.elsewhere(tmp_path)
        assert not running.stop(tmp_path)


@pytest.mark.parametrize(("manner", "ended_by"), [("polite", signal.SIGTERM), ("deaf", signal.SIGKILL)])
def test_it_is_asked_to_stop_and_killed_when_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str, ended_by: int
) -> None:
    monkeypatch.setattr(running, "STOP_S", 20.0 if manner == "polite" else 0.3)
    monkeypatch.setattr(running, "KILL_S", 20.0)
    told: list[str] = []
    with runner(tmp_path, manner) as process:
        assert running.stop(tmp_path, told.append)
        assert process.wait(20) == -ended_by
        assert told == [f"stopping the appliance (process {process.pid})"]


def test_what_cannot_be_signalled_and_does_not_let_go_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOP_S", 0.1)
    monkeypatch.setattr(running, "KILL_S", 0.1)
    with (tmp_path / "run.lock").open("w") as lock:  # names no process
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LfrError, match=r"Something .* still uses"):
            running.stop(tmp_path)


def test_another_users_appliance_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with (tmp_path / "run.lock").open("w+") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LfrError, match="belongs to another user"):
            running.stop(tmp_path)


def test_a_second_end_waits_for_the_first_and_gives_up_when_it_takes_too_long(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running.alone(state, 1.0), pytest.raises(LfrError, match="at work already"), running.alone(state, 0.0):
        pass
    inside, first_is_done = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with running.alone(state, 1.0):
            inside.set()
            first_is_done.wait(20)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    first_is_done.set()
    with running.alone(state, 30.0):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_no_run_can_begin_while_an_end_is_at_work(tmp_path: Path) -> None:
    with running.no_run(tmp_path), (tmp_path / "run.lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "run.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with running.no_run(tmp_path):
            pass  # a run that is there already is this process's own


def test_who_only_looks_whether_there_is_a_run_does_not_let_one_begin_beside_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOOKED_AT_S", 20.0)
    with ExitStack() as look, (tmp_path / "run.lock").open("w") as other:
        look.enter_context(locked(tmp_path / "run.lock", shared=True))
        looked = threading.Timer(0.2, look.close)
        looked.start()
        with running.no_run(tmp_path):
            looked.join()
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
