"""What one run holds on the machine: the lock on its state folder and a private folder for sockets."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import structlog

from appliance.core.errors import LfrError

log = structlog.get_logger()
PREFIX = "lfr-"
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
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(state_dir, error) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise LfrError(
                f"Another lfr run (process {pid}) is already using {state_dir}.",
                "Stop that one first, or give this configuration its own alerts.state_dir.",
            ) from None
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._fd)
            raise _unusable(state_dir, error) from None

    def close(self) -> None:
        """Let the next run begin."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def _unusable(state_dir: Path, error: OSError) -> LfrError:
    return LfrError(
        f"alerts.state_dir {state_dir} cannot be used: {(error.strerror or str(error)).lower()}.",
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
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        self._fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._fd)


def sweep(root: Path) -> int:
    """Remove the runtime folders of runs that died; returns how many."""
    removed = 0
    for folder in root.glob(f"{PREFIX}*"):
        lock = folder / "lock"
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not lock.is_file():
                continue
            fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
                log.info("removed the runtime folder of a run that died", folder=str(folder))
            finally:
                os.close(fd)
    return removed
