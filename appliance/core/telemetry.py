"""Logs, counters and heartbeats: what a process says about itself, in its own memory and in absolute numbers.

A worker keeps its counters in a `Meter` and sends the whole snapshot with each heartbeat. The supervisor adds up the
incarnations of a worker and is the only one that exports (see `supervision.metrics`).
"""

from __future__ import annotations

import bisect
import contextlib
import logging
import sys
import time
from collections.abc import Iterator, MutableMapping
from typing import Any, Literal

import structlog
from pydantic import BaseModel, Field

from appliance.core.credentials import mask_credentials

LATENCY_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
MAX_SERIES = 512

Labels = tuple[tuple[str, str], ...]


class Sample(BaseModel):
    """One time series of a snapshot: a counter or gauge (`value`) or a histogram (`buckets`, `total`)."""

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    kind: Literal["counter", "gauge", "histogram"]
    value: float = 0.0
    buckets: list[int] = Field(default_factory=list, description="counts below each of LATENCY_BUCKETS_S, then above")


class Meter:
    """The counters of one process, bounded at `MAX_SERIES` series; used by one thread, or by several that only add."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Labels], Sample] = {}

    def _sample(self, name: str, kind: Literal["counter", "gauge", "histogram"], labels: dict[str, str]) -> Sample:
        key = (name, tuple(sorted(labels.items())))
        sample = self._series.get(key)
        if sample is None:
            if len(self._series) >= MAX_SERIES:
                raise ValueError(f"more than {MAX_SERIES} series; {name} has labels without a bound")
            buckets = [0] * (len(LATENCY_BUCKETS_S) + 1) if kind == "histogram" else []
            sample = Sample(name=name, labels=labels, kind=kind, buckets=buckets)
            self._series[key] = sample
        return sample

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._sample(name, "counter", labels).value += amount

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._sample(name, "gauge", labels).value = value

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add one observation to a histogram of seconds."""
        sample = self._sample(name, "histogram", labels)
        sample.buckets[bisect.bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        sample.value += seconds

    @contextlib.contextmanager
    def timed(self, name: str, **labels: str) -> Iterator[None]:
        """Observe how long the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.observe(name, time.perf_counter() - started, **labels)

    def value(self, name: str, **labels: str) -> float:
        """What a counter or gauge stands at; 0 when nothing was counted. For a histogram, the sum of seconds."""
        sample = self._series.get((name, tuple(sorted(labels.items()))))
        return sample.value if sample else 0.0

    def snapshot(self) -> list[Sample]:
        """Copies of all series, absolute."""
        return [sample.model_copy(deep=True) for sample in list(self._series.values())]


def _mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask_credentials(value)
    return event


def configure_logging(process: str) -> None:
    """Log to standard error: coloured lines for a person, JSON lines otherwise. Credentials in URLs are masked."""
    person = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if person else "iso", utc=not person),
            structlog.processors.format_exc_info,
            _mask,
            structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
