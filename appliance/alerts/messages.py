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
Phase = Literal["waiting", "running", "ended", "purged"]
"""Of a run: before the window, in it, over with alerts still kept, over with none."""
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

    v: Literal[1] = Field(1, description="version of the stream; keys may be added within it")
    epoch: str = Field("", max_length=64, description="names the journal; another one means: start again from 1")
    seq: int = Field(0, ge=0, description="position in the journal, from 1; 0 before it is journaled")


class EntryRef(BaseModel):
    """What an alert tells of the watchlist's entry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(max_length=64, description="the entry, as the watchlist's builder named it")
    category: str = Field(max_length=64, description="why the person is looked for, in a word")
    response: Response = Field(description="how to respond; blue is a seeded officer, who is never alerted")
    label: str = Field("", max_length=200, description="the reason in a few words, for the officer")
    warnings: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        (), max_length=8, description="warning markers: weapon, escape risk, ailment, …"
    )


class TrackRef(BaseModel):
    """The passing person, as long as they were in view."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int = Field(description="numbers the track within its camera's process")
    first_seen: Moment = Field(description="when the person came into view")
    frames: int = Field(ge=1, description="frames in which the face was embedded")


class ModelRefs(BaseModel):
    """Which models judged: `name@first 12 characters of the file's sha256`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    detector: str = Field(description="found the face")
    embedder: str = Field(description="made the template that was compared")


class Alert(Message):
    """A candidate for an officer to judge. Three pictures follow: redacted scene, face, watchlist picture."""

    id: str = Field(max_length=64, description="unique, ordered by time (UUID version 7)")
    deployment: str = Field(max_length=64, description="the configuration's deployment.id")
    camera: str = Field(max_length=32, description="the configuration's cameras[].name")
    place: str = Field("", max_length=200, description="where the camera stands, as the public would say it")
    captured_at: Moment = Field(description="when the picture that decided was taken")
    published_at: Moment | None = Field(None, description="when the journal took it, just before it was sent")
    media_s: float | None = Field(None, description="position in the recording, seconds; None for a live camera")
    entry: EntryRef = Field(description="who it may be")
    score: float = Field(ge=-1, le=1, description="cosine similarity over the track's frames; no probability")
    threshold: float = Field(ge=-1, le=1, description="the score from which on this entry is alerted")
    track: TrackRef = Field(description="the passing person")
    face_xyxy: tuple[int, int, int, int] = Field(description="the face in pixels of the published scene")
    scene_wh: tuple[int, int] = Field((0, 0), description="width and height of the published scene")
    watchlist: str = Field("", max_length=64, description="first 12 characters of the sealed file's sha256")
    models: ModelRefs = Field(description="which models judged")


class Decision(Message):
    """Something a person decided on an alert. Never rewritten: `undo` names the decision that no longer stands."""

    id: str = Field(default_factory=new_id, max_length=64, description="of your own making: repeating it is harmless")
    alert_id: str = Field(max_length=64, description="the alert that was decided on")
    kind: DecisionKind = Field(description="what was decided; one of each kind stands at a time")
    value: str = Field(max_length=32, description="the answer; what a kind may say stands below")
    by: str = Field(min_length=1, max_length=64, description="who decided")
    role: str = Field("", max_length=32, description="as what they were signed in")
    at: Moment = Field(description="when; at most a minute ahead of the hub's clock")
    reason: str = Field("", max_length=64, description="from the short list of the console, or free")
    note: str = Field("", max_length=1000, description="free text; deleted with the alert, never in the audit record")
    seconds_taken: float | None = Field(None, ge=0, description="from seeing the alert to deciding")
    undoes: str | None = Field(None, max_length=64, description="for undo: the id of the decision taken back")


class Sighting(Message):
    """A blue-list entry (an officer who walks past on purpose) was found. No pictures follow."""

    id: str = Field(max_length=64, description="unique, ordered by time (UUID version 7)")
    deployment: str = Field(max_length=64, description="the configuration's deployment.id")
    camera: str = Field(max_length=32, description="the configuration's cameras[].name")
    captured_at: Moment = Field(description="when the picture that decided was taken")
    entry_id: str = Field(max_length=64, description="the blue-list entry")
    score: float = Field(ge=-1, le=1, description="cosine similarity over the track's frames")
    threshold: float = Field(ge=-1, le=1, description="the score from which on the entry counts as found")


class CameraState(BaseModel):
    """How one camera is, for status and console."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(description="the configuration's cameras[].name")
    state: Literal["starting", "live", "reconnecting", "stalled", "ended", "stopped", "failed"] = Field(
        "starting", description="only a camera that is live looks at anybody"
    )
    since: Moment = Field(description="when this state began")
    detail: str = Field("", description="why, in words")
    last_frame_age_s: float | None = Field(None, description="seconds since its newest frame; None before the first")
    fps: float = Field(0.0, description="frames a second that it looks at")
    people_seen: int = Field(0, description="tracks in the whole deployment")
    alerts: int = Field(0, description="in the whole deployment")
    frames: int = Field(0, description="looked at in this run")
    dropped: int = Field(0, description="not looked at in this run")
    provider: str = Field("", description="what its models run on")
    restarts: int = Field(0, description="of its process, in this run")


class Degradation(BaseModel):
    """One thing that is not as it should be, in a plain sentence."""

    code: str = Field(description="alerts, camera, console, disk, end, guard, hub, provider, rate, recall, …")
    text: str = Field(description="the sentence, to be shown as it is")
    camera: str = Field("", description="name of the camera that it is about; empty where it is about none")
    severity: Literal["warning", "critical"] = Field("warning", description="critical: somebody may be missed now")


class Status(Message):
    """How the appliance is, every second; `seq` is the newest sequence number, so that loss and silence differ."""

    at: Moment = Field(description="when this was said")
    deployment: str = Field("", description="the configuration's deployment.id")
    location: str = Field("", description="where it stands, as the public would say it")
    phase: Phase = Field("waiting", description="before the window, in it, over with alerts kept, over with none")
    starts: Moment | None = Field(None, description="when recognition may run from")
    ends: Moment | None = Field(None, description="when it stops, extensions included")
    cameras: list[CameraState] = Field(default_factory=list, description="how each camera is")
    people_seen: int = Field(0, description="tracks of all cameras in the whole deployment")
    alerts: int = Field(0, description="of all cameras in the whole deployment")
    watchlist_entries: int = Field(0, description="people on the list in use")
    watchlist: str = Field("", description="first 12 characters of the sealed file's sha256")
    false_alert_rate: float | None = Field(None, description="false alerts (as officers decided) over people seen")
    false_alert_limit: float | None = Field(None, description="the configuration's guard.false_alert_rate")
    false_alert_interval: tuple[float, float] | None = Field(None, description="95 % confidence")
    degraded: list[Degradation] = Field(default_factory=list, description="what is not as it should be, gravest first")


class PreviewHeader(Message):
    """A redacted picture of what a camera sees, a few times a second. One picture follows."""

    camera: str = Field(description="the configuration's cameras[].name")
    at: Moment = Field(description="when the picture was taken")
    people: int = Field(0, description="faces in view")
