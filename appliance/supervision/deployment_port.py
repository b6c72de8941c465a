"""What the supervisor asks of the other rooms, as one protocol: authority, watchlist, audit record, guard and end.

`supervision.live_deployment.LiveDeployment` is the real one; tests hand the supervisor a scripted one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from appliance.supervision.workers import WorkerSpec


@dataclass(frozen=True)
class Window:
    """When recognition may run.

    Attributes
    ----------
    ends
        With extensions.
    over
        Why it ended before `ends` (ended by hand, authority withdrawn); empty while it has not.
    """

    starts: datetime
    ends: datetime
    over: str = ""


@dataclass(frozen=True)
class ListFacts:
    """What the supervisor remembers of a watchlist: identifiers and counts, no picture and no template."""

    digest: str
    sequence: int
    ids: frozenset[str]
    counts: dict[str, int]
    expires_at: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


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


class DeploymentPort(Protocol):
    """The deployment as the supervisor sees it."""

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

    def open_list(self, path: Path) -> ListFacts:
        """Open, check and wipe a sealed watchlist; raises `WatchlistError` or `SecretError` with its own sentence."""
        ...

    def list_opened(self, facts: ListFacts, before: ListFacts | None) -> None:
        """Record that a list is in use (and what changed from the one before)."""
        ...

    def record(self, act: str, **details: Any) -> None:
        """Write one act of the appliance into the audit record."""
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

    def hub_spec(self, runtime: Path) -> WorkerSpec:
        """How the hub is made."""
        ...

    def console_spec(self, runtime: Path) -> WorkerSpec | None:
        """How the console is made; None when none is configured."""
        ...

    def camera_spec(self, name: str, runtime: Path, sealed: Path) -> WorkerSpec:
        """How a camera process is made that opens the accepted list at `sealed`."""
        ...
