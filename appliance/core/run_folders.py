"""The private folders of runs (sockets, the accepted watchlist) and what runs that died left of them.

A run holds the lock of `lock` in its folder as long as it lives: a folder that nobody locks is nobody's any more.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from appliance.core.errors import FileError
from appliance.core.files import locked

PREFIX: Final = "lfr-"
LOCK_FILE: Final = "lock"


def temporary_roots() -> list[Path]:
    """Folders in which runs keep sockets and temporary files."""
    roots = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108  (looked at, not used)
    return [root for root in dict.fromkeys(Path(name) for name in roots if name) if root.is_dir()]


def run_folders(roots: Iterable[Path]) -> list[Path]:
    """This user's folders of runs, living and dead."""
    folders = []
    for root in roots:
        for folder in root.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                    folders.append(folder)
    return folders


def abandoned(roots: Iterable[Path]) -> Iterator[Path]:
    """Those whose run is over, each locked while the caller removes it."""
    for folder in run_folders(roots):
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(folder / LOCK_FILE, wait_s=0, create=False))
            except FileError:
                continue
            yield folder
