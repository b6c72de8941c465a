"""Counters are absolute, bounded, and never name a secret."""

import json
import subprocess
import sys

import pytest

from appliance.core.telemetry import LATENCY_BUCKETS_S, MAX_SERIES, Meter


def test_a_snapshot_is_absolute_and_a_copy() -> None:
    meter = Meter()
    meter.count("lfr_frames_total", 2, camera="north")
    first = meter.snapshot()
    meter.count("lfr_frames_total", camera="north")
    assert first[0].value == 2
    assert meter.value("lfr_frames_total", camera="north") == 3


def test_a_histogram_counts_each_observation_in_one_bucket() -> None:
    meter = Meter()
    for seconds in (0.001, LATENCY_BUCKETS_S[0], 0.3, 99.0):
        meter.observe("lfr_stage_seconds", seconds, stage="detect")
    (sample,) = meter.snapshot()
    assert sum(sample.buckets) == 4
    assert sample.buckets[0] == 2
    assert sample.buckets[-1] == 1
    assert sample.value == pytest.approx(99.306)


def test_labels_without_a_bound_are_refused() -> None:
    meter = Meter()
    for i in range(MAX_SERIES):
        meter.count("x", label=str(i))
    with pytest.raises(ValueError, match="without a bound"):
        meter.count("x", label="one more")


def test_passwords_in_urls_do_not_reach_the_log() -> None:
    code = (
        "import structlog; from appliance.core.telemetry import configure_logging; configure_logging('t');"
        "structlog.get_logger().info('opening', source='rtsp://me:hunter2@host/x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert line["source"] == "rtsp://***@host/x"
    assert "hunter2" not in done.stderr
