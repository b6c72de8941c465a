"""What a hub is told when it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from appliance.config.live import Config


@dataclass(frozen=True)
class HubSettings:
    """What a hub process needs to know; can be sent to a spawned process.

    Attributes
    ----------
    runtime
        The supervisor's runtime folder: `hub` in it is the cameras' socket.
    publish, replay
        Endpoints of the contract in `stream.hub`.
    before_purge
        Called when alerts are about to be deleted, while the journal still holds them, for whoever keeps counts of
        them; can be sent to a spawned process, and raises nothing.
    supervised
        Send heartbeats, obey the supervisor and die with it.
    fault
        For tests: called with `committed` after each commit and with `acked` before publication.
    """

    state_dir: Path
    runtime: Path
    publish: str
    replay: str
    deployment: str
    cooldown_s: float = 60.0
    keep_hours: float = 24.0
    before_purge: Callable[[], object] | None = None
    supervised: bool = True
    fault: Callable[[str], None] | None = None

    @classmethod
    def from_config(
        cls,
        config: Config,
        runtime: Path,
        before_purge: Callable[[], object] | None = None,
    ) -> Self:
        """The settings that a configuration asks for."""
        return cls(
            state_dir=config.alerts.state_dir,
            runtime=runtime,
            publish=config.alerts.publish,
            replay=config.alerts.replay,
            deployment=config.deployment.id,
            cooldown_s=config.matching.cooldown_s,
            keep_hours=config.alerts.keep_hours,
            before_purge=before_purge,
        )

    @property
    def cameras(self) -> str:
        """The endpoint that cameras and supervisor send to."""
        return f"ipc://{self.runtime}/hub"
