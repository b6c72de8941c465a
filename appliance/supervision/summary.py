"""What a run did, for the person who started it and for machines."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field
from rich.table import Table

from appliance.alerts.messages import CameraState


class CameraSummary(BaseModel):
    """One camera's counts over the run."""

    name: str
    state: str
    frames: int
    dropped: int
    people_seen: int
    alerts: int
    restarts: int

    @classmethod
    def of(cls, state: CameraState) -> Self:
        """From the camera's last state."""
        return cls.model_validate(state.model_dump(include=set(cls.model_fields)))


class Summary(BaseModel):
    """Counts of one `lfr run`, from start to end."""

    deployment: str
    seconds: float
    cameras: list[CameraSummary]
    restarts: dict[str, int] = Field(default_factory=dict, description="of hub, console and cameras")

    @property
    def frames(self) -> int:
        """Over all cameras."""
        return sum(camera.frames for camera in self.cameras)

    @property
    def people_seen(self) -> int:
        """Over all cameras."""
        return sum(camera.people_seen for camera in self.cameras)

    @property
    def alerts(self) -> int:
        """Over all cameras."""
        return sum(camera.alerts for camera in self.cameras)

    def table(self) -> Table:
        """For a terminal."""
        table = Table(title=f"{self.deployment}: {self.seconds:.1f} s", title_justify="left")
        table.add_column("camera")
        for heading in ("frames", "dropped", "people seen", "alerts", "restarts"):
            table.add_column(heading, justify="right")
        table.add_column("state")
        for one in self.cameras:
            counts = (one.frames, one.dropped, one.people_seen, one.alerts, one.restarts)
            table.add_row(one.name, *(f"{count:,}" for count in counts), one.state)
        if len(self.cameras) > 1:
            table.add_section()
            dropped = sum(camera.dropped for camera in self.cameras)
            totals = (self.frames, dropped, self.people_seen, self.alerts, sum(self.restarts.values()))
            table.add_row("all", *(f"{count:,}" for count in totals), "")
        return table
