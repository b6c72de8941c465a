"""What the supervisor's loop runs on: how often and how long, what is due, and which signals came."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from types import FrameType


@dataclass(frozen=True)
class Intervals:
    """How often and how long, in seconds; the defaults are the appliance's own.

    Attributes
    ----------
    cameras_stop_s, hub_stop_s
        How long a process may take to flush and leave before it is killed; together under the five seconds in which
        the whole appliance must be gone.
    drain_s
        How long the hub may take to come to rest after the last source ended.
    """

    round_s: float = 0.1
    status_s: float = 1.0
    list_s: float = 2.0
    tally_s: float = 5.0
    guard_s: float = 2.0
    countdown_s: float = 300.0
    cameras_stop_s: float = 2.5
    hub_stop_s: float = 1.5
    drain_s: float = 10.0
    purge_s: float = 30.0


class Schedule:
    """Says when something that is done at intervals is due."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def due(self, what: str, every_s: float, now: float) -> bool:
        """Whether `what` was not done in the last `every_s`; if so, it counts as done now."""
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_s
        return True


class Stopped(BaseException):
    """A signal came before the loop ran."""


@dataclass
class Signals:
    """Counts SIGTERM and SIGINT; the second one means at once.

    Attributes
    ----------
    preparing
        Until it is set to False a signal raises `Stopped`, so that a slow start can be interrupted.
    """

    count: int = 0
    preparing: bool = True
    _before: dict[int, object] = field(default_factory=dict)

    def install(self) -> None:
        """Begin to count."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._came)

    def restore(self) -> None:
        """Put back what was there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _came(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        if self.preparing:
            raise Stopped(number)
