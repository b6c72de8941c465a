"""Waiting for what has to happen, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Return as soon as the condition holds.

    Raises
    ------
    TimeoutError
        It does not hold after `within_s`.
    """
    end_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited for in vain, for {within_s:g} s")
        time.sleep(0.02)
