"""What one run holds on the machine: the lock on its state folder and a private folder for sockets."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import structlog

from appliance.core.errors import FileError, FileLocked, LfrError, reason_of
from appliance.core.files import locked, make_folder
from appliance.core.run_folders import LOCK_FILE, PREFIX, abandoned
from appliance.deployment.running import LOOKED_AT_S, RUN_LOCK

log = structlog.get_logger()
MAX_SOCKET_PATH = 100
"""A Unix socket's path has 108 bytes (unix(7)); the longest name below the folder is `/supervisor`."""


class RunLock:
    """Holds `run.lock` of a state folder, so that two runs never write one journal; the kernel lets go at death.

    Raises
    ------
    LfrError
        Another `lfr run` holds it, or the folder cannot be used.
    """

    def __init__(self, state_dir: Path) -> None:
        self._held = contextlib.ExitStack()
        path = state_dir / RUN_LOCK
        try:
            make_folder(state_dir)
            self._fd = self._held.enter_context(locked(path, wait_s=LOOKED_AT_S))
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except FileLocked:
            pid = path.read_bytes()[:32].decode(errors="replace").strip() or "unknown"
            raise LfrError(
                f"Another lfr run (process {pid}) is already using {state_dir}.",
                "Stop that one first, or give this configuration its own alerts.state_dir.",
            ) from None
        except (FileError, OSError) as error:
            self._held.close()
            raise _unusable(state_dir, error) from None

    def close(self) -> None:
        """Let the next run begin."""
        os.ftruncate(self._fd, 0)
        self._held.close()


def _unusable(state_dir: Path, error: FileError | OSError) -> LfrError:
    return LfrError(
        f"alerts.state_dir {state_dir} cannot be used: {reason_of(error).lower()}.",
        "It must be a folder that this user may write to, on a disk with room.",
    )


def _base() -> Path:
    chosen = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    base = Path(chosen)
    if not base.is_dir() or not os.access(base, os.W_OK) or len(chosen) > MAX_SOCKET_PATH - 24:
        base = Path("/tmp")  # noqa: S108  (mkdtemp below makes a private folder; the path must be short)
    return base


class RuntimeDir:
    """A folder for this run's sockets and the accepted watchlist, mode 0700, gone with the run.

    The folder is locked while the run lives: folders that nobody locks were left by runs that died, and are removed.
    """

    def __init__(self, base: Path | None = None) -> None:
        root = base or _base()
        sweep(root)
        # Under its name only once it is locked: a run that starts just then would take it for one that is left.
        new = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=root))
        self._held = contextlib.ExitStack()
        self._held.enter_context(locked(new / LOCK_FILE, wait_s=0))
        self.path = new.rename(root / new.name.removeprefix("."))

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()


def sweep(root: Path) -> int:
    """Remove the runtime folders of runs that died; returns how many."""
    removed = 0
    for folder in abandoned([root]):
        shutil.rmtree(folder, ignore_errors=True)
        removed += 1
        log.info("removed the runtime folder of a run that died", folder=str(folder))
    return removed
