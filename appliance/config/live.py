"""The configuration of the live product: one van or street, one deployment, one watchlist.

Relative paths are relative to the file. Secrets never appear in it, only the paths of files that hold them.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from appliance.config import reading
from appliance.config.sections import (
    ID,
    NAME,
    Alerts,
    Console,
    Metrics,
    Models,
    Redaction,
    Root,
    Section,
    Share,
    Similarity,
)
from appliance.core.credentials import mask_credentials


class AuthorisedBy(Section):
    """Who allowed something, and when."""

    name: str = Field("", description="the person's name")
    rank: str = Field("", description="rank or role that gives the power to authorise")
    at: AwareDatetime | None = Field(None, description="when, with a time zone: `2026-11-20T16:00:00Z`")


class Signs(Section):
    """The checklist of signs that tell the public."""

    posted: bool = Field(False, description="signs stand where people can read them before they are in view")
    checked_by: str = Field("", description="who looked")
    at: AwareDatetime | None = Field(None, description="when they looked, with a time zone")


class Deployment(Section):
    """The record that allows this deployment. `deployment.authority` judges whether it is complete."""

    id: str = Field(pattern=ID, description="names this deployment everywhere; letters, digits, . _ -")
    location: str = Field("", description="where the cameras stand, as the public would say it")
    purpose: str = Field("", description="what it is for")
    legal_basis: str = Field("", description="the power or policy that it rests on")
    necessity: str = Field("", description="why this is needed, and why nothing milder would do")
    proportionality: str = Field("", description="why the gain outweighs what it does to those who pass")
    authorised_by: AuthorisedBy = Field(
        default_factory=AuthorisedBy, description="the officer who allowed it, before the start"
    )
    signs: Signs = Field(default_factory=Signs, description="how the public is told")
    starts: AwareDatetime = Field(description="recognition may run from here, with a time zone")
    ends: AwareDatetime = Field(
        description="recognition stops here and the watchlist is destroyed; 24 hours after starts at most"
    )

    @model_validator(mode="after")
    def _window(self) -> Deployment:
        if self.ends <= self.starts:
            raise PydanticCustomError("window", "ends must be after starts")
        if self.ends - self.starts > timedelta(hours=24):
            raise PydanticCustomError("window", "a deployment lasts 24 hours at most; ends is later than that")
        return self


class WatchlistFile(Section):
    """Where the sealed watchlist is, what opens it, and whose signatures it needs."""

    file: Path = Field(description="the sealed watchlist (.lfrw); a changed file is taken up while it runs")
    key: Path = Field(description="this appliance's secret sealing key (mode 0600); destroyed at the end")
    max_entries: int = Field(
        10_000, ge=1, le=10_000, description="a longer list is refused", json_schema_extra={"unit": "people"}
    )
    builders: Path | None = Field(
        None, description="folder of builders' public keys (*.pub); default: builders/ beside the key"
    )
    approvers: Path | None = Field(
        None, description="folder of approvers' public keys (*.pub); default: approvers/ beside the key"
    )
    approvals: int = Field(
        2,
        ge=0,
        le=9,
        description="distinct approvals that the list needs, none by its builder",
        json_schema_extra={"unit": "people"},
    )

    @property
    def builders_dir(self) -> Path:
        """Folder of the public keys of people whose lists are taken."""
        return self.builders or self.key.parent / "builders"

    @property
    def approvers_dir(self) -> Path:
        """Folder of the public keys of people whose approval counts."""
        return self.approvers or self.key.parent / "approvers"


class Camera(Section):
    """One camera and the process that looks through it."""

    name: str = Field(pattern=NAME, description="lower-case letters, digits, - and _; part of every alert")
    source: str = Field(
        min_length=1,
        repr=False,
        description="`rtsp://…`, `/dev/video0`, a video or GIF file, a folder of images, `test:`, `street:…`",
    )
    credentials: Path | None = Field(None, description="file with one line USER:PASSWORD for the source (mode 0600)")
    purpose: str = Field("", description="what this camera looks at and why, for the deployment's record")
    pace: Literal["realtime", "fast"] = Field(
        "realtime", description="files only; fast takes every frame in media time and drops none"
    )
    min_face_px: int = Field(
        40,
        ge=16,
        le=400,
        description="smallest face (height of its box) worth finding; smaller costs time",
        json_schema_extra={"unit": "pixels"},
    )
    preview_fps: float = Field(
        2.0,
        ge=0,
        le=10,
        description="redacted pictures for the console; 0 for none",
        json_schema_extra={"unit": "pictures a second"},
    )
    preview_width_px: int = Field(
        640, ge=160, le=1920, description="width of these pictures", json_schema_extra={"unit": "pixels"}
    )

    @property
    def safe_source(self) -> str:
        """The source as it may be shown: without user and password."""
        return mask_credentials(self.source)

    def relative_to(self, base: Path) -> Self:
        """Also the source, where it is a path."""
        changes = {}
        if not re.match(r"^([a-z]+:|/)", self.source, re.IGNORECASE):
            changes["source"] = os.path.normpath(base / self.source)
        return super().relative_to(base).model_copy(update=changes)


class CategoryRule(Section):
    """What differs for one category of the watchlist."""

    threshold: Similarity | None = Field(
        None, description="instead of matching.threshold", json_schema_extra={"unit": "cosine similarity"}
    )
    threshold_set_by: str = Field("", description="who set it, where it is not the model's own")
    threshold_reason: str = Field("", description="why")


class Matching(Section):
    """When a candidate becomes an alert."""

    threshold: Similarity | None = Field(
        None,
        description="from here on a candidate alerts; default: the embedder's own (manifest)",
        json_schema_extra={"unit": "cosine similarity"},
    )
    threshold_set_by: str = Field("", description="who set a threshold other than the model's own")
    threshold_reason: str = Field("", description="why")
    cooldown_s: float = Field(
        60,
        ge=0,
        le=3600,
        description="no second alert of one entry at one camera within this",
        json_schema_extra={"unit": "seconds"},
    )
    categories: dict[str, CategoryRule] = Field(
        default_factory=dict, description="what differs for a category of the watchlist, by its name"
    )


class Guard(Section):
    """What happens when officers find too many alerts false."""

    false_alert_rate: Share = Field(
        0.001,
        description="limit of false alerts (as officers decide) over people seen",
        json_schema_extra={"unit": "false alerts a person seen"},
    )
    on_breach: Literal["warn", "stop"] = Field(
        "warn", description="stop also stops the cameras, once the rate is above the limit with 95 % confidence"
    )


class Config(Root):
    """The whole configuration file of a live deployment."""

    EXAMPLE: ClassVar[str] = "config/van.yaml"

    deployment: Deployment = Field(description="the record that allows it")
    watchlist: WatchlistFile = Field(description="who is looked for")
    models: Models = Field(default_factory=Models, description="which models run, and where")
    cameras: tuple[Camera, ...] = Field(min_length=1, max_length=32, description="one process each")
    matching: Matching = Field(default_factory=Matching, description="when a candidate becomes an alert")
    redaction: Redaction = Field(default_factory=Redaction, description="how all others are made irrecognisable")
    alerts: Alerts = Field(description="where alerts are kept and told")
    console: Console | None = Field(None, description="the officers' page; left out: `lfr run` starts none")
    metrics: Metrics = Field(default_factory=Metrics, description="where Prometheus scrapes")
    guard: Guard = Field(default_factory=Guard, description="what happens when too many alerts are false")

    @model_validator(mode="after")
    def _camera_names(self) -> Config:
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PydanticCustomError("names", "two cameras are called {name}", {"name": ", ".join(twice)})
        return self

    @property
    def users_file(self) -> Path:
        """Where `lfr users` keeps who may sign in."""
        return (self.console.users if self.console else None) or self.alerts.state_dir / "users.json"


def load(path: Path) -> Config:
    """Read and check a live deployment's configuration file (`ConfigError`, see `reading.load`)."""
    return reading.load(path, Config)


def parse(document: object, path: Path) -> Config:
    """Check a document that was read from (or would be written to) `path` (`ConfigError`, see `reading.parse`)."""
    return reading.parse(document, path, Config)
