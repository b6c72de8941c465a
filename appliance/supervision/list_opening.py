"""A sealed list → what the supervisor remembers of it: ids and counts, never a picture or a template.

The list is opened in a process of its own, so that neither its key nor anybody's template is ever in the supervisor's
memory, and a list of 10,000 people makes it no larger.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from appliance.deployment.list_facts import OpenedList
from appliance.supervision.own_process import call_in_own_process

if TYPE_CHECKING:
    from appliance.gallery.watchlist.policy import WatchlistPolicy


def open_elsewhere(path: Path, key: Path, policy: WatchlistPolicy, named: Path | None = None) -> OpenedList:
    """Open, check and overwrite a sealed list in another process; what is remembered of it.

    Errors call the file `named`, where it is a copy of what its owner knows by that name.

    Raises
    ------
    WatchlistError, SecretError
        It cannot be opened or trusted.
    ProcessLost
        The process that opened it was lost, for lack of memory perhaps.
    """
    return call_in_own_process("watchlist", _open, path, key, policy, named)


def _open(path: Path, key: Path, policy: WatchlistPolicy, named: Path | None) -> OpenedList:
    from appliance.gallery.watchlist.sealed import open_sealed

    opened = open_sealed(path, key, policy, named)
    try:
        return OpenedList.of(opened)
    finally:
        opened.wipe()
