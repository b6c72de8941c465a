"""A stage for the console: a real hub and a real console as processes, and a street whose alerts a test publishes.

Faces are drawn; LFR_STAGE_FACES=DIR takes photos from there instead (one folder a person), for looking at the design.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import zmq
from argon2 import PasswordHasher
from own_ports import own_port
from present import image_of
from waiting import until

from appliance.alerts.messages import (
    Alert,
    CameraState,
    Degradation,
    EntryRef,
    ModelRefs,
    PreviewHeader,
    Status,
    TrackRef,
    new_id,
)
from appliance.audit.record import AuditRecord
from appliance.console.server import serve
from appliance.console.settings import ConsoleSettings
from appliance.console.users import UserFile
from appliance.core.clock import utc_now
from appliance.core.telemetry import Meter
from appliance.stream import hub
from appliance.stream.outbox import Outbox
from appliance.stream.settings import HubSettings

PASSWORD = "correct horse battery"
USERS = {"anna": "operator", "ben": "operator", "eve": "engagement", "sam": "supervisor", "vic": "viewer"}
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SCENE_WH = (1280, 720)

PEOPLE = (
    ("N-1042", "violence", "red", "Wanted for wounding with intent", ("weapon", "violent")),
    ("N-0311", "missing", "green", "Missing since 14 November, vulnerable", ("ailment",)),
    ("N-0877", "theft", "amber", "Recall to prison, burglary", ()),
    ("N-1203", "sexual_offences", "red", "Breach of a sexual harm prevention order", ("escape risk",)),
    ("N-0455", "court", "amber", "Failed to appear, Croydon Crown Court", ()),
)


def _jpg(image: np.ndarray, quality: int = 88) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _drawn(person: int, size: int = 256) -> np.ndarray:
    """A face like nobody's, always the same for the same number."""
    rng = np.random.default_rng(person)
    image = np.full((size, size, 3), rng.integers(90, 170, 3), np.uint8)
    skin = tuple(int(v) for v in (np.array([120, 150, 200]) * rng.uniform(0.5, 1.1)).clip(0, 255))
    hair = tuple(int(v) for v in rng.integers(10, 110, 3))
    dark = tuple(int(v * 0.55) for v in skin)
    at = size // 2
    width, height = int(size * rng.uniform(0.24, 0.3)), int(size * rng.uniform(0.33, 0.38))
    cv2.ellipse(image, (at, size + 40), (int(size * 0.46), int(size * 0.3)), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(image, (at, at - 14), (width + 12, height + 10), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(image, (at, at + 10), (width, height), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (at + side * int(width * 0.42), at - 4)
        cv2.ellipse(image, eye, (13, 7), 0, 0, 360, (245, 245, 245), -1, cv2.LINE_AA)
        cv2.circle(image, eye, 5, (40, 30, 20), -1, cv2.LINE_AA)
        cv2.ellipse(image, (eye[0], eye[1] - 17), (16, 5), side * 6, 180, 360, hair, 4, cv2.LINE_AA)
    cv2.line(image, (at, at + 4), (at - 6, at + 38), dark, 3, cv2.LINE_AA)
    cv2.ellipse(image, (at, at + 60), (int(rng.integers(16, 28)), 6), 0, 0, 180, (70, 70, 160), 4, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (3, 3), 0)


def _camera_look(image: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    turn = cv2.getRotationMatrix2D((128, 128), float(rng.uniform(-5, 5)), float(rng.uniform(0.98, 1.06)))
    image = cv2.warpAffine(image, turn, (256, 256), borderMode=cv2.BORDER_REFLECT)
    image = cv2.GaussianBlur(image, (5, 5), 0).astype(np.float32)
    return (image * rng.uniform(0.75, 1.0) + rng.normal(0, 7, image.shape)).clip(0, 255).astype(np.uint8)


def faces_of(person: int) -> tuple[np.ndarray, np.ndarray]:
    """What the camera saw and what the list has, of shape (256, 256, 3)."""
    folder = os.environ.get("LFR_STAGE_FACES")
    if folder:
        people = sorted(p for p in Path(folder).iterdir() if len(list(p.iterdir())) > 1)
        photos = sorted(people[(person * 37) % len(people)].iterdir())[:2]
        seen, listed = (cv2.resize(image_of(photo)[30:220, 30:220], (256, 256)) for photo in photos)
        return _camera_look(seen, person), listed
    drawn = _drawn(person)
    return _camera_look(drawn, person), drawn


def street_scene(face: np.ndarray | None, seed: int, wh: tuple[int, int] = SCENE_WH) -> tuple[np.ndarray, list[int]]:
    """A street with pixelated passers-by and, when a face is given, one person who is not; the face's box."""
    rng = np.random.default_rng(seed)
    width, height = wh
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = np.linspace([150, 140, 130], [190, 185, 180], height // 2)[:, None]
    image[height // 2 :] = np.linspace([95, 95, 98], [130, 130, 132], height - height // 2)[:, None]
    for i in range(9):
        left = i * width // 9
        tone = tuple(int(v) for v in rng.integers(60, 150, 3))
        cv2.rectangle(image, (left, int(height * rng.uniform(0.02, 0.2))), (left + width // 9, height // 2), tone, -1)
    box = [0, 0, 0, 0]
    count = 6
    for i in range(count):
        x = int(width * (i + 0.5) / count + rng.integers(-40, 40))
        head = int(height * rng.uniform(0.1, 0.15))
        y = int(height * rng.uniform(0.36, 0.46))
        coat = tuple(int(v) for v in rng.integers(20, 120, 3))
        cv2.ellipse(image, (x, y + head * 3), (int(head * 1.1), head * 3), 0, 0, 360, coat, -1, cv2.LINE_AA)
        left, top = min(max(x - head // 2, 0), width - head), y - head // 2
        if face is not None and i == 2:
            image[top : top + head, left : left + head] = cv2.resize(face, (head, head), interpolation=cv2.INTER_AREA)
            box = [left + head // 6, top + head // 8, left + head - head // 6, top + head - head // 10]
        else:
            tile = rng.integers(70, 190, (4, 4, 3)).astype(np.uint8)
            image[top : top + head, left : left + head] = cv2.resize(
                tile, (head, head), interpolation=cv2.INTER_NEAREST
            )
    return (image + _noise(wh)).clip(0, 255).astype(np.uint8), box


@functools.cache
def _quick_pictures() -> list[bytes]:
    return [_jpg(np.zeros((90, 160, 3), np.uint8)), *(_jpg(face) for face in faces_of(1))]


@functools.cache
def _noise(wh: tuple[int, int]) -> np.ndarray:
    """A camera's noise: the same in each picture, because drawing it takes longer than all the rest."""
    return np.random.default_rng(7).normal(0, 5, (wh[1], wh[0], 3)).astype(np.float32)


class Stage:
    """Hub, console and street of one test module."""

    def __init__(self, folder: Path, **console: Any) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = own_port()
        self.hub_settings = HubSettings(
            state_dir=self.state,
            runtime=folder,
            publish=f"ipc://{folder}/pub",
            replay=f"ipc://{folder}/replay",
            deployment="croydon-2026-11-21",
            cooldown_s=0,
            supervised=False,
        )
        users = UserFile(folder / "users.json", QUICK)
        for name, role in USERS.items():
            users.add(name, role, PASSWORD)
        self.users = users
        self.settings = ConsoleSettings(
            **{
                "listen": f"127.0.0.1:{self.port}",
                "publish": self.hub_settings.publish,
                "replay": self.hub_settings.replay,
                "users_file": users.path,
                "deployment": "croydon-2026-11-21",
                "location": "North End, Croydon",
                "keep_hours": 24.0,
                **console,
            }
        )
        self.url = self.settings.url.rstrip("/")
        self.published = 0
        self.cameras = [
            CameraState(name="north", state="live", since=utc_now(), fps=25, people_seen=1204, alerts=3),
            CameraState(name="south", state="live", since=utc_now(), fps=25, people_seen=987, alerts=2),
        ]
        self.degraded: list[Degradation] = []
        self.ends = utc_now() + timedelta(hours=3, minutes=12)
        self.previews = False
        self._spawn = multiprocessing.get_context("spawn")
        self._hub: Any = None
        self._console: Any = None
        self._stop = threading.Event()
        self._outbox = Outbox(self.hub_settings.cameras, "north", Meter(), resend_s=0.3)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._street, name="street", daemon=True)

    def __enter__(self) -> Stage:
        self.start_hub()
        self.start_console()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._outbox.close()
        self.stop_console()
        self.stop_hub()

    def start_hub(self) -> None:
        self._hub = self._spawn.Process(target=hub.serve, args=(self.hub_settings,), daemon=True)
        self._hub.start()

    def kill_hub(self) -> None:
        os.kill(self._hub.pid, signal.SIGKILL)
        self._hub.join()

    def stop_hub(self) -> None:
        self._hub.terminate()
        self._hub.join(20)

    def close(self) -> None:
        """Let go of the street, where nothing was ever started."""
        self._outbox.close()

    def start_console(self, trust: ssl.SSLContext | bool = True) -> None:
        self._console = self._spawn.Process(target=serve, args=(self.settings,), daemon=True)
        self._console.start()
        deadline_s = time.monotonic() + 40
        while time.monotonic() < deadline_s:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/signin", timeout=1, verify=trust)
                return
            time.sleep(0.05)
        raise TimeoutError("the console did not open")

    def stop_console(self) -> int | None:
        self._console.terminate()
        self._console.join(20)
        code: int | None = self._console.exitcode
        return code

    @property
    def console_pid(self) -> int:
        return int(self._console.pid)

    def audit(self) -> list[Any]:
        return list(AuditRecord(self.state).records())

    def _street(self) -> None:
        sender: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        sender.setsockopt(zmq.LINGER, 0)
        sender.setsockopt(zmq.IMMEDIATE, 1)
        sender.connect(self.hub_settings.cameras)
        next_status, next_preview, count = 0.0, 0.0, 0
        views = {}
        while not self._stop.is_set():
            with self._lock:
                self._outbox.pump(0.01)
            now = time.monotonic()
            if now >= next_status:
                next_status = now + 0.5
                with contextlib.suppress(zmq.Again):
                    sender.send_multipart([b"status", self.status().model_dump_json().encode()], zmq.NOBLOCK)
            if self.previews and now >= next_preview:
                next_preview = now + 0.3
                count += 1
                for i, camera in enumerate(self.cameras):
                    if camera.state == "live":
                        key = (i, count % 4)
                        if key not in views:
                            views[key] = _jpg(street_scene(None, 50 + i * 10 + count % 4, (640, 360))[0], 75)
                        header = PreviewHeader(camera=camera.name, at=utc_now(), people=4)
                        with self._lock:
                            self._outbox.send_preview(header, views[key])
            time.sleep(0.005)
        sender.close()

    def status(self) -> Status:
        return Status(
            at=utc_now(),
            deployment="croydon-2026-11-21",
            location="North End, Croydon",
            phase="running",
            starts=utc_now() - timedelta(hours=2),
            ends=self.ends,
            cameras=self.cameras,
            people_seen=sum(camera.people_seen for camera in self.cameras),
            alerts=self.published,
            watchlist_entries=2480,
            degraded=self.degraded,
        )

    def publish(
        self, person: int | None = None, *, at: datetime | None = None, quick: bool = False, **changes: Any
    ) -> Alert:
        """Send one alert; `quick` gives it small pictures."""
        self.published += 1
        person = self.published if person is None else person
        entry, category, response, label, warnings = PEOPLE[person % len(PEOPLE)]
        if quick:
            scene_wh, box, pictures = (160, 90), [60, 20, 80, 45], _quick_pictures()
        else:
            seen, listed = faces_of(person)
            scene, box = street_scene(seen, person)
            scene_wh, pictures = SCENE_WH, [_jpg(scene, 82), _jpg(seen), _jpg(listed)]
        moment = at or utc_now()
        rng = np.random.default_rng(person)
        alert = Alert(
            id=new_id(),
            deployment="croydon-2026-11-21",
            camera=("north", "south")[person % 2],
            place="North End, by the station",
            captured_at=moment,
            entry=EntryRef(
                id=f"{entry}-{self.published}", category=category, response=response, label=label, warnings=warnings
            ),
            score=round(float(0.55 + rng.choice([0.01, 0.05, 0.11, 0.16, 0.24])), 3),
            threshold=0.55,
            track=TrackRef(id=300 + person, first_seen=moment - timedelta(seconds=2), frames=9),
            face_xyxy=tuple(int(v) for v in box),
            scene_wh=scene_wh,
            watchlist="4be17cc09f21",
            models=ModelRefs(detector="centerface@09189deaaf86", embedder="mobilefacenet@87aacdfe5751"),
        ).model_copy(update=changes)
        with self._lock:
            self._outbox.send_alert(alert, pictures)
        return alert

    def settled(self) -> None:
        """Wait until the hub has every alert."""

        def has_all() -> bool:
            with self._lock:
                return self._outbox.pending == 0

        until(has_all, "the hub takes every alert")

    @contextlib.contextmanager
    def client(self, name: str) -> Iterator[httpx.Client]:
        """An HTTP client that is signed in; its `x-csrf-token` header is set."""
        with httpx.Client(base_url=self.url, headers={"origin": self.url}, timeout=30) as client:
            token = field_of(client.get("/signin").text, 'name="token" value="')
            answer = client.post("/signin", data={"name": name, "password": PASSWORD, "token": token, "next": "/"})
            assert answer.status_code == 303, answer.text
            client.headers["x-csrf-token"] = field_of(client.get("/").text, 'data-csrf="')
            yield client


def field_of(page: str, before: str) -> str:
    start = page.index(before) + len(before)
    return page[start : page.index('"', start)]


@contextlib.contextmanager
def open_stage(**console: Any) -> Iterator[Stage]:
    """A stage in a short temporary folder."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp") as name, Stage(Path(name), **console) as stage:
        yield stage


def decide(client: Any, alert: Any, kind: Any = "operator", value: Any = "match", **more: Any) -> Any:
    """The console's answer to a decision that has an id of its own."""
    body = {"id": str(uuid.uuid4()), "kind": kind, "value": value, **more}
    return client.post(f"/api/alerts/{alert.id}/decisions", json=body)


def acts_of(stage: Any, code: Any, want: Any, timeout_s: Any = 20) -> Any:
    """The audit record's acts of a code, waiting until there is one like `want`."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        found = [record for record in stage.audit() if record.act == code]
        if any(want(record) for record in found) or time.monotonic() > deadline_s:
            return [record for record in found if want(record)]
        time.sleep(0.05)


def told_of(client: Any, alert: Any, decisions: int) -> None:
    """Wait until the console has heard of so many decisions on an alert: the answer to one may come before."""
    until(lambda: len(client.get(f"/api/alerts/{alert.id}").json()["decisions"]) >= decisions, "a decision")


def follows(client: Any) -> None:
    """Wait until the console hears the hub as it speaks: a new alert reaches it with its pictures from then on."""
    statuses, event = 0, ""
    with client.stream("GET", "/api/stream") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line
            elif event == "event: status" and line.startswith("data: {"):
                statuses += 1
                if statuses == 2:  # by the second, the replay that it asked for at its start has ended, too
                    return
    raise AssertionError("the stream of the page ended")
