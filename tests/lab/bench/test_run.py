"""What a running appliance exports is read as it is: quantiles within buckets, nothing where nothing answers."""

from __future__ import annotations

import http.server
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from appliance.config.live import Config
from appliance.core.errors import LfrError
from appliance.core.ports import free_port
from appliance.lab.bench import run as module

METRICS = b"""# TYPE lfr_camera_up gauge
lfr_camera_up{camera="street"} 1.0
# TYPE lfr_people_seen counter
lfr_people_seen_total{camera="street"} 7.0
"""


def buckets(*counts: tuple[str, float]) -> list[tuple[str, dict[str, str], float]]:
    return [("lfr_nonmatch_dwell_seconds_bucket", {"le": limit}, count) for limit, count in counts]


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.5, 0.1), (0.25, 0.05), (0.75, 0.15), (0.99, 0.198), (1.0, 0.2)]
)  # fmt: skip
def test_a_quantile_is_linear_within_its_bucket(share: float, seconds: float) -> None:
    assert module._quantile(
        buckets(("0.1", 50), ("0.2", 100), ("+Inf", 100)), "lfr_nonmatch_dwell_seconds", share
    ) == pytest.approx(seconds)


def test_a_quantile_beyond_the_last_bucket_is_its_limit_and_of_nothing_is_none() -> None:
    assert module._quantile(buckets(("0.1", 50), ("+Inf", 100)), "lfr_nonmatch_dwell_seconds", 0.9) == 0.1
    assert math.isnan(module._quantile([], "lfr_nonmatch_dwell_seconds", 0.5))
    assert math.isnan(module._quantile(buckets(("0.1", 0), ("+Inf", 0)), "lfr_nonmatch_dwell_seconds", 0.5))


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def answering() -> Iterator[Config]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield listens(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def listens(port: int) -> Config:
    return cast("Config", SimpleNamespace(metrics=SimpleNamespace(listen=f"127.0.0.1:{port}")))


def test_a_value_is_read_from_the_metrics_and_is_nought_while_nobody_answers(answering: Config) -> None:
    assert module._value(answering, "lfr_people_seen_total") == 7
    assert module._value(answering, "lfr_camera_up") == 1
    assert module._value(answering, "lfr_other") == 0
    assert module._value(listens(free_port()), "lfr_camera_up") == 0


def test_an_appliance_that_ends_too_early_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
        with pytest.raises(LfrError, match="ended with code 3 before the first alert"):
            module._until(lambda: False, process, "the first alert")
