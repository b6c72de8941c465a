"""The messages of the alert stream, as pydantic models of their JSON headers.

Everything journaled is an event with a sequence number of one series: an alert, a decision on an alert, or the
sighting of a blue-list entry (a seeded officer, never a wanted person; no pictures). Previews and status are not
journaled.
"""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.core.clock import Moment

Response = Literal["red", "amber", "green", "blue"]
DecisionKind = Literal["taken", "operator", "passed_on", "engagement", "outcome", "undo"]

DECISION_VALUES: dict[str, tuple[str, ...]] = {
    "taken": ("taken",),
    "operator": ("match", "no_match", "cannot_tell"),
    "passed_on": ("passed_on",),
    "engagement": ("engage", "do_not_engage"),
    "outcome": ("confirmed", "not_the_person", "lost", "arrested", "no_action", "other"),
    "undo": ("undo",),
}
"""What each kind of decision may say."""

MAX_PICTURE_BYTES = 2_000_000
MAX_HEADER_BYTES = 32_768


def new_id() -> str:
    """A time-ordered unique identifier (UUID version 7, RFC 9562 §5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def made_at(identifier: str) -> datetime:
    """When an identifier of `new_id` was made (UTC, milliseconds)."""
    return datetime.fromtimestamp((uuid.UUID(identifier).int >> 80) / 1000, UTC)


class Message(BaseModel):
    """A header: frozen; unknown keys of later versions are ignored, as a stream's reader must."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = 1
    epoch: str = Field("", max_length=64, description="names the journal; another one means: start again from 0")
    seq: int = Field(0, ge=0, description="position in the journal, from 1; 0 before it is journaled")


class EntryRef(BaseModel):
    """What an alert tells of the watchlist's entry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(max_length=64)
    category: str = Field(max_length=64)
    response: Response
    label: str = Field("", max_length=200)
    warnings: tuple[Annotated[str, Field(max_length=64)], ...] = Field((), max_length=8)


class TrackRef(BaseModel):
    """The passing person, as long as they were in view."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    first_seen: Moment
    frames: int = Field(ge=1, description="frames in which the face was embedded")


class ModelRefs(BaseModel):
    """Which models judged: `name@first 12 characters of the file's sha256`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    detector: str
    embedder: str


class Alert(Message):
    """A candidate for an officer to judge. Three pictures follow: redacted scene, face, watchlist picture."""

    id: str = Field(max_length=64)
    deployment: str = Field(max_length=64)
    camera: str = Field(max_length=32)
    place: str = Field("", max_length=200)
    captured_at: Moment
    published_at: Moment | None = Field(None, description="when the journal took it, just before it was sent")
    media_s: float | None = Field(None, description="position in the recording, seconds; None for a live camera")
    entry: EntryRef
    score: float = Field(ge=-1, le=1, description="cosine similarity over the track's frames")
    threshold: float = Field(ge=-1, le=1)
    track: TrackRef
    face_xyxy: tuple[int, int, int, int] = Field(description="the face in pixels of the published scene")
    scene_wh: tuple[int, int] = Field((0, 0), description="width and height of the published scene")
    watchlist: str = Field("", max_length=64, description="first 12 characters of the sealed file's sha256")
    models: ModelRefs


class Decision(Message):
    """Something a person decided on an alert. Never rewritten: `undo` names the decision that no longer stands."""

    id: str = Field(default_factory=new_id, max_length=64)
    alert_id: str = Field(max_length=64)
    kind: DecisionKind
    value: str = Field(max_length=32)
    by: str = Field(min_length=1, max_length=64)
    role: str = Field("", max_length=32)
    at: Moment
    reason: str = Field("", max_length=64, description="from the short list of the console, or free")
    note: str = Field("", max_length=1000)
    seconds_taken: float | None = Field(None, ge=0, description="from seeing the alert to deciding")
    undoes: str | None = Field(None, max_length=64, description="for undo: the id of the decision taken back")


class Sighting(Message):
    """A blue-list entry (an officer who walks past on purpose) was found. No pictures follow."""

    id: str = Field(max_length=64)
    deployment: str = Field(max_length=64)
    camera: str = Field(max_length=32)
    captured_at: Moment
    entry_id: str = Field(max_length=64)
    score: float = Field(ge=-1, le=1)
    threshold: float = Field(ge=-1, le=1)


class CameraState(BaseModel):
    """How one camera is, for status and console."""

    model_config = ConfigDict(extra="ignore")

    name: str
    state: Literal["starting", "live", "reconnecting", "stalled", "ended", "stopped", "failed"] = "starting"
    since: Moment
    detail: str = ""
    last_frame_age_s: float | None = None
    fps: float = 0.0
    people_seen: int = 0
    alerts: int = 0
    frames: int = 0
    dropped: int = 0
    provider: str = ""
    restarts: int = 0


class Degradation(BaseModel):
    """One thing that is not as it should be, in a plain sentence."""

    code: str = Field(description="alerts, camera, console, disk, end, guard, hub, provider, rate, recall, …")
    text: str
    severity: Literal["warning", "critical"] = "warning"


class Status(Message):
    """How the appliance is, every second; `seq` is the newest sequence number, so that loss and silence differ."""

    at: Moment
    deployment: str = ""
    location: str = ""
    phase: Literal["waiting", "running", "ended", "purged"] = "waiting"
    starts: Moment | None = None
    ends: Moment | None = None
    cameras: list[CameraState] = Field(default_factory=list)
    people_seen: int = 0
    alerts: int = 0
    watchlist_entries: int = 0
    watchlist: str = ""
    false_alert_rate: float | None = None
    false_alert_limit: float | None = None
    false_alert_interval: tuple[float, float] | None = Field(None, description="95 % confidence")
    degraded: list[Degradation] = Field(default_factory=list)


class PreviewHeader(Message):
    """A redacted picture of what a camera sees, a few times a second. One picture follows."""

    camera: str
    at: Moment
    people: int = Field(0, description="faces in view")
