"""Renders the pages that a deployment leaves behind: one file each, no outside resources, printed on A4."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2


def day_and_time(moment: datetime | str | None) -> str:
    """`21 November 2026, 10:31 UTC`; a dash for none."""
    if not moment:
        return "–"
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{value.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def span(begun: datetime, until: datetime | None) -> str:
    """`21 November 2026, 10:00 to 15:30 UTC`."""
    if until is None:
        return f"{day_and_time(begun)} to now"
    begun, until = begun.astimezone(UTC), until.astimezone(UTC)
    if begun.date() != until.date():
        return f"{day_and_time(begun)} to {day_and_time(until)}"
    return f"{begun:%-d %B %Y, %H:%M} to {until:%H:%M} UTC"


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def clock(moment: datetime | str | None) -> str:
    """`10:31:07`, UTC."""
    if not moment:
        return "–"
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{value.astimezone(UTC):%H:%M:%S}"


def number(value: float | None) -> str:
    """With thousands separated; a dash for none."""
    return "–" if value is None else f"{value:,}"


def size(count: int) -> str:
    """Bytes for a reader: `1.4 MB`."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"


def plain(code: str) -> str:
    """A code as words: `not_the_person` → `not the person`."""
    return code.replace("_", " ")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("appliance.deployment"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day_and_time=day_and_time, span=span, times=times, clock=clock, number=number, size=size, plain=plain
    )
    return environment


def render(template: str, **values: Any) -> str:
    """Fill a template; every value is escaped, but for drawings that are marked as safe."""
    return _environment().get_template(template).render(**values)
