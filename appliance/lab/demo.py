"""The demo: a deployment of its own in a folder of its own, watched from outside like a console would.

It walks two people past a simulated camera, one on the watchlist and one not, runs the appliance as `lfr run` does, and
judges itself against the street's ground truth: the first has to be alerted, the other not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import yaml

from appliance.alerts.event import Event
from appliance.alerts.messages import Alert, Status
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.core.ports import free_ports
from appliance.lab.simulation import scenario
from appliance.lab.simulation.ground_truth import GroundTruth
from appliance.stream.subscriber import Subscriber
from appliance.vision.install import ensure_picture

LISTED = "hopper"
NOT_LISTED = "astronaut"
NAMES = {LISTED: "Grace Hopper", NOT_LISTED: "Eileen Collins"}
TOKEN_VARIABLE = "LFR_DEMO_TOKEN"  # noqa: S105 (the name of a variable, not a secret)
WINDOW = timedelta(hours=1)
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 8.0


@dataclass(slots=True)
class Verdict:
    """What came, judged by the street's ground truth.

    Attributes
    ----------
    mated, false
        Alerts on the listed person, and on anybody else.
    latencies_s
        Captured to received by this process, one for each alert.
    """

    mated: int = 0
    false: int = 0
    people_seen: int = 0
    latencies_s: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def success(self) -> bool:
        """The listed person was alerted, nobody else was, and both were seen."""
        return not self.problem and self.mated >= 1 and self.false == 0 and self.people_seen >= 2


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert, who it was in truth, and how long after capture it was received."""

    alert: Alert
    who: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is prepared: its folder, its configuration and the way into its console."""

    folder: Path
    config: Path
    console_url: str
    token: str
    publish: str
    replay: str
    source: str


def prepare(folder: Path, *, console: bool, said: Callable[[str], None]) -> Demo:
    """Make keys, a watchlist of one with two approvals, and a configuration, as an operator would.

    Parameters
    ----------
    said
        Told in a few words what is being done.
    """
    started_at = utc_now().replace(microsecond=0)
    said("making keys, enrolling one portrait, two approvals")
    document = yaml.safe_load(resources.files("appliance").joinpath("data/demo.yaml").read_text(encoding="utf-8"))
    publish, replay, page, metrics = free_ports(4)
    document["deployment"] |= {"starts": started_at, "ends": started_at + WINDOW}
    document["deployment"]["authorised_by"]["at"] = started_at
    document["deployment"]["signs"]["at"] = started_at
    document["alerts"] |= {"publish": f"tcp://127.0.0.1:{publish}", "replay": f"tcp://127.0.0.1:{replay}"}
    document["metrics"] = {"listen": f"127.0.0.1:{metrics}"}
    document["console"] = {"listen": f"127.0.0.1:{page}"}
    if not console:
        del document["console"]
    config = scenario.make(
        folder,
        document,
        [
            scenario.Person(
                id=f"DEMO-{LISTED}",
                photos=(ensure_picture(LISTED),),
                category="demo",
                response="amber",
                label=NAMES[LISTED],
            )
        ],
    )
    return Demo(
        folder=folder,
        config=config,
        console_url=f"http://127.0.0.1:{page}" if console else "",
        token=secrets.token_urlsafe(32),
        publish=document["alerts"]["publish"],
        replay=document["alerts"]["replay"],
        source=document["cameras"][0]["source"],
    )


class Appliance:
    """`lfr run` on the demo's configuration, as a process of its own; its log is `run.log` in the demo's folder."""

    def __init__(self, demo: Demo) -> None:
        self._log = (demo.folder / "run.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "run", "-c", str(demo.config)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, TOKEN_VARIABLE: demo.token},
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """True until it ended by itself or was stopped."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end as a terminal would, and insist after a while."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


