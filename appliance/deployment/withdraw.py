"""Withdraws the authority of a deployment: recorded first, then ended, by the appliance that runs or by us."""

from __future__ import annotations

import time
from typing import Final

from appliance.config.live import Config
from appliance.deployment import authority, running
from appliance.deployment.end import Ended, end
from appliance.deployment.running import Step
from appliance.deployment.store import Store

PATIENCE_S: Final = 20.0
"""How long a running appliance may take to end by itself; then it is stopped."""


def withdraw(config: Config, by: str, reason: str, *, step: Step = lambda _: None) -> Ended:
    """Withdraw the authority and see to the end: recognition stops, watchlist and key are destroyed.

    A running appliance ends the deployment by itself and goes on serving its alerts; one that does not within
    `PATIENCE_S` is stopped.

    Raises
    ------
    AuthorityError
        Name or reason is empty, or the deployment has ended.
    LfrError
        The appliance cannot be stopped, or a file cannot be destroyed.
    """
    authority.revoke(config, by, reason)
    _wait_for_its_own_end(config, step)
    return end(config, by, f"revoked by {by}: {reason}", step=step)


def _wait_for_its_own_end(config: Config, step: Step) -> None:
    store, until = Store(config.alerts.state_dir), time.monotonic() + PATIENCE_S
    if running.holder(config.alerts.state_dir) is None:
        return
    step("waiting for the appliance to stop")
    while time.monotonic() < until and running.holder(config.alerts.state_dir) is not None:
        state = store.read_unverified()
        if state is not None and state.ended:
            return
        time.sleep(0.2)
