"""Whether a deployment may recognise now: its record must be complete, its window open, its authority standing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from appliance.audit.acts import DeploymentExtend, DeploymentRevoke
from appliance.config.live import Config
from appliance.core.clock import utc_now, utc_text
from appliance.core.errors import AuthorityError
from appliance.deployment.state import DeploymentState, Extension, Revocation
from appliance.deployment.store import Store

MAX_HOURS: Final = 24
_PLACEHOLDER = re.compile(r"^[\W_]*(tbd|tbc|todo|xxx+|n/?a|none|unknown|fill in|\?+)?[\W_]*$", re.IGNORECASE)
_MILLISECOND = timedelta(milliseconds=1)
"""The state holds no finer moments."""
_MIN_WORDS: Final = {"purpose": 3, "necessity": 5, "proportionality": 5}


class Omission(NamedTuple):
    """One thing that the record lacks."""

    key: str
    missing: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.missing}. {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class Window:
    """When recognition may run, extensions included.

    Attributes
    ----------
    over
        Why it is over before `ends` (ended by hand, authority withdrawn); empty otherwise, and from `window`, which
        does not ask.
    """

    starts: datetime
    ends: datetime
    over: str = ""

    def at(self, now: datetime) -> Literal["waiting", "open", "ended"]:
        """Where a moment stands to it; the end itself is outside."""
        if now < self.starts:
            return "waiting"
        return "open" if now < self.ends else "ended"


def window(config: Config, state: DeploymentState | None = None) -> Window:
    """The window under which recognition first started, moved to the last extension's end and cut at 24 hours.

    Before that start the configuration's; after it, an edited configuration may bring the end forward, not put it off.
    """
    starts, ends = config.deployment.starts, config.deployment.ends
    ours = state if state is not None and state.deployment == config.deployment.id else None
    if ours is not None:
        starts, ends = ours.starts or starts, min(ends, ours.ends or ends)
        ends = max(ends, *(extension.until for extension in ours.extensions), starts)
    return Window(starts, min(ends, starts + timedelta(hours=MAX_HOURS)))


def _empty(text: str) -> bool:
    return bool(_PLACEHOLDER.match(text))


def check(config: Config, state: DeploymentState | None, now: datetime, model_threshold: float) -> tuple[Omission, ...]:
    """Everything that the record lacks before a camera may start, at once; empty when it is complete.

    The window is not part of this: a complete record may wait for its start (see `window`).

    Parameters
    ----------
    model_threshold
        The calibrated threshold of the embedder; any other in force needs a name and a reason.
    """
    return (
        *_texts(config),
        *_authorisation(config, now),
        *_signs(config, now),
        *_cameras(config),
        *_thresholds(config, model_threshold),
        *_standing(config, state),
    )


def _texts(config: Config) -> Iterator[Omission]:
    deployment = config.deployment
    asks = {
        "location": "Say where the cameras stand, as the public would say it.",
        "purpose": "Say who is looked for and why, in a sentence.",
        "legal_basis": "Name the power or policy that this rests on.",
        "necessity": "Say why this is needed and why nothing milder would do.",
        "proportionality": "Say why the gain outweighs what it does to those who pass.",
    }
    for name, remedy in asks.items():
        text = str(getattr(deployment, name))
        if _empty(text):
            yield Omission(f"deployment.{name}", "is empty", remedy)
        elif len(text.split()) < _MIN_WORDS.get(name, 1):
            yield Omission(f"deployment.{name}", f"says only {text!r}", remedy)


def _authorisation(config: Config, now: datetime) -> Iterator[Omission]:
    officer = config.deployment.authorised_by
    if _empty(officer.name):
        yield Omission("deployment.authorised_by.name", "is empty", "Name the officer who authorised the deployment.")
    if _empty(officer.rank):
        yield Omission("deployment.authorised_by.rank", "is empty", "Give the rank that has the power to authorise.")
    if officer.at is None:
        yield Omission("deployment.authorised_by.at", "is missing", "Say when it was authorised, with a time zone.")
    elif officer.at > now:
        yield Omission(
            "deployment.authorised_by.at", f"{utc_text(officer.at)} is in the future", "Nobody has authorised it yet."
        )
    elif officer.at > config.deployment.starts:
        yield Omission(
            "deployment.authorised_by.at",
            f"{utc_text(officer.at)} is after the start",
            "An authorisation comes before the deployment; give it a later start.",
        )


def _signs(config: Config, now: datetime) -> Iterator[Omission]:
    signs = config.deployment.signs
    if not signs.posted:
        yield Omission("deployment.signs.posted", "is not true", "Put up the signs, have them checked, then say so.")
    if _empty(signs.checked_by):
        yield Omission("deployment.signs.checked_by", "is empty", "Name who looked whether the signs can be read.")
    if signs.at is None:
        yield Omission("deployment.signs.at", "is missing", "Say when they were looked at, with a time zone.")
    elif signs.at > now:
        yield Omission("deployment.signs.at", f"{utc_text(signs.at)} is in the future", "Say when they were looked at.")


def _cameras(config: Config) -> Iterator[Omission]:
    for i, camera in enumerate(config.cameras):
        if _empty(camera.purpose):
            yield Omission(
                f"cameras.{i}.purpose",
                f"is empty for the camera {camera.name}",
                "Say what this camera looks at and why.",
            )


def _thresholds(config: Config, model_threshold: float) -> Iterator[Omission]:
    rules = [
        ("matching", config.matching.threshold, config.matching.threshold_set_by, config.matching.threshold_reason)
    ]
    for name, rule in config.matching.categories.items():
        rules.append((f"matching.categories.{name}", rule.threshold, rule.threshold_set_by, rule.threshold_reason))
    for key, threshold, set_by, reason in rules:
        if threshold is None or abs(threshold - model_threshold) < 1e-6:
            continue
        differs = f"is empty, but the threshold {threshold:g} is not the model's calibrated {model_threshold:g}"
        if _empty(set_by):
            yield Omission(f"{key}.threshold_set_by", differs, "Name who set it, or leave the threshold out.")
        if _empty(reason):
            yield Omission(f"{key}.threshold_reason", differs, "Say why it was set, or leave the threshold out.")


def _standing(config: Config, state: DeploymentState | None) -> Iterator[Omission]:
    if state is None or state.deployment != config.deployment.id:
        return
    if state.revocation is not None:
        yield Omission(
            "deployment",
            f"was revoked by {state.revocation.by} at {utc_text(state.revocation.at)} ({state.revocation.reason})",
            "A new deployment needs a new id and a new authorisation.",
        )
    elif state.over:
        yield Omission("deployment.id", f"{state.deployment} has ended", "A new deployment needs a new id.")
    elif state.ends is not None and config.deployment.ends > window(config, state).ends + _MILLISECOND:
        yield Omission(
            "deployment.ends",
            f"{utc_text(config.deployment.ends)} is later than {utc_text(window(config, state).ends)}, the end under "
            "which recognition started",
            "Put it back; a later end is a new authorisation: lfr extend.",
        )


def require(config: Config, state: DeploymentState | None, now: datetime, model_threshold: float) -> None:
    """Refuse an incomplete record.

    Raises
    ------
    AuthorityError
        With every problem, one a line.
    """
    problems = check(config, state, now, model_threshold)
    if problems:
        count = "One thing is" if len(problems) == 1 else f"{len(problems)} things are"
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise AuthorityError(f"{count} missing from the deployment's record; cameras do not start:\n{lines}")


def lost(config: Config, store: Store, now: datetime) -> str:
    """Why recognition must stop and everything be destroyed now; empty while the authority stands.

    For the supervisor, each second. A state that cannot be believed is lost authority too.
    """
    try:
        state = store.load()
    except AuthorityError as error:
        return error.problem
    if state is None or state.deployment != config.deployment.id:
        return f"{store.path} is not this deployment's any more"
    if state.revocation is not None:
        return f"revoked by {state.revocation.by}: {state.revocation.reason}"
    if state.over:
        return state.end_reason or "the deployment was ended"
    if window(config, state).at(now) == "ended":
        return "the end time has come"
    return ""


def current_window(config: Config, store: Store, now: datetime) -> Window:
    """The window as configuration and state have it now, with the reason where it is over before its time."""
    state = store.read_unverified()
    found = window(config, state)
    only_the_clock = state is not None and state.revocation is None and not state.over
    if now >= found.ends and only_the_clock:
        return found
    return replace(found, over=lost(config, store, now))


def _own(config: Config, state: DeploymentState | None, now: datetime) -> DeploymentState:
    """This deployment's state, begun where there is none."""
    if state is not None and state.deployment != config.deployment.id:
        raise AuthorityError(f"{config.alerts.state_dir} belongs to the deployment {state.deployment}.")
    return state or DeploymentState(deployment=config.deployment.id, opened_at=now)


