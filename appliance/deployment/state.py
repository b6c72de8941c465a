"""Where a deployment stands, besides what the configuration says: its phase, extensions, end, and the lists it used."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.alerts.messages import Phase
from appliance.core.clock import Moment
from appliance.deployment.list_facts import UsedList

StatePhase = Phase | Literal["ending"]
"""The phases that a status tells, and `ending`: being destroyed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Extension(_Part):
    """A later end, authorised anew."""

    until: Moment
    by: str
    rank: str
    reason: str
    at: Moment


class Revocation(_Part):
    """The authority was withdrawn."""

    by: str
    reason: str
    at: Moment


class DeploymentState(_Part):
    """Where the deployment stands.

    Attributes
    ----------
    phase
        `waiting` → `running` → `ending` (being destroyed) → `ended` (alerts are still kept) → `purged`.
    starts, ends
        The window as configured when recognition first started; from then on only an extension moves the end.
    purge_at
        When the last alert must be gone.
    models
        `name@sha` of detector and embedder, and the threshold in force with who set it, as of the last start.
    """

    v: Literal[1] = 1
    deployment: str
    phase: StatePhase = "waiting"
    opened_at: Moment
    started_at: Moment | None = None
    starts: Moment | None = None
    ends: Moment | None = None
    extensions: tuple[Extension, ...] = ()
    revocation: Revocation | None = None
    end_begun_at: Moment | None = None
    end_by: str = ""
    end_reason: str = ""
    ended_at: Moment | None = None
    purge_at: Moment | None = None
    purged_at: Moment | None = None
    lists: tuple[UsedList, ...] = ()
    models: dict[str, str] = Field(default_factory=dict)
    threshold: float | None = None
    model_threshold: float | None = None
    provider: str = ""

    @property
    def over(self) -> bool:
        """Whether its end has begun, by whatever cause."""
        return self.phase in ("ending", "ended", "purged")

    @property
    def ended(self) -> bool:
        """Whether its end is done: what it must not outlive is destroyed."""
        return self.phase in ("ended", "purged")

    @property
    def newest_sequence(self) -> int:
        """The highest sequence among the lists that were used; no older list is taken up. 0 where none was."""
        return max((record.sequence for record in self.lists), default=0)

    def with_list(self, used: UsedList) -> DeploymentState:
        """The same with an opened watchlist added, unless it is the one in use."""
        if self.lists and self.lists[-1].digest == used.digest:
            return self
        return self.model_copy(update={"lists": (*self.lists, used)})
