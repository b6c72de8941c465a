"""Three drawings for the report as inline SVG: the day, the false-alert rate against its limit, and counts as bars.

Written by hand: a page that is printed and archived needs a few lines that stay sharp, and text that stays text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

from appliance.deployment.guard import one_in
from appliance.deployment.state import SLOT_MINUTES, slot_of

_WIDTH = 720
_PEOPLE, _ALERT, _OUT, _LIMIT, _GRID, _INK = "#9dbbd6", "#b4540a", "#f1d9d6", "#a3261f", "#d5dae0", "#1f4e79"


def _svg(height: float, title: str, parts: Iterable[str], width: float = _WIDTH) -> Markup:
    body = "".join(parts)
    return Markup(  # noqa: S704  (every text in it is escaped where it is put in)
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", name: str = "") -> str:
    shown = f' class="{name}"' if name else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{shown}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = _GRID, width: float = 1, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" fill="{colour}"/>'


def _ceiling(value: float) -> int:
    """The next round number for an axis: 1, 2 or 5 times a power of ten."""
    if value <= 5:
        return 5
    power = 10 ** math.floor(math.log10(value))
    return int(next(step * power for step in (1, 2, 5, 10) if value <= step * power))


def day(
    people: Mapping[str, int],
    alerts: Mapping[str, int],
    starts: datetime,
    ends: datetime,
    outages: Iterable[tuple[datetime, datetime]] = (),
) -> Markup:
    """People seen (bars) and alerts (dots) over the day, in slots of ten minutes, with camera outages shaded.

    Parameters
    ----------
    people, alerts
        Counts by slot (`state.slot_of`).
    """
    height, left, right, top, bottom = 190.0, 48.0, 8.0, 44.0, 34.0
    slots = [datetime.fromisoformat(slot) for slot in (*people, *alerts)]
    first = datetime.fromisoformat(slot_of(min([starts, *slots])))
    last = max([ends, *(slot + timedelta(minutes=SLOT_MINUTES) for slot in slots)])
    step = timedelta(minutes=SLOT_MINUTES)
    span_s = max((last - first).total_seconds(), step.total_seconds())
    ceiling = _ceiling(max(people.values(), default=0))
    plot_w, plot_h = _WIDTH - left - right, height - top - bottom

    def across(moment: datetime) -> float:
        return left + plot_w * min(1.0, max(0.0, (moment - first).total_seconds() / span_s))

    def down(count: float) -> float:
        return top + plot_h * (1 - count / ceiling)

    parts = [
        _rect(across(begun), top, max(2.0, across(until) - across(begun)), plot_h, _OUT) for begun, until in outages
    ]
    for count in (0, ceiling / 2, ceiling):
        parts += [
            _line(left, down(count), _WIDTH - right, down(count)),
            _text(left - 6, down(count) + 4, f"{count:,.0f}", "end"),
        ]
    for slot, count in people.items():
        moment = datetime.fromisoformat(slot)
        x = across(moment)
        parts.append(_rect(x + 0.5, down(count), across(moment + step) - x - 1, plot_h + top - down(count), _PEOPLE))
    for slot, count in alerts.items():
        x = (across(datetime.fromisoformat(slot)) + across(datetime.fromisoformat(slot) + step)) / 2
        radius = 5 if count <= 1 else 7 if count < 100 else 4 + 3 * len(str(count))
        parts.append(f'<circle cx="{x:.1f}" cy="27" r="{radius}" fill="{_ALERT}"/>')
        if count > 1:
            parts.append(
                f'<text x="{x:.1f}" y="30.5" text-anchor="middle" style="fill:#fff;font-size:10px">{count}</text>'
            )
    every = timedelta(hours=1) if span_s <= 10 * 3600 else timedelta(hours=3)
    if span_s <= 2 * 3600:
        every = timedelta(minutes=10) if span_s <= 3600 else timedelta(minutes=30)
    mark = datetime.fromtimestamp(math.ceil(first.timestamp() / every.total_seconds()) * every.total_seconds(), UTC)
    while mark <= last:
        parts += [
            _line(across(mark), top + plot_h, across(mark), top + plot_h + 4, "#8a94a0"),
            _text(across(mark), top + plot_h + 17, f"{mark:%H:%M}", "middle" if across(mark) < _WIDTH - 20 else "end"),
        ]
        mark += every
    parts += [
        _rect(left, 2, 10, 10, _PEOPLE),
        _text(left + 15, 11, f"people seen in {SLOT_MINUTES} minutes"),
        f'<circle cx="{left + 186}" cy="7" r="5" fill="{_ALERT}"/>',
        _text(left + 196, 11, "alerts"),
        _rect(left + 250, 2, 10, 10, _OUT),
        _text(left + 265, 11, "a camera gave no pictures"),
        _text(_WIDTH - right, height - 3, "UTC", "end"),
    ]
    total = f"{sum(people.values()):,} people and {sum(alerts.values()):,} alerts over the day"
    return _svg(height, total, parts)


def rate(value: float | None, low: float, high: float, limit: float) -> Markup:
    """A small rate with its interval against its limit, on a logarithmic axis read as `1 in N`."""
    height, left, right, middle = 76.0, 20.0, 20.0, 32.0
    points = [p for p in (value, low, high, limit) if p]
    bottom = min(-5, math.floor(math.log10(min(points)))) if points else -5
    top = max(-2, math.ceil(math.log10(max(points)))) if points else -2
    top = min(top, 0)
    plot_w = _WIDTH - left - right

    def across(rate_: float) -> float:
        place = (math.log10(rate_) - bottom) / (top - bottom) if rate_ > 0 else 0.0
        return left + plot_w * min(1.0, max(0.0, place))

    parts = [_rect(left, middle - 14, across(limit) - left, 28, "#eef6f1") if limit else ""]
    for power in range(bottom, top + 1):
        x = across(10.0**power)
        label = "everybody" if power == 0 else f"1 in {10**-power:,}"
        anchor = "start" if power == bottom else "end" if power == top else "middle"
        parts += [_line(x, middle - 14, x, middle + 14), _text(x, middle + 30, label, anchor)]
    if limit:
        x = across(limit)
        parts += [
            _line(x, middle - 24, x, middle + 14, _LIMIT, 2),
            _text(x + 5, middle - 17, f"limit: {one_in(limit)}"),
        ]
    if value is not None:
        parts += [
            _line(across(low), middle, across(high), middle, _INK, 3),
            _line(across(high), middle - 6, across(high), middle + 6, _INK, 3),
        ]
        if low > 0:
            parts.append(_line(across(low), middle - 6, across(low), middle + 6, _INK, 3))
        if value > 0:
            parts.append(f'<circle cx="{across(value):.1f}" cy="{middle}" r="6" fill="{_INK}"/>')
        text = f"{one_in(value)} (95 % confidence: {one_in(low)} to {one_in(high)})" if value else (
            f"none so far (95 % confidence: at most {one_in(high)})"
        )  # fmt: skip
    else:
        text = "there is none, or none is known"
    return _svg(height, f"False-alert rate: {text}; limit {one_in(limit)}", parts)


def bars(counts: Mapping[str, int], title: str) -> Markup:
    """Counts as horizontal bars, in the order given; half a page wide."""
    whole, row, left, right = 340.0, 22.0, 112.0, 40.0
    highest = max(counts.values(), default=0) or 1
    parts: list[str] = []
    for i, (name, count) in enumerate(counts.items()):
        y = i * row + 4
        width = (whole - left - right) * count / highest
        parts += [
            _text(left - 8, y + 12, name, "end"),
            _rect(left, y + 1, max(width, 1.0), row - 8, _INK if count else _GRID),
            _text(left + width + 7, y + 12, f"{count:,}", name="strong"),
        ]
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    return _svg(max(1, len(counts)) * row + 6, f"{title}: {told}", parts, whole)
