"""A sealed list → what the supervisor remembers of it: ids and counts, never a picture or a template.

The list is opened in a process of its own, so that neither its key nor anybody's template is ever in the supervisor's
memory, and a list of 10,000 people makes it no larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.deployment.state import UsedList
from appliance.supervision.deployment_port import ListFacts
from appliance.supervision.own_process import call_in_own_process


def read_facts(path: Path, key: Path, policy: Mapping[str, Any]) -> tuple[ListFacts, UsedList]:
    """Open, check and overwrite a sealed list elsewhere; its facts, and what the deployment's record keeps of it.

    Parameters
    ----------
    policy
        What `open_sealed` is to check, by the names of its parameters.

    Raises
    ------
    WatchlistError, SecretError
        It cannot be opened or trusted.
    ProcessLost
        The process that opened it was lost, for lack of memory perhaps.
    """
    return call_in_own_process("watchlist", _read, path, key, policy)


def _read(path: Path, key: Path, policy: Mapping[str, Any]) -> tuple[ListFacts, UsedList]:
    from appliance.gallery.watchlist.sealed import open_sealed

    opened = open_sealed(path, key, **policy)
    try:
        used = UsedList.of(
            opened.entries,
            opened.digest,
            sequence=opened.sequence,
            photos=len(opened.portraits),
            builder=opened.builder,
            approvals=[approval.name for approval in opened.approvals],
            embedder=opened.embedder,
        )
        facts = ListFacts(
            digest=opened.digest,
            sequence=opened.sequence,
            ids=frozenset(entry.id for entry in opened.entries),
            counts=dict(used.by_category),
            expires_at=opened.expires_at,
            details={"expired_ids": list(opened.expired_ids)},
        )
    finally:
        opened.wipe()
    return facts, used
