"""The running false-alert rate against its limit: officers' decisions over people seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from appliance.core import binomial

CONFIDENCE: Final = 0.95
MIN_FALSE_ALERTS: Final = 2
"""One false alert is no rate: in the first minutes it would stop a deployment that is within its limit."""

MAX_UNCERTAIN: Final = 0.1
"""Up to this share of people who may have been counted twice the rate is told: the true one is at most 1/9 higher."""

GuardState = Literal["ok", "above", "breach", "unknown"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How the false-alert rate stands.

    Attributes
    ----------
    state
        `ok`: at or below the limit; `above`: above it, but chance may explain that; `breach`: above it with 95 %
        confidence (the exact one-sided lower bound is above the limit); `unknown`: people could not be counted.
    rate
        False alerts over people seen; None while nobody was seen, and while it is not known.
    interval
        The exact two-sided 95 % interval of the rate; from 0 to 1 while it is not known.
    stop
        Whether the configuration asks for the end of recognition now (`on_breach: stop`).
    sentence
        The same for a person.
    """

    state: GuardState
    rate: float | None
    interval: tuple[float, float]
    limit: float
    false_alerts: int
    people_seen: int
    stop: bool
    sentence: str


def one_in(rate: float) -> str:
    """A rate as people say it, in three figures: `1 in 6,030`; `none` for 0."""
    if rate <= 0:
        return "none"
    if rate > 0.5:
        return f"{rate:.0%}"
    if rate >= 0.2:
        return f"1 in {1 / rate:.1f}"
    return f"1 in {float(f'{1 / rate:.3g}'):,.0f}"


def uncounted(people_seen: int, uncertain: int) -> str:
    """Why no rate over people seen can be told; empty when it can.

    Parameters
    ----------
    uncertain
        Of the people seen, how many may have been counted before: too few frames were looked at when they came.
    """
    if uncertain <= MAX_UNCERTAIN * people_seen:
        return ""
    return (
        f"The false-alert rate is not known: {uncertain:,} of {people_seen:,} people seen may have been counted twice, "
        "because too few frames a second were looked at when they came."
    )


def assess(
    false_alerts: int,
    people_seen: int,
    limit: float,
    on_breach: Literal["warn", "stop"] = "warn",
    *,
    uncertain: int = 0,
) -> Assessment:
    """Judge a count of false alerts (as officers decided) among people seen.

    Where too many of these may have been counted twice (`uncertain`), the rate is not known, and never good; above the
    limit even so, it is a breach: the true rate is higher still.

    The test is repeated as the day goes on, so that 95 % is its confidence at any one look, not over all of them. Over
    5,000 simulated days of 15,500 people and a limit of 1 in 1,000, a breach came at some moment on 0.1 % of the days
    when the true rate was a tenth of the limit, 2.4 % at half of it, 22 % at the limit itself, 98 % at twice the limit.
    """
    people = max(people_seen, false_alerts, 0)
    span = binomial.interval(false_alerts, people)
    if people == 0:
        return Assessment("ok", None, span, limit, 0, 0, False, "Nobody was seen yet: there is no false-alert rate.")
    rate = false_alerts / people
    lower = binomial.lower_bound(false_alerts, people, CONFIDENCE)
    seen = f"{false_alerts:,} false {'alert' if false_alerts == 1 else 'alerts'} among {people:,} people seen"
    if false_alerts >= MIN_FALSE_ALERTS and lower > limit:
        does = "recognition stops" if on_breach == "stop" else "consider stopping"
        text = f"{seen} ({one_in(rate)}) is above the limit of {one_in(limit)} with 95 % confidence: {does}."
        return Assessment("breach", rate, span, limit, false_alerts, people, on_breach == "stop", text)
    why = uncounted(people, uncertain)
    if why:
        return Assessment("unknown", None, (0.0, 1.0), limit, false_alerts, people, False, why)
    if rate > limit:
        text = f"{seen} ({one_in(rate)}) is above the limit of {one_in(limit)}, but that may still be chance."
        return Assessment("above", rate, span, limit, false_alerts, people, False, text)
    text = f"{seen} is within the limit of {one_in(limit)}."
    return Assessment("ok", rate, span, limit, false_alerts, people, False, text)
