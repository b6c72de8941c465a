"""What an appliance asks of a sealed list. Nothing is opened here: who asks need not have the means to open one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.config.live import WatchlistFile
from appliance.core.clock import utc_now
from appliance.gallery.limits import MAX_ENTRIES


@dataclass(frozen=True, slots=True)
class WatchlistPolicy:
    """What an appliance asks of a list before it opens it.

    Attributes
    ----------
    builders_dir, approvers_dir
        Folders of the public keys (`*.pub`) of people whose lists and approvals count.
    approvals
        How many distinct approvals it needs, none by its builder.
    deployment
        The id of the running deployment. A list that names none is taken only where `approvals` is 0: a trial.
    min_sequence
        The highest sequence that this appliance has used; a lower one is an older list put back.
    embedder_ref
        The running embedder, `name@sha12`; None skips the comparison.
    """

    builders_dir: Path
    approvers_dir: Path
    approvals: int
    deployment: str
    now: datetime
    min_sequence: int = 0
    max_entries: int = MAX_ENTRIES
    embedder_ref: str | None = None

    @classmethod
    def of(
        cls,
        section: WatchlistFile,
        deployment: str,
        *,
        embedder_ref: str | None,
        min_sequence: int = 0,
        now: datetime | None = None,
    ) -> WatchlistPolicy:
        """What the `watchlist` section of a configuration asks for, at a moment (default: now)."""
        whose = (section.builders_dir, section.approvers_dir, section.approvals)
        return cls(*whose, deployment, now or utc_now(), min_sequence, section.max_entries, embedder_ref)
