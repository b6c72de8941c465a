"""Exact intervals, against published values and their own definition."""

import math
from typing import Any

import pytest

from appliance.core import binomial


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # Exact confidence limits for binomial proportions: Geigy Scientific Tables, 8th ed., vol. 2.
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (1, 20, 0.0013, 0.2487),
        (10, 100, 0.0490, 0.1762),
        (0, 100, 0.0, 0.0362),
        (4, 20, 0.0573, 0.4366),
    ],
)
def test_published_values(k: Any, n: Any, low: Any, high: Any) -> None:
    assert binomial.interval(k, n) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("k", "n"), [(1, 1000), (3, 15_500), (10, 3_147_436), (700, 1000), (2077, 3_147_436)])
def test_the_bounds_are_where_the_binomial_tails_are_a_fortieth(k: Any, n: Any) -> None:
    def log_pmf(i: Any, p: Any) -> Any:
        return (
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
        )

    low, high = binomial.interval(k, n)
    assert low < k / n < high
    at_most = math.fsum(math.exp(log_pmf(i, high)) for i in range(k + 1))
    below = math.fsum(math.exp(log_pmf(i, low)) for i in range(k))
    assert at_most == pytest.approx(0.025, rel=1e-6)
    assert 1 - below == pytest.approx(0.025, rel=1e-5)


def test_nothing_seen_says_nothing() -> None:
    assert binomial.interval(0, 0) == (0.0, 1.0)
    assert binomial.lower_bound(0, 0) == 0.0


def test_rule_of_three() -> None:
    assert binomial.interval(0, 10_000, confidence=0.90)[1] == pytest.approx(3 / 10_000, rel=0.01)


def test_more_confidence_is_a_wider_interval() -> None:
    narrow, wide = binomial.interval(7, 900, 0.8), binomial.interval(7, 900, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_one_sided_bound_is_the_two_sided_one_of_ninety_percent() -> None:
    assert binomial.lower_bound(5, 2000) == pytest.approx(binomial.interval(5, 2000, 0.9)[0], rel=1e-9)


@pytest.mark.parametrize(("k", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_nonsense_is_refused(k: Any, n: Any, confidence: Any) -> None:
    with pytest.raises(ValueError, match="is not"):
        binomial.interval(k, n, confidence)
