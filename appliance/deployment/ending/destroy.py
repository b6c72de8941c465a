"""Destroys files so that it can be proved: overwritten, removed, and each an act in the audit record."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.audit.act import APPLIANCE
from appliance.audit.acts import Wipe
from appliance.config.live import Config
from appliance.core import run_folders
from appliance.core.errors import FileError, reason_of
from appliance.core.files import overwrite_and_remove
from appliance.deployment.ending import certificate
from appliance.deployment.running import Step
from appliance.deployment.store import Store
from appliance.gallery.watchlist.companions import companions


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
                    overwrite_and_remove(target)
                else:
                    target.unlink()
        except (FileError, OSError) as error:
            self._problems.append(f"{path} could not be destroyed: {reason_of(error)}.")
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


def clear_runtime(destroyer: Destroyer) -> None:
    """Destroy the folders of runs that are over: those whose lock nobody holds."""
    for folder in run_folders.abandoned(run_folders.temporary_roots()):
        destroyer.destroy("runtime folder's file", folder)
