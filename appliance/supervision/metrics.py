"""The one Prometheus registry: absolute counters of every worker, added up over its incarnations, and `/metrics`.

Workers send whole snapshots (`telemetry.Meter`) with each heartbeat. A worker that dies leaves its last snapshot
behind, so that a counter never goes down; a gauge lives as long as the process that set it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from appliance.core.errors import LfrError
from appliance.core.telemetry import LATENCY_BUCKETS_S, Labels, Sample

log = structlog.get_logger()

STAGES = ("capture", "detect", "embed", "search", "redact", "publish")
PROVIDERS = ("cpu", "cuda", "tensorrt")

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lfr_frames": ("Frames that were looked at", ("camera",)),
    "lfr_frames_dropped": ("Frames that were not looked at, and why", ("camera", "reason")),
    "lfr_people_seen": ("People who passed (tracks, joined where one was broken): opportunities", ("camera",)),
    "lfr_people_uncertain": ("Of these, first seen after too long without a look: perhaps not new", ("camera",)),
    "lfr_faces": ("Faces found in frames", ("camera",)),
    "lfr_alerts": ("Alerts", ("camera", "category")),
    "lfr_decisions": ("Decisions by officers", ("kind", "outcome")),
    "lfr_restarts": ("Times a process was started again", ("process",)),
    "lfr_outbox_lost": ("Alerts that a camera gave up before the hub had them", ("camera",)),
    "lfr_outbox_resent": ("Alerts that a camera sent again, as no answer came", ("camera",)),
    "lfr_outbox_postponed": ("Alerts that the hub could not take yet (full disk), kept by the camera", ("camera",)),
    "lfr_outbox_malformed_answers": ("Answers of the hub that a camera could not read", ("camera",)),
    "lfr_previews_dropped": ("Pictures of the view that the hub had no room for", ("camera",)),
    "lfr_hub_refused_messages": ("Messages of cameras that the hub refused, and why", ("reason",)),
    "lfr_hub_refused_requests": ("Requests of readers that the hub refused, and why", ("reason",)),
    "lfr_hub_repeated": ("Alerts that were in the journal already: sent again, or within the cool-down", ("reason",)),
    "lfr_hub_acks_unsent": ("Acknowledgements that found no way to their camera, which then sends again", ()),
    "lfr_hub_replies_unsent": ("Answers that found no way to their reader", ()),
    "lfr_hub_replayed": ("Events sent in answer to replay requests", ()),
    "lfr_hub_readers_given_up": ("Replays ended because their reader was gone or took nothing", ("reason",)),
    "lfr_hub_purged": ("Alerts deleted at the end of their time", ()),
}
CAMERA_COUNTERS = tuple(name for name, (_, labels) in COUNTERS.items() if labels == ("camera",))
"""Those that start at zero for every camera."""
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "lfr_false_alert_rate": ("False alerts, as decided by officers, over people seen; NaN while it is not known", ()),
    "lfr_camera_up": ("1 while a camera gives frames", ("camera",)),
    "lfr_camera_last_frame_age_seconds": ("Since the newest frame, or since the camera should run", ("camera",)),
    "lfr_watchlist_entries": ("People on the watchlist in use", ()),
    "lfr_index_recall": ("Recall of the search index against the exact search, lowest of the cameras", ()),
    "lfr_execution_provider": ("Camera processes whose models run on this provider", ("provider",)),
    "lfr_deployment_seconds_remaining": ("Until recognition stops", ()),
    "lfr_build_info": ("1; the version as label", ("version",)),
    "lfr_ready": ("1 once everything is warm", ()),
    "lfr_degraded": ("1 while this is not as it should be", ("code",)),
    "lfr_process_up": ("1 while the process runs and is heard", ("process",)),
    "lfr_process_heartbeat_age_seconds": ("Since the process was last heard", ("process",)),
    "lfr_process_resident_bytes": ("Memory that the process holds", ("process",)),
    "lfr_alerts_pending": ("Alerts that are not yet acknowledged", ("process",)),
    "lfr_disk_free_bytes": ("Free space where the journal is", ()),
}
HISTOGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lfr_stage_seconds": ("Time in one stage of recognition", ("camera", "stage")),
    "lfr_alert_latency_seconds": ("From captured to sent to every reader", ("camera",)),
    "lfr_nonmatch_dwell_seconds": ("From captured to overwritten, for those who did not match", ("camera",)),
}
ALLOWED_LABELS = frozenset(
    [
        *("camera", "reason", "category", "kind", "outcome", "stage"),
        *("process", "provider", "code", "version", "state", "source"),
    ]
)
"""No other label is ever exported: none of these can stand for a person."""

RESTORED = frozenset({"lfr_alerts", "lfr_decisions"})
"""Counters that the hub takes from the journal when it starts: over incarnations the highest counts, not the sum."""

Gauge = tuple[str, dict[str, str], float]


@dataclass
class _Series:
    """One counter or histogram over all incarnations of one process."""

    kind: str
    value: float = 0.0
    buckets: tuple[int, ...] = ()

    def plus(self, sample: Sample, restored: bool = False) -> _Series:
        if restored:
            return _Series(sample.kind, max(self.value, sample.value))
        grown = tuple(a + b for a, b in zip(self.buckets, sample.buckets, strict=True)) if self.buckets else None
        return _Series(sample.kind, self.value + sample.value, grown or tuple(sample.buckets))


class CounterTotals:
    """The newest snapshot of each process that lives, and the sums of those that lived before it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._past: dict[str, dict[tuple[str, Labels], _Series]] = {}
        self._live: dict[str, tuple[str, list[Sample]]] = {}
        self._gone: dict[str, set[str]] = {}
        self._refused: set[str] = set()

    def take(self, process: str, incarnation: str, samples: list[Sample]) -> None:
        """Take a snapshot. A new incarnation closes the earlier one; what comes late from a closed one is dropped."""
        with self._lock:
            if incarnation in self._gone.setdefault(process, set()):
                return
            before = self._live.get(process)
            if before is not None and before[0] != incarnation:
                self._close(process, before)
            self._live[process] = (incarnation, [s for s in samples if self._allowed(s)])

    def lost(self, process: str) -> None:
        """The process is gone: its counters stay, its gauges go."""
        with self._lock:
            before = self._live.pop(process, None)
            if before is not None:
                self._close(process, before)

    def _close(self, process: str, live: tuple[str, list[Sample]]) -> None:
        incarnation, samples = live
        past = self._past.setdefault(process, {})
        for sample in samples:
            if sample.kind != "gauge":
                key = (_base(sample), _labels(process, sample))
                past[key] = past.get(key, _Series(sample.kind)).plus(sample, key[0] in RESTORED)
        self._gone[process].add(incarnation)

    def _allowed(self, sample: Sample) -> bool:
        strangers = set(sample.labels) - ALLOWED_LABELS
        if strangers and sample.name not in self._refused and len(self._refused) < 100:
            self._refused.add(sample.name)
            log.warning("a metric with unknown labels is not exported", metric=sample.name, labels=sorted(strangers))
        return not strangers

    def sums(self) -> dict[tuple[str, Labels], _Series]:
        """Counters and histograms over all processes and incarnations, by base name (without `_total`) and labels."""
        with self._lock:
            sums: dict[tuple[str, Labels], _Series] = {}
            for past in self._past.values():
                for key, series in past.items():
                    known = sums.get(key)
                    added = Sample(name=key[0], kind="counter", value=series.value, buckets=list(series.buckets))
                    sums[key] = _Series(series.kind, *_plus(known, added, key[0] in RESTORED))
            for process, (_, samples) in self._live.items():
                for sample in samples:
                    if sample.kind != "gauge":
                        key = (_base(sample), _labels(process, sample))
                        sums[key] = _Series(sample.kind, *_plus(sums.get(key), sample, key[0] in RESTORED))
            return sums

    def gauges(self) -> list[Gauge]:
        """Gauges of the processes that live."""
        with self._lock:
            return [
                (_base(sample), dict(_labels(process, sample)), sample.value)
                for process, (_, samples) in self._live.items()
                for sample in samples
                if sample.kind == "gauge"
            ]

    def total(self, base: str, **labels: str) -> float:
        """The sum of a counter over every series that carries these labels."""
        wanted = set(labels.items())
        return sum(s.value for (name, have), s in self.sums().items() if name == base and wanted <= set(have))


