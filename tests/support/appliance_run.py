"""The real appliance as a process, on a deployment made for a test: start, watch, kill parts, read what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from own_ports import own_port
from prometheus_client.parser import text_string_to_metric_families

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Alert
from appliance.config.live import Config, load
from appliance.core.errors import JournalError
from appliance.lab.simulation import scenario

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def short_folder() -> Path:
    """A new folder whose sockets' paths fit into 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="lfr-t-"))


class Appliance:
    """`lfr run` on a configuration."""

    def __init__(self, config_path: Path) -> None:
        self.path = config_path
        self.config: Config = load(config_path)
        self.log = config_path.parent / f"run-{time.monotonic_ns()}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance", "run", "-c", str(config_path)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                start_new_session=True,
            )

    def __enter__(self) -> Appliance:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait(self, timeout_s: float = 50) -> int:
        """The exit code, when it has ended by itself."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s:\n{self.tail()}") from None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(10)

    def tail(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-15:])

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 40) -> Any:
        """Wait for something; fail with the end of the log."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            assert self.process.poll() is None, f"ended (code {self.process.returncode}) before {what}:\n{self.tail()}"
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {timeout_s} s:\n{self.tail()}")

    def alerts(self) -> list[Alert]:
        return alerts_of(self.config)

    def worker(self, name: str) -> psutil.Process | None:
        """The process of a worker: `hub`, `console` or a camera's name."""
        wanted = f"lfr {name}"[:15]
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                if Path(f"/proc/{child.pid}/comm").read_text().strip() == wanted:
                    return child
        return None

    def metric(self, name: str, **labels: str) -> float | None:
        """One sample of /metrics; None while there is none."""
        try:
            with urllib.request.urlopen(f"http://{self.config.metrics.listen}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return None
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None


def alerts_of(config: Config) -> list[Alert]:
    """The alerts in the journal, in order; none while there is no journal."""
    try:
        with Journal.open_reader(config.alerts.state_dir) as journal:
            return list(journal.alerts())
    except JournalError as error:
        if "no journal" not in str(error):
            raise
        return []


def pictures_of(config: Config) -> Iterator[tuple[Alert, tuple[bytes, ...]]]:
    """Each alert of the journal with its three pictures."""
    with Journal.open_reader(config.alerts.state_dir) as journal:
        for event in journal.events(pictures=True):
            if isinstance(event.header, Alert):
                yield event.header, event.pictures


def deployment(
    folder: Path, cameras: list[dict[str, Any]], people: list[scenario.Person], **sections: dict[str, Any]
) -> Path:
    """Make a deployment for a test; the path of its configuration."""
    sections.setdefault("metrics", {"listen": f"127.0.0.1:{own_port()}"})
    return scenario.make(folder, scenario.document(folder, cameras, **sections), people)
