"""How long an alert takes from a camera's outbox to a reader, through commit and publication, measured on this disk."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from appliance.alerts.event import Event
from appliance.alerts.messages import Alert, EntryRef, ModelRefs, Status, TrackRef, new_id
from appliance.core.clock import utc_now
from appliance.core.errors import StreamError
from appliance.core.telemetry import Meter
from appliance.stream.hub import Hub
from appliance.stream.outbox import Outbox
from appliance.stream.settings import HubSettings
from appliance.stream.subscriber import Subscriber

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class StreamLatency:
    """Seconds from `Outbox.send_alert` to the event in a subscriber's hands; and alerts a second, sent all at once."""

    alerts: int
    p50_s: float
    p99_s: float
    alerts_per_second: float


def measure_latency(alerts: int = 200, picture_bytes: int = 60_000, folder: Path | None = None) -> StreamLatency:
    """Send alerts one by one, then all at once, through a hub in a thread with a journal on a real disk.

    Parameters
    ----------
    alerts
        How many, of each.
    picture_bytes
        Size of each of an alert's three pictures.
    folder
        Where the journal lies meanwhile; default: the folder for temporary files.

    Raises
    ------
    StreamError
        An alert did not arrive.
    """
    if alerts < 1 or picture_bytes < 3:
        raise ValueError(f"alerts {alerts} and picture_bytes {picture_bytes} are too small")
    with tempfile.TemporaryDirectory(prefix="lfr-", dir=folder) as name:
        place = Path(name)
        settings = HubSettings(
            state_dir=place / "state",
            runtime=place,
            publish=f"ipc://{place}/pub",
            replay=f"ipc://{place}/replay",
            deployment="measure",
            cooldown_s=0,
            supervised=False,
        )
        stop = threading.Event()
        hub = Hub(settings)
        thread = threading.Thread(target=hub.run, args=(stop.is_set,), name="hub")
        thread.start()
        try:
            with (
                Outbox(settings.cameras, "measure", Meter()) as outbox,
                Subscriber(settings.publish, settings.replay) as stream,
            ):
                return _measure(outbox, stream, alerts, picture_bytes)
        finally:
            stop.set()
            thread.join()
            hub.close()


def _measure(outbox: Outbox, stream: Subscriber, alerts: int, picture_bytes: int) -> StreamLatency:
    while not isinstance(stream.get(_PATIENCE_S), Status):
        pass  # until the hub's first word: the connections stand
    taken_s = []
    for _ in range(alerts):
        started_s = time.perf_counter()
        outbox.send_alert(_alert(), _pictures(picture_bytes))
        _await(stream, 1)
        taken_s.append(time.perf_counter() - started_s)
        outbox.pump()
    outbox.drained(_PATIENCE_S)
    started_s = time.perf_counter()
    sent = 0
    while sent < alerts or outbox.pending:
        if sent < alerts and outbox.pending < 64:
            outbox.send_alert(_alert(), _pictures(picture_bytes))
            sent += 1
        else:
            outbox.pump(0.01)
    rate = alerts / (time.perf_counter() - started_s)
    taken_s.sort()
    return StreamLatency(alerts, taken_s[alerts // 2], taken_s[min(alerts - 1, int(alerts * 0.99))], rate)


def _await(stream: Subscriber, events: int) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while events:
        if time.monotonic() > until_s:
            raise StreamError(f"An alert did not arrive within {_PATIENCE_S:.0f} s.")
        events -= isinstance(stream.get(0.1), Event)


def _pictures(size: int) -> list[bytearray]:
    return [bytearray(b"\xff\xd8\xff" + bytes(size - 3)) for _ in range(3)]


def _alert() -> Alert:
    now, name = utc_now(), new_id()
    return Alert(
        id=name,
        deployment="measure",
        camera="measure",
        captured_at=now,
        entry=EntryRef(id=name, category="measure", response="green"),
        score=0.7,
        threshold=0.5,
        track=TrackRef(id=1, first_seen=now - timedelta(seconds=1), frames=1),
        face_xyxy=(0, 0, 1, 1),
        models=ModelRefs(detector="none", embedder="none"),
    )
