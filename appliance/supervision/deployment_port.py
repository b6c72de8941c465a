"""What the supervisor asks of the other rooms, as one protocol: authority, watchlist, guard and end.

`supervision.live_deployment.LiveDeployment` is the real one; tests hand the supervisor a scripted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from appliance.deployment.authority import Window
from appliance.deployment.list_facts import OpenedList
from appliance.supervision.workers import WorkerSpec


@dataclass(frozen=True)
class GuardFacts:
    """How the false-alert rate stands.

    Attributes
    ----------
    rate, interval
        None while there is none, or none is known.
    breach
        It is above the limit with 95 % confidence.
    unknown
        People could not be counted.
    """

    rate: float | None = None
    interval: tuple[float, float] | None = None
    breach: bool = False
    stop: bool = False
    sentence: str = ""
    unknown: bool = False


class SpecsPort(Protocol):
    """How the processes of a run are made."""

    def hub(self, runtime: Path) -> WorkerSpec:
        """How the hub is made."""
        ...

    def console(self, runtime: Path) -> WorkerSpec | None:
        """How the console is made; None when none is configured."""
        ...

    def camera(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        """How a camera process is made that opens the accepted list at `sealed`."""
        ...


class DeploymentPort(Protocol):
    """The deployment as the supervisor sees it."""

    @property
    def specs(self) -> SpecsPort:
        """How its processes are made."""
        ...

    def prepare(self) -> None:
        """Take up the record of the deployment."""
        ...

    def window(self) -> Window:
        """The window as it is now; read anew from disk at each call."""
        ...

    def require(self) -> None:
        """Raise `ModelError` or `AuthorityError` unless models and record allow recognition (the moment aside)."""
        ...

    def started(self) -> None:
        """Record that recognition starts, with models and thresholds."""
        ...

    def open_list(self, path: Path) -> OpenedList:
        """Open, check and wipe a sealed watchlist; raises `WatchlistError` or `SecretError` with its own sentence."""
        ...

    def list_opened(self, facts: OpenedList, before: OpenedList | None) -> None:
        """Record that a list is in use (and what changed from the one before)."""
        ...

    def people_base(self) -> dict[str, int]:
        """People seen by camera in earlier runs of this deployment."""
        ...

    def uncertain_base(self) -> int:
        """Of the people seen in earlier runs, how many may have been counted before."""
        ...

    def save_tally(self, seen: dict[str, dict[str, int]]) -> None:
        """Keep what was counted in this run: camera to its counts."""
        ...

    def guard(self, people_seen: int, uncertain: int) -> GuardFacts:
        """Judge the false-alert rate, among the people seen in the whole deployment."""
        ...

    def end(self, reason: str) -> None:
        """Destroy what the end of a deployment destroys; harmless when it happened already."""
        ...

    def kept_until(self) -> datetime | None:
        """When the last alert must be gone; None when none is kept."""
        ...

    def purge(self) -> None:
        """Delete alerts whose time is over. Only while no hub runs."""
        ...
