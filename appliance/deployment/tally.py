"""What the cameras of a deployment counted, over every start of every camera: `tally.json`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from appliance.core.clock import Moment, utc_now
from appliance.core.files import write_private

TALLY_FILE: Final = "tally.json"
SLOT_MINUTES: Final = 10


class CameraTally(BaseModel):
    """What one camera saw, in numbers that stand for nobody.

    Attributes
    ----------
    uncertain
        Of the people seen, how many were first seen where too few frames were looked at to be sure that they were new.
    slots
        People seen in each ten minutes, by the slot's start in UTC: `2026-11-21T10:30Z`.
    """

    model_config = ConfigDict(extra="ignore")

    people_seen: int = Field(0, ge=0)
    uncertain: int = Field(0, ge=0)
    faces: int = Field(0, ge=0)
    frames: int = Field(0, ge=0)
    dropped: int = Field(0, ge=0)
    alerts: int = Field(0, ge=0)
    slots: dict[str, int] = Field(default_factory=dict)


class Tally(BaseModel):
    """The counts of a deployment, over every start of every camera; the supervisor writes it."""

    model_config = ConfigDict(extra="ignore")

    deployment: str = ""
    updated_at: Moment = Field(default_factory=utc_now)
    cameras: dict[str, CameraTally] = Field(default_factory=dict)

    @property
    def people_seen(self) -> int:
        """People seen by all cameras (tracks: somebody who passes two cameras counts twice)."""
        return sum(camera.people_seen for camera in self.cameras.values())

    @property
    def uncertain(self) -> int:
        """Of the people seen, how many may have been counted before."""
        return sum(camera.uncertain for camera in self.cameras.values())

    @classmethod
    def load(cls, state_dir: Path) -> Tally:
        """The tally; an empty one where there is none or it cannot be read."""
        try:
            return cls.model_validate_json((state_dir / TALLY_FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def save(self, state_dir: Path) -> None:
        """Write it, atomically."""
        write_private(state_dir / TALLY_FILE, self.model_dump_json().encode())

    def add(self, camera: str, people: int, at: datetime | None = None, **counts: int) -> None:
        """Count people that one camera saw since the last call (and uncertain ones, faces, frames, dropped, alerts)."""
        tally = self.cameras.setdefault(camera, CameraTally())
        tally.people_seen += people
        for name, count in counts.items():
            setattr(tally, name, getattr(tally, name) + count)
        if people > 0:
            slot = slot_of(at or utc_now())
            tally.slots[slot] = tally.slots.get(slot, 0) + people
        self.updated_at = at or utc_now()


class RunningTally:
    """Adds what one run counts, in totals since its start, to what earlier runs of the deployment left."""

    def __init__(self, state_dir: Path, deployment: str) -> None:
        self._state_dir = state_dir
        self._deployment = deployment
        self._kept: Tally | None = None
        self._counted: dict[str, dict[str, int]] = {}

    def people_base(self) -> dict[str, int]:
        """People seen by camera, as far as they are kept."""
        return {name: camera.people_seen for name, camera in self._tally().cameras.items()}

    def uncertain_base(self) -> int:
        """Of them, how many may have been counted before."""
        return self._tally().uncertain

    def keep(self, counted: dict[str, dict[str, int]]) -> None:
        """Add what was counted since the last call: camera to its totals (`people`, `faces`, `frames` …)."""
        tally = self._tally()
        for camera, totals in counted.items():
            before = self._counted.get(camera, {})
            new = {name: max(0, total - before.get(name, 0)) for name, total in totals.items()}
            tally.add(camera, new.pop("people", 0), None, **new)
            self._counted[camera] = dict(totals)
        tally.save(self._state_dir)

    def _tally(self) -> Tally:
        if self._kept is None:
            self._kept = Tally.load(self._state_dir)
            if self._kept.deployment != self._deployment:
                self._kept = Tally(deployment=self._deployment)
        return self._kept


def slot_of(moment: datetime) -> str:
    """The ten minutes that hold a moment, by their start: `2026-11-21T10:30Z`."""
    start = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return (start - timedelta(minutes=start.minute % SLOT_MINUTES)).strftime("%Y-%m-%dT%H:%MZ")
