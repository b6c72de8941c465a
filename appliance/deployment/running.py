"""The appliance that runs on a state folder: whether there is one, how it is stopped and kept from starting."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance.core.errors import FileError, FileLocked, LfrError
from appliance.core.files import locked, make_folder

RUN_LOCK: Final = "run.lock"
"""Held by `lfr run` as long as it uses a state folder; its process id is in it."""
LOOKED_AT_S: Final = 0.5
"""Whoever looks whether there is a run (`holder`) holds its lock for a moment; a run is there for longer."""
STOP_S: Final = 10.0
KILL_S: Final = 5.0

Step = Callable[[str], None]
"""Told what comes next, for progress."""


def holder(state_dir: Path) -> int | None:
    """Process id of the `lfr run` that uses a state folder; None without one, 0 where it cannot be told."""
    path = state_dir / RUN_LOCK
    try:
        with locked(path, shared=True, wait_s=0, create=False):  # two that look are not each other's run
            return None
    except FileLocked:
        text = path.read_bytes()[:32].decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    except FileError:
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
    make_folder(state_dir)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(state_dir / "end.lock", wait_s=wait_s))
        except FileLocked:
            raise LfrError("Another lfr end is at work already.", "Wait for it, then ask again.") from None
        yield


@contextlib.contextmanager
def no_run(state_dir: Path) -> Iterator[None]:
    """Keep `lfr run` from starting meanwhile, unless this process is it."""
    ours = holder(state_dir) == os.getpid()
    with contextlib.ExitStack() as held:
        with contextlib.suppress(FileLocked):
            held.enter_context(locked(state_dir / RUN_LOCK, wait_s=0 if ours else LOOKED_AT_S))
        yield
