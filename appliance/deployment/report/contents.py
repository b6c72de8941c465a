"""What a report holds: the part that may be published, and the whole for the force."""

from __future__ import annotations

from pydantic import BaseModel, Field

from appliance.core.clock import Moment
from appliance.deployment.list_facts import UsedList


class Rate(BaseModel):
    """Cases of how many, with the exact 95 % interval (Clopper-Pearson)."""

    cases: int
    of: int
    rate: float | None
    low: float
    high: float
    sentence: str


class Seconds(BaseModel):
    """How long decisions took, seconds from seeing the alert."""

    n: int
    median_s: float
    slowest_tenth_s: float


class CategoryRow(BaseModel):
    """One category: how many on the list, how many alerts, and how people judged them."""

    category: str
    on_list: int
    alerts: int
    true: int
    false: int
    other: int
    undecided: int


class PublicOutage(BaseModel):
    """A camera, not said which, gave no pictures."""

    begun: Moment
    minutes: float


class PublicReport(BaseModel):
    """What may be published; see the module."""

    v: int = 1
    made_at: Moment
    software: str
    deployment: str
    location: str
    purpose: str
    legal_basis: str
    authorised_by_rank: str
    authorised_at: Moment | None
    starts: Moment
    ends: Moment
    extensions: int
    phase: str
    ran: list[tuple[Moment, Moment | None]]
    cameras: int
    people_seen: int
    alerts: int
    true_alerts: int
    false_alerts: int
    other_alerts: int
    undecided_alerts: int
    false_alert_rate: Rate
    false_alert_limit: float
    operator_decisions: dict[str, int]
    engagement_decisions: dict[str, int]
    outcomes: dict[str, int]
    watchlist_entries: int
    watchlist_changes: int
    categories: list[CategoryRow]
    threshold: float | None
    calibrated_threshold: float | None
    category_thresholds: dict[str, float]
    models: dict[str, str]
    blue_list: Rate | None
    outages: list[PublicOutage]
    incidents: list[str]
    watchlist_destroyed_at: Moment | None
    destruction_complete: bool | None
    alerts_kept_until: Moment | None
    alerts_purged_at: Moment | None
    people_by_slot: dict[str, int]
    alerts_by_slot: dict[str, int]
    audit_n: int
    audit_head: str


class CameraRow(BaseModel):
    """One camera, for the force."""

    name: str
    purpose: str
    people_seen: int
    faces: int
    frames: int
    dropped: int
    alerts: int
    outages: int
    out_minutes: float


class DecisionRow(BaseModel):
    """One decision on one alert. Its own id, and that of the one it takes back, are not written into the report."""

    id: str = Field(exclude=True)
    undoes: str | None = Field(None, exclude=True)
    alert: str
    kind: str
    value: str
    by: str
    role: str = ""
    at: str
    reason: str = ""
    seconds_taken: float | None = None
    undone: bool = False


class AlertRow(BaseModel):
    """One alert and everything decided on it; what the journal held is empty after the purge."""

    id: str
    captured_at: str = ""
    camera: str = ""
    entry: str = ""
    category: str = ""
    score: float | None = None
    threshold: float | None = None
    decisions: list[DecisionRow] = Field(default_factory=list)


class ActRow(BaseModel):
    """An act of the audit record that a reader of the report needs."""

    n: int
    at: str
    by: str
    act: str
    text: str


class WalkRow(BaseModel):
    """A blue-list walk and what became of it."""

    entry: str
    camera: str
    at: Moment
    by: str
    result: str


class FullReport(BaseModel):
    """Everything that is kept, for the force."""

    public: PublicReport
    authorised_by: str
    necessity: str
    proportionality: str
    signs: str
    extensions: list[str]
    revocation: str
    ended: str
    threshold_set_by: str
    threshold_reason: str
    category_rules: list[str]
    provider: str
    cameras: list[CameraRow]
    alerts: list[AlertRow]
    alerts_purged: int
    seconds: dict[str, Seconds]
    lists: list[UsedList]
    list_changes: list[ActRow]
    walks: list[WalkRow]
    outages: list[str]
    restarts: dict[str, int]
    acts: list[ActRow]
    audit_ok: bool
    audit_problems: list[str]
    audit_notices: list[str]