def _plus(known: _Series | None, sample: Sample, restored: bool) -> tuple[float, tuple[int, ...]]:
    series = (known or _Series(sample.kind)).plus(sample, restored)
    return series.value, series.buckets


def _base(sample: Sample) -> str:
    name = sample.name if sample.name.startswith("lfr_") else f"lfr_{sample.name}"
    return name.removesuffix("_total") if sample.kind == "counter" else name


def _labels(process: str, sample: Sample) -> Labels:
    labels = dict(sample.labels)
    if process.startswith("camera/") and "camera" not in labels and "process" not in labels:
        labels["camera"] = process.removeprefix("camera/")
    return tuple(sorted(labels.items()))


class Exporter(Collector):
    """Renders the totals and the supervisor's own gauges; every name of the contract is there from the start.

    Parameters
    ----------
    totals
        What the workers counted.
    cameras, categories
        Known from the start, so that their series start at zero.
    gauges
        Called at each scrape for the gauges that the supervisor knows.
    restarts
        Called at each scrape: process name to restarts.
    """

    def __init__(
        self,
        totals: CounterTotals,
        cameras: Iterable[str],
        gauges: Callable[[], Iterable[Gauge]],
        restarts: Callable[[], dict[str, int]],
    ) -> None:
        self._ledger = totals
        self._cameras = tuple(cameras)
        self.categories: tuple[str, ...] = ()
        self._gauges = gauges
        self._restarts = restarts
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._server: tuple[Any, threading.Thread] | None = None

    def describe(self) -> Iterator[Any]:
        """Nothing: names are known, and asking would read the totals before they are filled."""
        return iter(())

    def collect(self) -> Iterator[Any]:
        """The metric families of one scrape."""
        sums = self._ledger.sums()
        for process, count in self._restarts().items():
            sums[("lfr_restarts", (("process", process),))] = _Series("counter", count)
        self._zeros(sums)
        names = {name: series.kind for (name, _), series in sums.items()}
        for name in [*COUNTERS, *sorted(n for n, kind in names.items() if kind == "counter" and n not in COUNTERS)]:
            yield from _counter(name, sums)
        for name in [*HISTOGRAMS, *sorted(n for n, k in names.items() if k == "histogram" and n not in HISTOGRAMS)]:
            yield from _histogram(name, sums)
        yield from self._gauge_families()

    def _zeros(self, sums: dict[tuple[str, Labels], _Series]) -> None:
        empty = tuple([0] * (len(LATENCY_BUCKETS_S) + 1))
        for camera in self._cameras:
            at = ("camera", camera)
            for name in CAMERA_COUNTERS:
                sums.setdefault((name, (at,)), _Series("counter"))
            for category in self.categories:
                sums.setdefault(("lfr_alerts", (at, ("category", category))), _Series("counter"))
            for stage in STAGES:
                sums.setdefault(("lfr_stage_seconds", (at, ("stage", stage))), _Series("histogram", 0.0, empty))
            for name in ("lfr_alert_latency_seconds", "lfr_nonmatch_dwell_seconds"):
                sums.setdefault((name, (at,)), _Series("histogram", 0.0, empty))

    def _gauge_families(self) -> Iterator[Any]:
        values: dict[str, dict[Labels, float]] = {name: {} for name in GAUGES}
        for name, labels, value in [*self._ledger.gauges(), *self._gauges()]:
            values.setdefault(name, {})[tuple(sorted(labels.items()))] = value
        for name, series in values.items():
            doc, known = GAUGES.get(name, ("Reported by a process", ()))
            keys = known or tuple(sorted({key for labels in series for key, _ in labels}))
            family = GaugeMetricFamily(name, doc, labels=keys)
            for found, value in sorted(series.items()):
                family.add_metric([dict(found).get(key, "") for key in keys], value)
            yield family

    def serve(self, listen: str) -> int:
        """Answer scrapes at `HOST:PORT`, on that address only; returns the port.

        Raises
        ------
        LfrError
            The address cannot be listened on.
        """
        host, _, port = listen.rpartition(":")
        try:
            self._server = start_http_server(int(port), addr=host.strip("[]"), registry=self.registry)
        except OSError as error:
            raise LfrError(
                f"metrics.listen {listen} cannot be used: {error.strerror or error}.",
                "Another program has the port, or the address is not this machine's: change it or stop the other.",
            ) from None
        return int(self._server[0].server_port)

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join(2)
            self._server = None


