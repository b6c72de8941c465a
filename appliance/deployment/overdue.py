"""Does what was due while nothing ran: an end that was interrupted or never came, and the purge of alerts."""

from __future__ import annotations

from datetime import datetime

from appliance.config.live import Config
from appliance.core.clock import utc_now
from appliance.deployment import authority, running
from appliance.deployment.end import end
from appliance.deployment.purge import purge
from appliance.deployment.running import Step
from appliance.deployment.store import Store


def catch_up(
    config: Config,
    by: str = "appliance",
    *,
    everything: bool = False,
    now: datetime | None = None,
    step: Step = lambda _: None,
) -> list[str]:
    """Do what an appliance owes that was off when it was due; for a timer, and by hand.

    An interrupted end is continued; a deployment that was running and whose window is over, or whose authority was
    withdrawn, is ended; alerts whose time is over are purged. A deployment that never started is left alone. Where the
    state is gone or cannot be believed, the audit record says whether recognition started, and the configuration when
    it was to end. A running appliance does all this by itself.

    Parameters
    ----------
    everything
        Purge all alerts of the ended deployment too, before their time, in the name of `by`.

    Returns
    -------
    What was done, a sentence each.

    Raises
    ------
    LfrError
        Something could not be destroyed; or `everything` is asked for while the appliance runs, or before the end.
    """
    now = now or utc_now()
    if not everything and running.elsewhere(config.alerts.state_dir):
        return ["The appliance is running and purges by itself."]
    done = [] if running.elsewhere(config.alerts.state_dir) else _catch_up(config, now, step)
    if everything:
        done.append(purge(config, by, everything=True, now=now).sentence)
    return done


def _catch_up(config: Config, now: datetime, step: Step) -> list[str]:
    store = Store(config.alerts.state_dir)
    state = store.load_or_none()
    done: list[str] = []
    purged = None
    if state is not None and state.deployment == config.deployment.id:
        begun = state.phase == "ending"
        over = state.phase == "running" and authority.window(config, state).at(now) == "ended"
        if begun or over or (state.revocation is not None and state.phase in ("waiting", "running")):
            reason = state.end_reason or "the end time came while the appliance was off"
            if state.revocation is not None and not begun:
                reason = f"revoked by {state.revocation.by}: {state.revocation.reason}"
            purged = end(config, state.end_by or "appliance", reason, now=now, step=step).purged
            done.append(f"Ended {state.deployment}: {reason}.")
    elif state is None and _left_running(config, store) and authority.window(config).at(now) == "ended":
        reason = "the end time came while the appliance was off, and the state of the deployment cannot be believed"
        purged = end(config, "appliance", reason, now=now, step=step).purged
        done.append(f"Ended {config.deployment.id}: {reason}.")
    purged = purged or purge(config, now=now)
    if purged.alerts or purged.destroyed:
        done.append(purged.sentence)
    return done


def _left_running(config: Config, store: Store) -> bool:
    """Whether the last that the audit record tells of this deployment is a start, or an end that was not finished."""
    last = store.audit.newest(lambda record: record.act in ("deployment.start", "end.begin", "end"))
    return last is not None and last.act != "end" and last.details.get("deployment") == config.deployment.id
