"""Deletes alerts whose time is over, and with the last of an ended deployment the journal and its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.alerts.journal import Journal, destroy_files
from appliance.audit.acts import Purge
from appliance.audit.record import record_purge
from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import JournalError, LfrError
from appliance.core.files import sync_folder
from appliance.deployment import running
from appliance.deployment.ending import certificate
from appliance.deployment.report import counts
from appliance.deployment.state import DeploymentState
from appliance.deployment.store import Store


@dataclass(frozen=True, slots=True)
class Purged:
    """What `purge` did, and until when alerts are kept (None: none are)."""

    alerts: int
    destroyed: bool
    kept_until: datetime | None

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if self.destroyed:
            return f"{self.alerts} alerts were purged; the journal and its key are destroyed."
        until = f"alerts are kept until {utc_text(self.kept_until)}" if self.kept_until else "no alerts are kept"
        return f"{self.alerts} alerts were purged; {until}."


def due_at(config: Config) -> datetime | None:
    """When the last alert must be gone; None when the deployment has not ended or no alert is kept."""
    state = Store(config.alerts.state_dir).read_unverified()
    if state is None or state.phase != "ended":
        return None
    try:
        return state.purge_at if counts.alerts_held(config) else None
    except JournalError:
        return state.purge_at


def purge(config: Config, by: str = "appliance", *, everything: bool = False, now: datetime | None = None) -> Purged:
    """Delete alerts whose time is over; once the deployment has ended and none is left, the journal and its key too.

    Only while no hub runs (a running hub purges by itself). The counts for the report are kept.

    Raises
    ------
    LfrError
        The appliance is running, or `everything` is asked for before the deployment has ended.
    """
    now = now or utc_now()
    state_dir = config.alerts.state_dir
    if running.elsewhere(state_dir):
        raise LfrError("The appliance is running and purges by itself.", "End it first: lfr end.")
    store = Store(state_dir)
    state = store.read_unverified()
    ended = state is not None and state.ended
    if everything and not ended:
        raise LfrError("The deployment has not ended.", "End it first: lfr end.")
    if not counts.journal_exists(config):
        if ended and state is not None and state.phase == "ended":
            _mark_purged(config, store, by, now, 0)
        return Purged(0, False, None)
    counts.freeze(config)
    due = everything or (state is not None and state.purge_at is not None and now >= state.purge_at)
    count = left = 0
    try:
        left = counts.alerts_held(config)
    except JournalError:
        if not (ended and due):
            raise  # else it cannot be read, but its time is over: it is destroyed all the same
    if not (ended and due):
        with Journal.open(state_dir) as journal:
            ids = journal.purge(now - timedelta(hours=config.alerts.keep_hours))
        count, left = len(ids), left - len(ids)
        record_purge(store.audit, by, ids, config.alerts.keep_hours)
    if ended and (due or left == 0):
        destroy_files(state_dir)
        _mark_purged(config, store, by, now, left)
        return Purged(count + left, True, None)
    return Purged(count, False, state.purge_at if ended and state is not None else None)


def _mark_purged(config: Config, store: Store, by: str, now: datetime, count: int) -> None:
    def change(state: DeploymentState | None) -> DeploymentState:
        state = state or DeploymentState(deployment=config.deployment.id, opened_at=now)
        return state.model_copy(update={"phase": "purged", "purged_at": now})

    store.change(change, Purge(alerts=count, journal="destroyed"), by, trusting=False)
    sync_folder(store.state_dir)
    certificate.write(config, store)
