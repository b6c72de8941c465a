"""What the running appliance does: latency of alerts, dwell of non-matches, memory, a change of list, the end.

Runs `lfr run` as a process of its own on the simulated street at the pace of a camera.
"""

from __future__ import annotations

import bisect
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Alert
from appliance.config.live import Config, load
from appliance.core.errors import JournalError, LfrError
from appliance.core.ports import free_port
from appliance.deployment import end
from appliance.lab.simulation import scenario
from appliance.vision.install import ensure_picture

SOURCE = "street:?loop=1&people=2&gap=2&extras=0&fps=12.5"
START_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What `measure_run` found; times in milliseconds unless the name says otherwise.

    Attributes
    ----------
    alert_latency_ms
        Captured to sent, p50 and p99, interpolated in the buckets of `lfr_alert_latency_seconds`.
    dwell_ms
        Captured to overwritten, p50 and p99, interpolated in the buckets of `lfr_nonmatch_dwell_seconds`.
    start_s
        From the command to the first frame of the camera.
    first_alert_s
        From the command to the first alert in the journal.
    swap_s
        From a new list in place to its use by the running camera.
    wipe_s
        Of `lfr end`'s destroying and checking.
    """

    seconds: float
    alerts: int
    people_seen: int
    frames_a_second: float
    alert_latency_ms: tuple[float, float]
    dwell_ms: tuple[float, float]
    memory_mib: dict[str, float]
    start_s: float
    first_alert_s: float
    swap_s: float
    wipe_s: float


def measure_run(seconds: float = 30.0, said: Callable[[str], None] = lambda _: None) -> RunFigures:
    """Run the appliance for so long after its camera is live, change its list, and end the deployment.

    Raises
    ------
    LfrError
        It did not start, or ended while it was measured.
    """
    # Keys, photos and a sealed list lie in it: it goes whatever happens.
    with tempfile.TemporaryDirectory(prefix="lfr-bench-", ignore_cleanup_errors=True) as folder:
        return _measure_in(Path(folder), seconds, said)


def _measure_in(folder: Path, seconds: float, said: Callable[[str], None]) -> RunFigures:
    people = [scenario.Person("P1", (ensure_picture("hopper"),)), scenario.Person("P2", (ensure_picture("astronaut"),))]
    camera = {"name": "street", "source": SOURCE, "preview_fps": 2}
    document = scenario.document(
        folder, [camera], metrics={"listen": f"127.0.0.1:{free_port()}"}, matching={"cooldown_s": 1}
    )
    config = load(scenario.make(folder, document, people[:1]))
    said("starting the appliance")
    started_s = time.monotonic()
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "run", "-c", str(folder / scenario.CONFIG_NAME)],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        start_s = _until(lambda: _value(config, "lfr_camera_up") == 1, process, "the camera is up") - started_s
        first_s = _until(lambda: _alerts(config), process, "the first alert") - started_s
        said("changing the list while the camera runs")
        # Both pass from now on as wanted people, so that there are more latencies.
        scenario.build(folder, config, people)
        placed_s = time.monotonic()
        swap_s = _until(lambda: '"watchlist changed"' in (folder / "run.log").read_text(), process, "swap") - placed_s
        said(f"{seconds:.0f} seconds of street")
        frames, begun_s = _value(config, "lfr_frames_total"), time.monotonic()
        while time.monotonic() < begun_s + seconds and process.poll() is None:
            time.sleep(0.2)
        if process.poll() is not None:
            raise LfrError(f"The appliance ended with code {process.returncode} while it was measured.")
        lasted_s = time.monotonic() - begun_s
        samples = list(_samples(config))
        memory = {
            labels["process"]: round(value / 2**20, 1)
            for name, labels, value in samples
            if name == "lfr_process_resident_bytes"
        }
        rate = (_value(config, "lfr_frames_total") - frames) / lasted_s
        seen = _value(config, "lfr_people_seen_total")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        alerts = _alerts(config)
        said("ending the deployment")
        ended_s = time.monotonic()
        end.end(config, by="bench", reason="the benchmark is over")
        wipe_s = time.monotonic() - ended_s
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return RunFigures(
        seconds=round(lasted_s, 1),
        alerts=len(alerts),
        people_seen=round(seen),
        frames_a_second=round(rate, 1),
        alert_latency_ms=_median_and_p99_ms(samples, "lfr_alert_latency_seconds"),
        dwell_ms=_median_and_p99_ms(samples, "lfr_nonmatch_dwell_seconds"),
        memory_mib=memory,
        start_s=round(start_s, 1),
        first_alert_s=round(first_s, 1),
        swap_s=round(swap_s, 1),
        wipe_s=round(wipe_s, 2),
    )


def _until(condition: Callable[[], Any], process: subprocess.Popen[bytes], what: str) -> float:
    """When the condition came true."""
    end_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end_s:
        if condition():
            return time.monotonic()
        if process.poll() is not None:
            raise LfrError(f"The appliance ended with code {process.returncode} before {what}.")
        time.sleep(0.05)
    raise LfrError(f"{what}: not within {START_TIMEOUT_S:.0f} s.")


def _samples(config: Config) -> Iterator[tuple[str, dict[str, str], float]]:
    try:
        with urllib.request.urlopen(f"http://{config.metrics.listen}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _value(config: Config, name: str) -> float:
    return next((value for found, _, value in _samples(config) if found == name), 0.0)


def _alerts(config: Config) -> list[Alert]:
    try:
        with Journal.open_reader(config.alerts.state_dir) as journal:
            return list(journal.alerts())
    except JournalError:
        return []


def _median_and_p99_ms(samples: list[tuple[str, dict[str, str], float]], histogram: str) -> tuple[float, float]:
    """Of the one camera's histogram of seconds, milliseconds."""
    return round(_quantile(samples, histogram, 0.5) * 1000, 1), round(_quantile(samples, histogram, 0.99) * 1000, 1)


def _quantile(samples: list[tuple[str, dict[str, str], float]], histogram: str, share: float) -> float:
    """A quantile of a histogram, linear within its bucket, as Prometheus's histogram_quantile; seconds."""
    buckets = sorted((float(labels["le"]), value) for name, labels, value in samples if name == f"{histogram}_bucket")
    if not buckets or not buckets[-1][1]:
        return float("nan")
    wanted = share * buckets[-1][1]
    i = bisect.bisect_left([count for _, count in buckets], wanted)
    low, below = buckets[i - 1] if i else (0.0, 0.0)
    high, count = buckets[i]
    if high == float("inf"):
        return low
    return low + (high - low) * (wanted - below) / max(count - below, 1e-9)