def _counter(name: str, sums: dict[tuple[str, Labels], _Series]) -> Iterator[Any]:
    doc, keys, series = _of(name, COUNTERS, sums)
    family = CounterMetricFamily(name, doc, labels=keys)
    for found, one in series:
        family.add_metric([dict(found).get(key, "") for key in keys], one.value)
    yield family


def _histogram(name: str, sums: dict[tuple[str, Labels], _Series]) -> Iterator[Any]:
    doc, keys, series = _of(name, HISTOGRAMS, sums)
    family = HistogramMetricFamily(name, doc, labels=keys)
    bounds = [*(repr(float(bound)) for bound in LATENCY_BUCKETS_S), "+Inf"]
    for found, one in series:
        if math.isfinite(one.value):
            buckets = list(zip(bounds, accumulate(one.buckets), strict=True))
            family.add_metric([dict(found).get(key, "") for key in keys], buckets, one.value)
    yield family


def _of(
    name: str, catalogue: dict[str, tuple[str, tuple[str, ...]]], sums: dict[tuple[str, Labels], _Series]
) -> tuple[str, tuple[str, ...], list[tuple[Labels, _Series]]]:
    series = sorted(((labels, one) for (have, labels), one in sums.items() if have == name), key=lambda pair: pair[0])
    doc, keys = catalogue.get(name, ("Reported by a process", ()))
    return doc, keys or tuple(sorted({key for labels, _ in series for key, _ in labels})), series
