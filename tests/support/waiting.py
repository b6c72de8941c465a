"""Waiting for what has to happen, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def until(condition: Callable[[], object], what: str = "what was waited for", within_s: float = 30.0) -> None:
    """Return as soon as the condition holds.

    Raises
    ------
    TimeoutError
        It does not hold after `within_s`.
    """
    end_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """A zombie is gone, too: not every machine has somebody who collects the dead that nobody else does."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
