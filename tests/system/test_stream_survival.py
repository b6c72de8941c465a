"""Hub, cameras and a reader are killed again and again: every alert is seen exactly once and in order."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alerts_material import settings, short_folder

from appliance.alerts.event import Event
from appliance.alerts.journal import Journal
from appliance.alerts.messages import Status
from appliance.stream.subscriber import Connection, Subscriber

SCRIPT = Path(__file__).parents[1] / "support" / "stream_processes.py"
KILLS = int(os.environ.get("LFR_TEST_KILLS", "6"))
"""More for a longer look. The hub dies by itself as well, at points where it hurts most."""


class Processes:
    """The processes of one run; each is started again when it is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self.starts = 0
        self.last_cameras: dict[str, int] = {}

    def start(self, role: str, name: str) -> None:
        self.starts += 1
        if role == "camera":
            self.last_cameras[name] = self.starts
        command = [sys.executable, str(SCRIPT), role, str(self.folder), name, str(self.starts)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path])}
        with (self.folder / f"log-{role}-{name}").open("ab") as log:
            self.running[role, name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def tend(self) -> None:
        """Restart what has died; anything but a kill is a failure."""
        for (role, name), process in list(self.running.items()):
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL, (self.folder / f"log-{role}-{name}").read_text()
                self.start(role, name)

    def kill(self, role: str, name: str) -> None:
        self.running[role, name].kill()
        self.running[role, name].wait()
        self.tend()

    def end(self, role: str, name: str, signal_number: int) -> int:
        process = self.running.pop((role, name))
        process.send_signal(signal_number)
        return process.wait(40)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.mark.timeout(180 + 10 * KILLS)
@pytest.mark.parametrize("seed", [1])
def test_every_alert_is_seen_once_and_in_order_whoever_is_killed(seed: Any) -> None:
    draw = random.Random(seed)
    watched: list[tuple[int, str]] = []
    with short_folder() as folder:
        processes = Processes(folder)
        made = settings(folder)
        everybody = [("hub", "hub"), ("camera", "north"), ("camera", "south"), ("reader", "away")]
        try:
            for role, name in everybody:
                processes.start(role, name)
            with Subscriber(made.publish, made.replay) as stream:

                def watch(until_s: float) -> None:
                    while (left := until_s - time.monotonic()) > 0:
                        item = stream.get(min(left, 0.05))
                        if isinstance(item, Event):
                            watched.append((item.seq, item.header.id))
                        else:
                            assert item is None or isinstance(item, Connection | Status)
                        processes.tend()

                def watch_some(count: int) -> None:
                    wanted, deadline = len(watched) + count, time.monotonic() + 30
                    while len(watched) < wanted and time.monotonic() < deadline:
                        watch(time.monotonic() + 0.02)

                for _ in range(KILLS):
                    watch_some(10)
                    watch(time.monotonic() + draw.uniform(0, 0.1))
                    processes.kill(*draw.choice(everybody))
                watch_some(max(20, 101 - len(watched)))
                (folder / "peace").touch()
                cameras = {name: processes.running.pop(("camera", name)) for name in ("north", "south")}
                for name, camera in cameras.items():  # each sends what it keeps, and ends by itself
                    deadline = time.monotonic() + 40
                    while camera.poll() is None and time.monotonic() < deadline:
                        watch(time.monotonic() + 0.1)
                    assert camera.poll() == 0, (folder / f"log-camera-{name}").read_text()
                with Journal.open_reader(made.state_dir) as reader:
                    journaled = [(event.seq, event.header.id) for event in reader.events()]
                deadline = time.monotonic() + 40
                while time.monotonic() < deadline and (
                    len(watched) < len(journaled) or len(lines(folder / "seen-away")) < 3 * len(journaled)
                ):
                    watch(time.monotonic() + 0.1)
            assert processes.end("hub", "hub", signal.SIGTERM) == 0
        finally:
            for process in processes.running.values():
                process.kill()
                process.wait()
        seen = lines(folder / "seen-away")
        ids = [id_ for _, id_ in journaled]
        kept = {id_ for name, start in processes.last_cameras.items() for id_ in lines(folder / f"sent-{name}-{start}")}
        taken = set(lines(folder / "taken-north")) | set(lines(folder / "taken-south"))
        assert [seq for seq, _ in journaled] == list(range(1, len(journaled) + 1))
        assert len(set(ids)) == len(ids) > 100
        assert watched == journaled
        assert list(zip(map(int, seen[0::3]), seen[2::3], strict=True)) == journaled
        assert taken <= set(ids), "acknowledged, but not in the journal"
        assert kept <= set(ids), "kept by a camera that lived, but not in the journal"
        print(f"{processes.starts} starts, {len(ids)} alerts")
