"""What a camera's process needs to know, in one value that can be handed to a spawned process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from appliance.config.live import Camera, Matching, WatchlistFile
from appliance.config.sections import Models, Redaction


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Everything that a camera's process is told when it is spawned."""

    camera: Camera
    models: Models
    matching: Matching
    redaction: Redaction
    watchlist: WatchlistFile
    deployment: str
    location: str
    runtime: Path
    run_id: str
    """Time-ordered (`alerts.messages.new_id`): the beginning of the run is also that of every recording read at pace
    `fast`, so that a camera that is restarted gives its alerts the same moments and identifiers as before."""
    ends: datetime
    min_sequence: int = 0
    simulated: Mapping[str, str] = field(default_factory=dict)
    """Kinds of source that a room above offers: see `camera.sources.open.open_source`."""

    @property
    def process(self) -> str:
        """The name of the process in logs, metrics and heartbeats."""
        return f"camera/{self.camera.name}"