def extend(
    config: Config, until: datetime, by: str, rank: str, reason: str, now: datetime | None = None
) -> DeploymentState:
    """Record a new authorisation that moves the end; a running appliance takes it up within a second.

    Raises
    ------
    AuthorityError
        The deployment has ended or was revoked, the new end is not later, or more than 24 hours after the start;
        or name, rank or reason is empty.
    """
    now = now or utc_now()
    for name, text in (("--by", by), ("--rank", rank), ("--reason", reason)):
        if _empty(text):
            raise AuthorityError(f"{name} is empty.", "An extension is a new authorisation: name, rank and reason.")

    def change(state: DeploymentState | None) -> DeploymentState:
        state = _own(config, state, now)
        if state.revocation is not None or state.over:
            raise AuthorityError(f"The deployment {state.deployment} has ended.", "A new one needs a new id.")
        present = window(config, state)
        if now >= present.ends:
            raise AuthorityError(
                f"The deployment ended at {utc_text(present.ends)}.", "What has ended cannot be extended."
            )
        if until <= present.ends:
            raise AuthorityError(f"--until {utc_text(until)} is not after the end, {utc_text(present.ends)}.")
        latest = present.starts + timedelta(hours=MAX_HOURS)
        if until > latest:
            raise AuthorityError(f"A deployment lasts {MAX_HOURS} hours at most: until {utc_text(latest)}.")
        extension = Extension(until=until, by=by, rank=rank, reason=reason, at=now)
        return state.model_copy(update={"extensions": (*state.extensions, extension)})

    act = DeploymentExtend(deployment=config.deployment.id, until=until, rank=rank, reason=reason)
    return Store(config.alerts.state_dir).change(change, act, by)


def revoke(config: Config, by: str, reason: str, now: datetime | None = None) -> DeploymentState:
    """Record that the authority is withdrawn: a running appliance stops and destroys everything within seconds.

    Raises
    ------
    AuthorityError
        Name or reason is empty, or the deployment has ended.
    """
    now = now or utc_now()
    for name, text in (("--by", by), ("--reason", reason)):
        if _empty(text):
            raise AuthorityError(f"{name} is empty.", "Say who withdraws the authority, and why.")

    def change(state: DeploymentState | None) -> DeploymentState:
        state = _own(config, state, now)
        if state.ended:
            raise AuthorityError(f"The deployment {state.deployment} has ended already.")
        return state.model_copy(update={"revocation": Revocation(by=by, reason=reason, at=now)})

    act = DeploymentRevoke(deployment=config.deployment.id, reason=reason)
    return Store(config.alerts.state_dir).change(change, act, by, trusting=False)
