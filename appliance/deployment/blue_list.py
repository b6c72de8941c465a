"""The blue list: officers who walk past on purpose, so that the true recognition rate is known.

A walk is an act in the audit record (`blue.walk`). It counts as found when the journal holds a sighting of that entry
at that camera within `WITHIN_S` of it; each sighting serves one walk. Blue-list entries never show as wanted persons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from appliance.alerts.messages import Sighting
from appliance.audit.acts import BlueWalk
from appliance.audit.record import AuditRecord
from appliance.config.live import Config
from appliance.core import binomial
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuthorityError
from appliance.deployment import authority
from appliance.deployment.store import Store

WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk past a camera; `n` is its number in the audit record."""

    n: int
    entry: str
    camera: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one walk: found, not found, or its time is not over yet."""

    walk: Walk
    result: Literal["found", "not found", "pending"]
    score: float | None = None


@dataclass(frozen=True, slots=True)
class BlueResult:
    """The true recognition rate, as the walks show it.

    Attributes
    ----------
    rate, interval
        Found over walks whose time is over, with the exact 95 % interval; None and (0, 1) without any.
    """

    outcomes: tuple[Outcome, ...]
    found: int
    judged: int
    rate: float | None
    interval: tuple[float, float]


def record_walk(config: Config, entry: str, camera: str, by: str, at: datetime | None = None) -> Walk:
    """Record that the officer behind a blue-list entry walks past a camera.

    Raises
    ------
    AuthorityError
        No such camera; no such blue-list entry (where the list has been opened); a moment outside the deployment; or
        a second walk within the camera's cool-down, in which nobody is looked for twice.
    """
    now = utc_now()
    at = at or now
    names = [one.name for one in config.cameras]
    if camera not in names:
        raise AuthorityError(f"There is no camera {camera!r}.", f"Cameras: {', '.join(names)}.")
    store = Store(config.alerts.state_dir)
    state = store.load()
    if state is not None and state.lists and entry not in state.lists[-1].blue_ids:
        known = ", ".join(state.lists[-1].blue_ids) or "it has none"
        raise AuthorityError(f"{entry!r} is not a blue-list entry of the watchlist in use.", f"Blue-list: {known}.")
    if at > now + timedelta(seconds=60):
        raise AuthorityError(f"--at {utc_text(at)} is in the future.", "Record a walk when it happens.")
    if authority.window(config, state).at(at) != "open" or (state is not None and state.ended_at is not None):
        raise AuthorityError(f"{utc_text(at)} is outside the deployment.", "Nobody is looked for then.")
    for walk in walks(store.audit, config.deployment.id):
        apart_s = abs((walk.at - at).total_seconds())
        if (walk.entry, walk.camera) == (entry, camera) and apart_s < config.matching.cooldown_s:
            raise AuthorityError(
                f"{entry} walked past {camera} {apart_s:.0f} s before or after that.",
                f"Within the cool-down of {config.matching.cooldown_s:g} s nobody is looked for twice; wait for it.",
            )
    record = store.audit.append(BlueWalk(entry=entry, camera=camera, at=at, deployment=config.deployment.id), by)
    return Walk(record.n, entry, camera, at, by)


def walks(audit: AuditRecord, deployment: str) -> list[Walk]:
    """Every recorded walk of a deployment, oldest first."""
    return [
        Walk(
            record.n,
            str(record.details.get("entry", "")),
            str(record.details.get("camera", "")),
            datetime.fromisoformat(str(record.details["at"])),
            record.by,
        )
        for record in audit.records()
        if record.act == "blue.walk" and record.details.get("deployment") == deployment and "at" in record.details
    ]


def assess(
    done: Iterable[Walk], sightings: Iterable[Sighting], now: datetime, *, found_before: Iterable[int] = ()
) -> BlueResult:
    """Match walks with sightings, nearest first; walks that were found before keep theirs.

    Parameters
    ----------
    found_before
        Numbers of walks that were found while their sighting was still in the journal.
    """
    known = set(found_before)
    ordered = sorted(done, key=lambda walk: walk.at)
    free = list(sightings)
    pairs = sorted(
        (walk.n not in known, abs((sighting.captured_at - walk.at).total_seconds()), i, j)
        for i, walk in enumerate(ordered)
        for j, sighting in enumerate(free)
        if (sighting.entry_id, sighting.camera) == (walk.entry, walk.camera)
    )
    matched: dict[int, float] = {}
    used: set[int] = set()
    for _, apart_s, i, j in pairs:
        if apart_s <= WITHIN_S and i not in matched and j not in used:
            matched[i] = free[j].score
            used.add(j)
    outcomes = []
    for i, walk in enumerate(ordered):
        if i in matched or walk.n in known:
            outcomes.append(Outcome(walk, "found", matched.get(i)))
        else:
            over = now > walk.at + timedelta(seconds=WITHIN_S)
            outcomes.append(Outcome(walk, "not found" if over else "pending"))
    found = sum(outcome.result == "found" for outcome in outcomes)
    judged = found + sum(outcome.result == "not found" for outcome in outcomes)
    rate = found / judged if judged else None
    return BlueResult(tuple(outcomes), found, judged, rate, binomial.interval(found, judged))