class Watcher:
    """Follows the stream of the demo, keeps the pictures of its alerts, and judges each against the truth."""

    def __init__(self, demo: Demo) -> None:
        self.verdict = Verdict()
        self.alerts: list[Judged] = []
        self.status: Status | None = None
        self.demo = demo
        self._truth = GroundTruth(demo.source)
        self._stream = Subscriber(demo.publish, demo.replay).start()
        (demo.folder / "alerts").mkdir(exist_ok=True)

    def close(self) -> None:
        """Leave the stream."""
        self._stream.close()

    def look(self, timeout_s: float) -> bool:
        """Take in what came; True when an alert was among it."""
        came = False
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            item = self._stream.get(left_s)
            if isinstance(item, Status):
                self.status = item
                self.verdict.people_seen = max(self.verdict.people_seen, item.people_seen)
            elif isinstance(item, Event) and isinstance(item.header, Alert):
                self._judge(item.header, item.pictures)
                came = True
        return came

    def _judge(self, alert: Alert, pictures: tuple[bytes, ...]) -> None:
        who = self._truth.who(alert.media_s or 0.0, alert.face_xyxy, alert.scene_wh)
        latency_s = (utc_now() - alert.captured_at).total_seconds()
        self.verdict.latencies_s.append(latency_s)
        if who == LISTED:
            self.verdict.mated += 1
        else:
            self.verdict.false += 1
        self.alerts.append(Judged(alert, who or "nobody", latency_s))
        for name, picture in zip(("scene", "face", "watchlist"), pictures, strict=False):
            (self.demo.folder / "alerts" / f"{alert.seq:03d}-{name}.jpg").write_bytes(picture)


def wait_until_live(watcher: Watcher, appliance: Appliance, stopped: Callable[[], bool]) -> None:
    """Until the camera gives pictures, or somebody stops it.

    Raises
    ------
    LfrError
        The appliance ended by itself, or was not ready in time.
    """
    until = time.monotonic() + START_TIMEOUT_S
    while not stopped():
        watcher.look(0.2)
        if watcher.status is not None and any(camera.state == "live" for camera in watcher.status.cameras):
            return
        if not appliance.running:
            raise LfrError("The appliance did not start.", "run.log in the demo's folder says why.")
        if time.monotonic() > until:
            raise LfrError(f"The appliance was not ready within {START_TIMEOUT_S:.0f} s.", "See run.log.")


def follow(
    watcher: Watcher, appliance: Appliance, seconds: float | None, stopped: Callable[[], bool]
) -> Iterator[list[Judged]]:
    """Four times a second the alerts that came, until it is stopped, the time is over or the appliance ends."""
    until = time.monotonic() + seconds if seconds else None
    told = 0
    while appliance.running and not stopped() and (until is None or time.monotonic() < until):
        watcher.look(0.25)
        yield watcher.alerts[told:]
        told = len(watcher.alerts)
    if not appliance.running and not stopped():
        watcher.verdict.problem = f"The appliance ended by itself; see {watcher.demo.folder / 'run.log'}."


@contextlib.contextmanager
def running(demo: Demo) -> Iterator[tuple[Watcher, Appliance]]:
    """The appliance of a demo and somebody who watches it; afterwards both are gone, and so is what must not stay."""
    watcher = Watcher(demo)
    appliance = Appliance(demo)
    try:
        yield watcher, appliance
    finally:
        watcher.close()
        appliance.stop()
        clean(demo)


def clean(demo: Demo) -> None:
    """Destroy what a deployment must not leave: keys, watchlist, journal; pictures of the alerts and the log stay."""
    for name in ("keys", "signers", "state", "photos"):
        shutil.rmtree(demo.folder / name, ignore_errors=True)
    for path in demo.folder.glob("list.lfrw*"):
        path.unlink(missing_ok=True)


def latency_text(latencies_s: list[float]) -> str:
    """The latencies in words, milliseconds."""
    if not latencies_s:
        return "–"
    middle, worst = np.percentile(latencies_s, [50, 100]) * 1000
    return f"{middle:.0f} ms (median), {worst:.0f} ms (longest)"


def require_folder(folder: Path) -> Path:
    """The demo's folder, made new.

    Raises
    ------
    LfrError
        It exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise LfrError(f"{folder} is not empty.", "Name another folder with --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()
