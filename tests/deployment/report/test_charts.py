"""The drawings stay within the page, say in words what they show, and hold nothing but text."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.deployment.report import charts


@pytest.mark.parametrize(
    ("value", "low", "high", "limit"),
    [
        (None, 0.0, 1.0, 0.001),
        (0.0, 0.0, 2e-4, 0.001),
        (1e-6, 1e-7, 1e-5, 1e-3),
        (0.5, 0.1, 0.9, 0.001),
        (1, 0.9, 1, 1),
    ],
)
def test_the_rate_is_drawn_within_the_page(value: Any, low: Any, high: Any, limit: Any) -> None:
    drawn = str(charts.rate(value, low, high, limit))
    assert all(0 <= float(x) <= 720 for x in re.findall(r'(?:x|x1|x2|cx)="(-?[\d.]+)"', drawn))


def test_a_day_without_people_and_a_day_beyond_its_window_are_drawn(now: Any) -> None:
    assert "0 people" in charts.day({}, {}, now, now)
    drawn = str(charts.day({"2026-11-21T10:00Z": 5}, {"2026-11-22T09:50Z": 2}, now, now, [(now, now)]))
    assert "nan" not in drawn.lower()


def test_bars_of_nothing_are_drawn() -> None:
    assert "<svg" in charts.bars({}, "none")
    assert 'width="1.0"' in charts.bars({"a": 0}, "zero")


def test_a_day_is_drawn_in_its_slots_and_told_in_words() -> None:
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    people, alerts = {"2026-11-21T10:00Z": 150, "2026-11-21T10:10Z": 200}, {"2026-11-21T10:10Z": 12}
    drawn = str(charts.day(people, alerts, start, start + timedelta(hours=1)))
    assert "350 people and 12 alerts over the day" in drawn
    bars = [float(height) for height in re.findall(r'height="([\d.]+)" fill="#9dbbd6"', drawn)][:2]
    assert bars[0] / bars[1] == pytest.approx(150 / 200, abs=0.01)
    assert ">12</text>" in drawn
    hours = re.findall(r">(\d\d:\d\d)<", drawn)
    assert hours[0] == "10:00"
    assert "10:10" in hours


def test_an_outage_is_shaded_also_when_it_was_short() -> None:
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    drawn = str(charts.day({}, {}, start, start + timedelta(hours=5), [(start, start + timedelta(seconds=1))]))
    (width,) = re.findall(r'width="([\d.]+)" height="[\d.]+" fill="#f1d9d6"', drawn)[:1]
    assert float(width) >= 2


def test_text_is_escaped_and_counts_are_told() -> None:
    drawn = str(charts.bars({"<b>": 3, "lost": 1}, 'Alerts "as judged"'))
    assert "<b>" not in drawn
    assert "&lt;b&gt;" in drawn
    assert "lost 1" in drawn


@pytest.mark.parametrize(
    ("value", "words"), [(None, "there is none, or none is known"), (0.0, "none so far"), (0.001, "1 in 1,000")]
)
def test_a_rate_is_told_in_words_too(value: float | None, words: str) -> None:
    assert words in str(charts.rate(value, 0.0005 if value else 0.0, 0.002, 0.001))
