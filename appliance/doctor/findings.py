"""What the doctor found: one thing each, in words, with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from appliance.core.errors import LfrError

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    area
        What it belongs to: `models`, `watchlist`, `camera north` …
    text
        How it is, in plain words and without secrets.
    remedy
        What to do; empty where nothing needs to be done.
    """

    area: str
    level: Level
    text: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def guarded(area: str, check: Check) -> list[Finding]:
    """Run one check; an error that the appliance raises on purpose, or the machine's refusal, is a finding too."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except LfrError as error:
        found.append(Finding(area, "fail", error.problem, error.remedy))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        found.append(Finding(area, "fail", f"{error.strerror or error}{where}.", "Mend this and ask again."))
    return found


def healthy(findings: list[Finding]) -> bool:
    """Whether nothing fails."""
    return all(finding.level != "fail" for finding in findings)
