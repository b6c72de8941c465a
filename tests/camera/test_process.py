"""One camera's loop on painted faces: what goes to the hub, and that every frame is overwritten."""

import threading
from typing import Any

import pytest
from painted_faces import EVERY_FACE, Painted, Street

from appliance.camera import process as module
from appliance.camera.process import CameraProcess
from appliance.core.heartbeat import Instructions
from appliance.core.telemetry import Meter


class Outbox:
    """Keeps what the camera sends."""

    pending, trouble, lost = 0, "", 0

    def __init__(self, *_: object) -> None:
        self.alerts, self.sightings, self.previews = [], [], []

    def send_alert(self, alert: Any, pictures: Any) -> None:
        self.alerts.append((alert, pictures))

    def send_sighting(self, sighting: Any) -> None:
        self.sightings.append(sighting)

    def send_preview(self, header: Any, jpg: Any) -> None:
        self.previews.append((header, jpg))

    def pump(self, timeout_s: Any) -> None:
        pass

    def drained(self, timeout_s: Any) -> Any:
        return True

    def close(self) -> None:
        pass


class HeartbeatSender:
    """Hears nothing new; remembers the states."""

    def __init__(self) -> None:
        self.meter, self.instructions, self.states = Meter(), Instructions(), []

    def beat(self, state: Any, **facts: Any) -> None:
        self.states.append(state)


class Source:
    """Gives frames, then ends; keeps the pictures to see what became of them."""

    finite, state, detail, dropped, last_frame_age_s, fps = True, "live", "", {}, 0.0, 25.0

    def __init__(self, frames: Any, show: Any) -> None:
        self._frames, self._show = list(frames), show
        self.given, self.closed = [], False

    def read(self, timeout_s: Any) -> Any:
        if not self._frames:
            self.state = "ended"
            return None
        frame = self._show(*self._frames.pop(0))
        self.given.append(frame.image_bgr)
        return frame

    def release(self, frame: Any) -> None:
        frame.wipe()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def camera(settings: Any, lists: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a camera over frames of painted people; its source, outbox and reporter."""

    def run(*frames: Any) -> Any:
        street = Street()
        monkeypatch.setattr(module.manifests, "load_manifest", lambda *_: None)
        monkeypatch.setattr(module, "open_detector", lambda *_, **__: street.detector)
        monkeypatch.setattr(module, "open_embedder", lambda *_: street.embedder)
        monkeypatch.setattr(module, "Outbox", Outbox)
        # A plain colour has neither detail nor contrast.
        monkeypatch.setattr(module, "Gate", lambda **_: EVERY_FACE)
        source, reporter = Source(frames, street.frame), HeartbeatSender()
        monkeypatch.setattr(module, "open_source", lambda *_, **__: source)
        made = CameraProcess(settings, reporter, threading.Event())
        made.run()
        return source, made._outbox, reporter

    return run


def test_a_blue_list_officer_is_a_sighting_without_pictures_and_never_an_alert(camera: Any) -> None:
    _, outbox, _ = camera((0.0, Painted("red", 40, 60), Painted("magenta", 160, 60)))
    assert [alert.entry.id for alert, _ in outbox.alerts] == ["A"]
    assert [sighting.entry_id for sighting in outbox.sightings] == ["B"]


def test_every_frame_is_overwritten_whoever_was_in_it_and_the_dwell_is_measured(camera: Any, lists: Any) -> None:
    source, outbox, reporter = camera(
        (0.0, Painted("blue", 40, 60)), (0.2, Painted("red", 160, 60)), (0.4, Painted("blue", 40, 60))
    )
    assert len(outbox.alerts) == 1
    assert len(source.given) == 3
    assert not any(image.any() for image in source.given)
    (dwell,) = [one for one in reporter.meter.snapshot() if one.name == "lfr_nonmatch_dwell_seconds"]
    assert sum(dwell.buckets) == 3
    assert source.closed
    assert reporter.states[-1] == "ended"
    assert not lists.opened[0].entries, "the list is overwritten when the camera ends"
    assert outbox.previews
