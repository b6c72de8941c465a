"""The measurement of the stream's latency measures something."""

from pathlib import Path

import pytest

from appliance.lab.bench.stream import measure_latency


def test_every_alert_is_timed(tmp_path: Path) -> None:
    found = measure_latency(3, 2000, tmp_path)
    assert found.alerts == 3
    assert 0 < found.p50_s <= found.p99_s < 10
    assert found.alerts_per_second > 0
    assert list(tmp_path.iterdir()) == []


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        measure_latency(0)
