"""The guard stops for a rate that is surely above the limit, and not for chance."""

from typing import Any

import pytest

from appliance.deployment import guard


@pytest.mark.parametrize(
    ("false_alerts", "people", "state"),
    [
        (0, 0, "ok"),
        (0, 15_000, "ok"),
        (1, 1, "above"),
        (1, 40, "above"),
        (2, 10, "breach"),
        (2, 1_500, "above"),
        (15, 15_000, "ok"),
        (20, 15_000, "above"),
        (30, 15_000, "breach"),
        (10, 3_147_436, "ok"),
    ],
)
def test_states(false_alerts: Any, people: Any, state: Any) -> None:
    assert guard.assess(false_alerts, people, 0.001).state == state


def test_only_a_breach_stops_and_only_where_that_is_asked_for() -> None:
    assert not guard.assess(30, 15_000, 0.001, "warn").stop
    assert guard.assess(30, 15_000, 0.001, "stop").stop
    assert not guard.assess(20, 15_000, 0.001, "stop").stop


def test_more_false_alerts_than_people_divide_nothing_by_zero() -> None:
    found = guard.assess(3, 0, 0.001)
    assert found.rate == 1.0
    assert found.state == "breach"


@pytest.mark.parametrize(("uncertain", "state"), [(0, "ok"), (100, "ok"), (101, "unknown"), (1000, "unknown")])
def test_a_rate_over_people_who_may_have_been_counted_twice_is_not_known_and_never_good(
    uncertain: int, state: str
) -> None:
    found = guard.assess(0, 1000, 0.001, "stop", uncertain=uncertain)
    assert found.state == state
    assert (found.rate is None) == (state == "unknown")
    assert not found.stop
    if found.rate is None:
        assert "is not known" in found.sentence
        assert f"{uncertain:,} of 1,000 people" in found.sentence


def test_above_the_limit_even_with_people_counted_twice_is_a_breach() -> None:
    found = guard.assess(30, 15_000, 0.001, "stop", uncertain=15_000)
    assert (found.state, found.stop) == ("breach", True)
    assert guard.assess(20, 15_000, 0.001, "stop", uncertain=15_000).state == "unknown"


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_limits_at_their_ends(limit: Any) -> None:
    assert guard.assess(0, 100, limit).state == "ok"
    assert guard.assess(5, 100, limit).state == ("breach" if limit == 0 else "ok")


def test_the_sentence_is_plain() -> None:
    text = guard.assess(30, 15_000, 0.001, "stop").sentence
    assert text == (
        "30 false alerts among 15,000 people seen (1 in 500) is above the limit of 1 in 1,000 with 95 % confidence: "
        "recognition stops."
    )


@pytest.mark.parametrize(("rate", "text"), [(0, "none"), (1 / 6031, "1 in 6,030"), (0.3, "1 in 3.3"), (1.0, "100%")])
def test_one_in(rate: Any, text: Any) -> None:
    assert guard.one_in(rate) == text
