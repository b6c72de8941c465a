"""What a running appliance exports is read as it is: quantiles within buckets, nothing where nothing answers."""

from __future__ import annotations

import http.server
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from own_ports import own_port

from appliance.config.live import Config
from appliance.core.errors import LfrError
from appliance.deployment import end
from appliance.lab.bench import run as module
from appliance.lab.simulation import scenario

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
    assert module._value(listens(own_port()), "lfr_camera_up") == 0


def test_an_appliance_that_ends_too_early_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
        with pytest.raises(LfrError, match="ended with code 3 before the first alert"):
            module._until(lambda: False, process, "the first alert")


class Clock:
    """Time that passes only when somebody sleeps; `then` happens at each moment."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.then: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.then()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def running() -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", SimpleNamespace(poll=lambda: None, returncode=None))


def test_what_does_not_come_in_time_is_named(clock: Clock) -> None:
    with pytest.raises(LfrError, match=r"^the first alert: not within 90 s\.$"):
        module._until(lambda: False, running(), "the first alert")
    assert clock.now_s == pytest.approx(1000 + module.START_TIMEOUT_S, abs=0.1)


def test_the_moment_is_that_at_which_the_condition_came_true(clock: Clock) -> None:
    assert module._until(lambda: clock.now_s > 1001.99, running(), "it") == pytest.approx(1002, abs=0.06)


def test_median_and_p99_are_milliseconds_with_a_decimal() -> None:
    samples = buckets(("0.1", 50), ("0.2", 100), ("+Inf", 100))
    assert module._median_and_p99_ms(samples, "lfr_nonmatch_dwell_seconds") == (100.0, 198.0)
    assert all(math.isnan(value) for value in module._median_and_p99_ms(samples, "lfr_alert_latency_seconds"))


def test_there_are_no_alerts_before_there_is_a_journal(tmp_path: Path) -> None:
    config = cast("Config", SimpleNamespace(alerts=SimpleNamespace(state_dir=tmp_path / "state")))
    assert module._alerts(config) == []


class Appliance:
    """`lfr run` as `measure_run` sees it: live after 2 s, an alert after 3, a swap 1 s after a new list."""

    pid = 4242

    def __init__(self, clock: Clock, patch: pytest.MonkeyPatch) -> None:
        self.clock = clock
        self.returncode: int | None = None
        self.folder = Path()
        self.command: list[str] = []
        self.lists: list[list[str]] = []
        self.ended: list[dict[str, str]] = []
        self.signals: list[int] = []
        self.dies_at_s = math.inf
        self.listed_s = math.inf
        clock.then = self._live
        patch.setattr(module, "ensure_picture", lambda name: Path(name))
        patch.setattr(module, "load", lambda path: path)
        patch.setattr(module, "scenario", SimpleNamespace(
            Person=scenario.Person, document=scenario.document, CONFIG_NAME=scenario.CONFIG_NAME, make=self._make,
            build=self._build))  # fmt: skip
        patch.setattr(subprocess, "Popen", self._open)
        patch.setattr(module, "_samples", lambda _: iter(self._samples()))
        patch.setattr(module, "_alerts", lambda _: ["an alert"] * int(max(0, clock.now_s - 1002)))
        patch.setattr(end, "end", lambda _, **why: self.ended.append(why))
        patch.setattr(os, "killpg", lambda _, number: self.signals.append(number))

    def _make(self, folder: Path, document: dict[str, Any], people: list[scenario.Person]) -> Path:
        self.folder = folder
        self.lists.append([person.id for person in people])
        return folder / scenario.CONFIG_NAME

    def _build(self, folder: Path, config: Config, people: list[scenario.Person]) -> None:
        self.lists.append([person.id for person in people])
        self.listed_s = self.clock.now_s

    def _open(self, command: list[str], **_: Any) -> Appliance:
        self.command = command
        return self

    def _live(self) -> None:
        if self.clock.now_s >= self.dies_at_s:
            self.returncode = 3
        if self.clock.now_s >= self.listed_s + 1:
            (self.folder / "run.log").write_text('{"event": "watchlist changed"}')

    def _samples(self) -> list[tuple[str, dict[str, str], float]]:
        if self.returncode is not None:
            return []
        ran_s = self.clock.now_s - 1000
        return [
            ("lfr_camera_up", {}, float(ran_s >= 2)),
            ("lfr_frames_total", {}, 12.5 * ran_s),
            ("lfr_people_seen_total", {}, 7.0),
            ("lfr_process_resident_bytes", {"process": "hub"}, 50.06 * 2**20),
            *buckets(("0.1", 50), ("0.2", 100), ("+Inf", 100)),
        ]

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        self.returncode = 0

    def wait(self, timeout_s: float = 0) -> int | None:
        return self.returncode


@pytest.fixture
def appliance(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Appliance:
    return Appliance(clock, monkeypatch)


def test_a_run_is_measured_from_its_start_to_its_end(appliance: Appliance) -> None:
    said: list[str] = []
    found = module.measure_run(10, said.append)
    assert appliance.command[1:4] == ["-m", "appliance", "run"]
    assert appliance.lists == [["P1"], ["P1", "P2"]], "one is added while the camera runs"
    assert (found.start_s, found.first_alert_s, found.swap_s) == pytest.approx((2, 3, 1), abs=0.11)
    assert (found.seconds, found.frames_a_second, found.people_seen) == pytest.approx((10, 12.5, 7), abs=0.21)
    assert found.alerts == 12
    assert found.dwell_ms == (100.0, 198.0)
    assert all(math.isnan(value) for value in found.alert_latency_ms), "nothing was measured, and nothing is made up"
    assert found.memory_mib == {"hub": 50.1}
    assert said[-2:] == ["10 seconds of street", "ending the deployment"]
    assert appliance.signals == [signal.SIGTERM]
    assert [why["by"] for why in appliance.ended] == ["bench"]
    assert not appliance.folder.exists()


def test_an_appliance_that_ends_while_it_is_measured_gives_no_figures(appliance: Appliance) -> None:
    appliance.dies_at_s = 1008
    with pytest.raises(LfrError, match="ended with code 3 while it was measured"):
        module.measure_run(10)
    assert appliance.ended == []
    assert not appliance.folder.exists()


def test_an_appliance_that_hangs_is_killed_and_its_folder_removed(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_alerts", lambda _: [])
    with pytest.raises(LfrError, match="the first alert: not within 90 s"):
        module.measure_run(10)
    assert appliance.signals == [signal.SIGKILL]
    assert not appliance.folder.exists()


def test_a_list_that_cannot_be_made_leaves_no_keys_behind(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make(folder: Path, *_: Any) -> Path:
        (folder / "seal.key").touch()
        raise LfrError("No photo could be taken.")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scenario, "make", make)
    monkeypatch.setattr(module, "scenario", scenario)
    with pytest.raises(LfrError, match="No photo"):
        module.measure_run(10)
    assert appliance.command == []
    assert list(tmp_path.iterdir()) == []
