"""Rates with the interval that their counts allow: Clopper-Pearson, exact, without scipy."""

from __future__ import annotations

import math

_ITERATIONS = 400
_TINY = 1e-300


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method.

    Source: DLMF 8.17.22 (https://dlmf.nist.gov/8.17#v); W. H. Press et al., Numerical Recipes, 3rd ed., §6.4.
    """
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _ITERATIONS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def regularised_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), the distribution function of Beta(a, b) at x, for positive a and b."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(log_front) * _beta_fraction(a, b, x) / a
    return 1.0 - math.exp(log_front) * _beta_fraction(b, a, 1.0 - x) / b


def _quantile(p: float, a: float, b: float) -> float:
    """The x at which I_x(a, b) is p, by bisection (in the logarithm while x is small: rates are)."""
    low, high = 0.0, 1.0
    for _ in range(2000):
        middle = math.sqrt(low * high) if low > 0.0 and high < 0.5 else (low + high) / 2.0
        if middle in (low, high) or high - low < 1e-13 * high:
            break
        if regularised_beta(a, b, middle) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _check(k: int, n: int, confidence: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a count of cases")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")


def interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two-sided exact interval of a rate of which `k` cases were seen in `n`; (0, 1) where n is 0.

    Source: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934) 404-413; as quantiles of the beta distribution.
    """
    _check(k, n, confidence)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if k == 0 else _quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else _quantile(1.0 - tail, k + 1, n - k)
    return low, high


def lower_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """The one-sided exact lower bound: with this confidence the rate is above it; 0 where k is 0."""
    _check(k, n, confidence)
    return 0.0 if k == 0 else _quantile(1.0 - confidence, k, n - k + 1)
