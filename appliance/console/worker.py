"""How the supervisor runs a console as a process of its own."""

from __future__ import annotations

from pathlib import Path

from appliance.config.live import Config
from appliance.console.settings import ConsoleSettings
from appliance.supervision.workers import WorkerSpec


def console_worker(config: Config, runtime: Path, demo_token: str | None = None) -> WorkerSpec | None:
    """The process of the configuration's console; None where it has no `console` section.

    Parameters
    ----------
    runtime
        The supervisor's runtime folder.
    demo_token
        As in `ConsoleSettings`.
    """
    if config.console is None:
        return None
    settings = ConsoleSettings.from_config(config, runtime, demo_token)
    return WorkerSpec("console", "appliance.console.server:serve", settings)
