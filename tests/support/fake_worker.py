"""Scripted workers for tests of the supervisor: they report as told, crash as told, hang as told.

`settings` is a dictionary: `process`, `runtime`, `folder` (where attempts are counted and a hub writes what it hears)
and `acts`, one per attempt (the last repeats): `live`, `absent`, `stuck`, `crash`, `end`, `stubborn`, `fails`. One that
is `cold` has to warm up until there is a file `warm-now`, one that is to `end` does not while there is a file `go-on`.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import zmq

from appliance.core.heartbeat import HeartbeatSender


def attempt_of(folder: Path, process: str) -> int:
    mark = folder / f"attempts-{process.replace('/', '-')}"
    with mark.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(mark.read_text().splitlines())


def serve(settings: dict[str, Any]) -> None:
    folder, process = Path(settings["folder"]), settings["process"]
    acts = settings["acts"]
    act = acts[min(attempt_of(folder, process), len(acts)) - 1]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if act == "stubborn" else lambda *_: stop.set())
    reporter = HeartbeatSender(Path(settings["runtime"]), process)
    camera = process.removeprefix("camera/") if process.startswith("camera/") else None
    hub: zmq.Socket[bytes] | None = None
    if process == "hub":
        hub = zmq.Context.instance().socket(zmq.ROUTER)
        hub.bind(f"ipc://{settings['runtime']}/hub")
    if act == "crash":
        sys.exit(3)
    if act == "fails":
        reporter.beat("failed", now=True, detail="There is no such file.")
        reporter.close()
        sys.exit(1)
    began = time.monotonic()
    state = "reconnecting" if act == "absent" else "live" if camera else "ready"
    while not (stop.is_set() or (reporter.instructions.stop and act != "stubborn")):
        now = time.monotonic()
        if settings["cold"] and not (folder / "warm-now").exists():
            reporter.beat("starting")
        else:
            facts: dict[str, Any] = {
                "provider": "cpu",
                "watchlist": reporter.instructions.watchlist,
                "watchlist_entries": 3,
            }
            if camera and act != "absent":
                reporter.meter.count("lfr_people_seen_total", camera=camera)
                reporter.meter.count("lfr_frames_total", 2, camera=camera)
                reporter.meter.observe("lfr_alert_latency_seconds", 0.25, camera=camera)
                facts |= {"last_frame_age_s": 0.01, "fps": 25.0}
            if not camera:
                facts = {}
            reporter.beat(state, **facts)
            if act == "stuck" and now - began > 0.6:
                time.sleep(3600)
            if act == "end" and now - began > 0.6 and not (folder / "go-on").exists():
                break
        if hub is not None:
            hear(hub, folder)
        time.sleep(0.05)
    if act == "end" and not stop.is_set():
        reporter.beat("ended", now=True)
    elif camera:
        (folder / f"flushed-{camera}").touch()
    reporter.close()
    if hub is not None:
        hear(hub, folder)
        hub.close()


def hear(hub: zmq.Socket[bytes], folder: Path) -> None:
    while hub.poll(0):
        frames = hub.recv_multipart()
        if frames[1] == b"status":
            with (folder / "statuses.jsonl").open("ab") as file:
                file.write(frames[2] + b"\n")
