"""The appliance that runs on a state folder: whether there is one, how it is stopped and kept from starting."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance.core.errors import LfrError

STOP_S: Final = 10.0
KILL_S: Final = 5.0

Step = Callable[[str], None]
"""Told what comes next, for progress."""


def holder(state_dir: Path) -> int | None:
    """Process id of the `lfr run` that uses a state folder; None without one, 0 where it cannot be told."""
    try:
        lock = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(lock)
    return None


def elsewhere(state_dir: Path) -> bool:
    """Whether another process than this one runs the appliance on a state folder."""
    return holder(state_dir) not in (None, os.getpid())


def stop(state_dir: Path, step: Step = lambda _: None) -> bool:
    """Stop a running appliance: asked first, killed after `STOP_S` seconds; True when there was one.

    Raises
    ------
    LfrError
        It belongs to another user, or does not let go of the folder.
    """
    pid = holder(state_dir)
    if pid is None or pid == os.getpid():
        return False
    step(f"stopping the appliance (process {pid})")
    for number, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, KILL_S)):
        try:
            if pid > 1:
                os.kill(pid, number)
        except ProcessLookupError:
            pass  # it is gone already; the lock follows
        except PermissionError:
            raise LfrError(
                f"The appliance (process {pid}) belongs to another user.", "Run lfr end as that user, or as root."
            ) from None
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if holder(state_dir) is None:
                return True
            time.sleep(0.05)
    raise LfrError(
        f"Something (process {pid or 'unknown'}) still uses {state_dir}.", "Stop it by hand, then run lfr end again."
    )


@contextlib.contextmanager
def alone(state_dir: Path, wait_s: float) -> Iterator[None]:
    """Only one end at a time; a second one waits for the first."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(state_dir / "end.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LfrError("Another lfr end is at work already.", "Wait for it, then ask again.") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def no_run(state_dir: Path) -> Iterator[None]:
    """Keep `lfr run` from starting meanwhile, unless this process is it."""
    lock = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)
