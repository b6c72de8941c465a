"""Processes of the stream that a test may kill: `stream_processes.py hub|camera|reader FOLDER NAME SEED`."""

import os
import random
import signal
import sys
import time
from pathlib import Path

from alerts_material import alert, pictures, settings

from appliance.alerts.event import Event
from appliance.core.telemetry import Meter
from appliance.stream.hub import serve
from appliance.stream.outbox import Outbox
from appliance.stream.subscriber import Subscriber


def hub(folder: Path, _: str, seed: int) -> None:
    """Dies by itself after a while: between commit and acknowledgement, or between that and publication."""
    draw = random.Random(seed)
    left = draw.randint(5, 60)

    def fault(_: str) -> None:
        nonlocal left
        left -= 1
        if left <= 0 and not (folder / "peace").exists():
            time.sleep(draw.choice([0.0, 0.02]))  # with and without what was sent just now on its way
            os.kill(os.getpid(), signal.SIGKILL)

    serve(settings(folder, fault=fault))


def camera(folder: Path, name: str, seed: int) -> None:
    """Sends alerts until there is peace, then until all are taken; writes down what it sent and what was taken."""
    draw = random.Random(seed)
    kept: dict[str, None] = {}
    number = 0
    with (
        Outbox(settings(folder).cameras, name, Meter(), resend_s=0.3) as outbox,
        (folder / f"sent-{name}-{seed}").open("w") as sent,
        (folder / f"taken-{name}").open("a") as taken,
    ):
        while not (folder / "peace").exists() or outbox.pending:
            for _ in range(0 if (folder / "peace").exists() or outbox.pending > 100 else draw.randint(1, 6)):
                made = alert(camera=name, entry=f"{name}-{seed}-{number}")
                number += 1
                kept[made.id] = None
                outbox.send_alert(made, pictures(made.id))
                sent.write(made.id + "\n")
                sent.flush()
            outbox.pump(draw.uniform(0, 0.02))
            for id_ in [id_ for id_ in kept if id_ not in outbox.waiting]:
                taken.write(id_ + "\n")
                taken.flush()
                del kept[id_]
            time.sleep(draw.uniform(0, 0.1))


def reader(folder: Path, name: str, _: int) -> None:
    """Goes on where its file ends: one line an event, written before the next is asked for."""
    path = folder / f"seen-{name}"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    path.write_text("".join(whole))
    after, epoch = (int(whole[-1].split()[0]), whole[-1].split()[1]) if whole else (0, "")
    made = settings(folder)
    with Subscriber(made.publish, made.replay, after_seq=after, epoch=epoch) as stream, path.open("a") as seen:
        for item in stream:
            if isinstance(item, Event):
                assert [bytes(p) for p in pictures(item.header.id)] == list(item.pictures)
                seen.write(f"{item.seq} {item.header.epoch} {item.header.id}\n")
                seen.flush()


if __name__ == "__main__":
    {"hub": hub, "camera": camera, "reader": reader}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
