"""Destroys files so that it can be proved: overwritten, removed, and each an act in the audit record."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import Wipe
from appliance.config.live import Config
from appliance.deployment.ending import certificate
from appliance.deployment.running import Step
from appliance.deployment.store import Store
from appliance.gallery.watchlist.sealed import companions
from appliance.security.encryption import shred

_RUNTIME_GLOB: Final = "lfr-*"


def exists(path: Path) -> bool:
    """Whether there is a file or a link, also one that leads nowhere."""
    return path.is_symlink() or path.exists()


class Destroyer:
    """Destroys files one by one, each with its acts in the audit record."""

    def __init__(self, store: Store, step: Step, problems: list[str]) -> None:
        self._store = store
        self._step = step
        self._problems = problems

    def destroy(self, what: str, path: Path) -> None:
        """Overwrite and remove a file (and what a link points to); a folder with everything in it."""
        if not exists(path):
            return
        if path.is_dir() and not path.is_symlink():
            for item in sorted(path.iterdir()):
                self.destroy(what, item)
            path.rmdir()
            return
        self._step(f"destroying the {what} {path}")
        facts: dict[str, Any] = {"what": what, "path": str(path)}
        target = path.resolve() if path.is_symlink() else path
        if target.is_file():
            facts["bytes"] = target.stat().st_size
            if what == "sealed watchlist":
                facts["sha256"] = _sha256(target)
        self._record("begin", facts)
        try:
            if path.is_symlink():
                path.unlink()
            if target.exists() or target.is_symlink():
                if stat.S_ISREG(target.stat().st_mode):
                    target.chmod(0o600)
                    shred(target)
                else:
                    target.unlink()
        except OSError as error:
            self._problems.append(f"{path} could not be destroyed: {error.strerror}.")
            return
        self._record("done", facts)

    def record_what_is_gone(self) -> None:
        """Record as done what an interrupted end had begun and is gone."""
        for item in certificate.wiped(self._store.audit):
            if not item.done and not exists(Path(item.path)):
                facts = {"what": item.what, "path": item.path, "bytes": item.bytes, "continued": True}
                self._record("done", facts)

    def _record(self, stage: str, facts: Mapping[str, Any]) -> None:
        self._store.audit.append(Wipe(stage=stage, **facts), APPLIANCE)


def sealed_files(config: Config) -> list[Path]:
    """The sealed watchlist, there or not, and the companions that are there."""
    return list(dict.fromkeys([config.watchlist.file, *companions(config.watchlist.file)]))


def left_over(config: Config) -> list[Path]:
    """What is there of sealing key, watchlist and companions."""
    return [path for path in (config.watchlist.key, *sealed_files(config)) if exists(path)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def temporary_roots() -> list[Path]:
    """Folders in which runs keep sockets and temporary files."""
    roots = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108  (looked at, not used)
    return [root for root in dict.fromkeys(Path(name) for name in roots if name) if root.is_dir()]


def runtime_folders() -> list[Path]:
    """This user's runtime folders, of runs living and dead."""
    folders = []
    for root in temporary_roots():
        for folder in root.glob(_RUNTIME_GLOB):
            with contextlib.suppress(OSError):
                if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                    folders.append(folder)
    return folders


def clear_runtime(destroyer: Destroyer) -> None:
    """Destroy the runtime folders of runs that are over: those whose lock nobody holds."""
    for folder in runtime_folders():
        lock_path = folder / "lock"
        if not lock_path.is_file():
            continue
        lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                destroyer.destroy("runtime folder's file", folder)
        finally:
            os.close(lock)
