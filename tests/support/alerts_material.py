"""Alerts, pictures and hubs for the tests of this room, and of others that need some."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.alerts.messages import Alert, Decision, EntryRef, ModelRefs, Sighting, TrackRef, new_id
from appliance.core.clock import utc_now
from appliance.stream.hub import Hub
from appliance.stream.settings import HubSettings

_numbers = itertools.count(1)


def picture(text: str = "picture", size: int = 2000) -> bytes:
    """Something with the first bytes of a JPEG."""
    return b"\xff\xd8\xff\xe0" + (text.encode() * (size // len(text) + 1))[:size]


def pictures(text: str = "picture", size: int = 2000) -> list[bytearray]:
    return [bytearray(picture(f"{text}-{kind}", size)) for kind in ("scene", "face", "photo")]


def alert(
    entry: str = "", camera: str = "north", category: str = "violence", at: datetime | None = None, **changes: Any
) -> Alert:
    """An alert of an entry that no other test alert has, unless one is named."""
    at = at or utc_now()
    number = next(_numbers)
    return Alert(
        id=new_id(),
        deployment="street-1",
        camera=camera,
        captured_at=at,
        entry=EntryRef(id=entry or f"N-{number}", category=category, response="red", label=f"Person {number}"),
        score=0.71,
        threshold=0.55,
        track=TrackRef(id=number, first_seen=at - timedelta(seconds=2), frames=5),
        face_xyxy=(10, 20, 110, 140),
        scene_wh=(640, 360),
        models=ModelRefs(detector="d@000000000000", embedder="e@000000000000"),
    ).model_copy(update=changes)


def sighting(entry: str = "B-1", at: datetime | None = None, **changes: Any) -> Sighting:
    made = Sighting(
        id=new_id(),
        deployment="street-1",
        camera="north",
        captured_at=at or utc_now(),
        entry_id=entry,
        score=0.8,
        threshold=0.55,
    )
    return made.model_copy(update=changes)


def decision(
    alert_id: str, kind: str = "operator", value: str = "match", by: str = "PC Singh", **more: Any
) -> Decision:
    made = {"alert_id": alert_id, "kind": kind, "value": value, "by": by, "at": datetime.now(UTC), **more}
    return Decision.model_validate(made)


def settings(folder: Path, **changes: Any) -> HubSettings:
    """Settings of a hub without supervisor whose sockets and state are in `folder` (a short path)."""
    made = HubSettings(
        state_dir=folder / "state",
        runtime=folder,
        publish=f"ipc://{folder}/pub",
        replay=f"ipc://{folder}/replay",
        deployment="street-1",
        cooldown_s=60,
        keep_hours=24,
        supervised=False,
    )
    return replace(made, **changes)


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path leaves room for a socket's name; in memory where there is such a place."""
    quick = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="lfr-", dir=quick if os.access(quick, os.W_OK) else "/tmp") as name:
        yield Path(name)


@contextlib.contextmanager
def running(made: HubSettings) -> Iterator[Hub]:
    """A hub that works in a thread of this process."""
    hub = Hub(made)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            hub.run(stop.is_set)
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    thread = threading.Thread(target=work, name="hub")
    thread.start()
    try:
        yield hub
    finally:
        stop.set()
        thread.join()
        hub.close()
    if failures:
        raise failures[0]
