"""One camera's loop on painted faces: what goes to the hub, and that every frame is overwritten."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from painted_faces import EVERY_FACE, Painted, Street

from appliance.alerts.messages import Alert, PreviewHeader, Sighting
from appliance.camera import process as module
from appliance.camera.process import CameraProcess
from appliance.core.heartbeat import HeartbeatSender
from appliance.core.telemetry import Meter
from appliance.stream.outbox import Outbox
from appliance.vision import models as manifests


class RecordedOutbox(Outbox):
    """Also writes down what the camera sends; `keeping` decides whether alerts are kept for a hub as well."""

    keeping = False

    def __init__(self, endpoint: str, camera: str, meter: Meter) -> None:
        super().__init__(endpoint, camera, meter)
        self.alerts: list[tuple[Alert, Sequence[bytes | bytearray]]] = []
        self.sightings: list[Sighting] = []
        self.previews: list[tuple[PreviewHeader, bytes]] = []

    def send_alert(self, alert: Alert, pictures: Sequence[bytes | bytearray]) -> None:
        self.alerts.append((alert, pictures))
        if self.keeping:
            super().send_alert(alert, [*pictures[:2], pictures[1]])  # painted portraits are no JPEG

    def send_sighting(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)

    def send_preview(self, header: PreviewHeader, picture: bytes) -> bool:
        self.previews.append((header, picture))
        return super().send_preview(header, picture)


class Beats(HeartbeatSender):
    """Hears nothing new; remembers the states."""

    def __init__(self) -> None:
        super().__init__(None, "camera/north")
        self.states: list[str] = []
        self.lost_as_told: list[float] = []

    def beat(self, state: str, *, now: bool = False, **facts: object) -> None:
        self.states.append(state)
        self.lost_as_told.append(self.meter.value("lfr_outbox_lost_total", camera="north"))


class Source:
    """Gives frames, then ends; keeps the pictures to see what became of them."""

    finite, state, detail, last_frame_age_s, fps = True, "live", "", 0.0, 25.0

    def __init__(self, frames: Any, show: Any) -> None:
        self._frames, self._show = list(frames), show
        self.dropped: dict[str, int] = {}
        self.given: list[Any] = []
        self.closed = False
        self.at_the_end: Callable[[], None] | None = None

    def read(self, timeout_s: Any) -> Any:
        if not self._frames:
            if self.at_the_end is not None:
                self.at_the_end()
            else:
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

    def run(*frames: Any, stopped_at_the_end: bool = False) -> Any:
        street = Street()
        monkeypatch.setattr(manifests, "load_manifest", lambda *_: None)
        monkeypatch.setattr(module, "open_detector", lambda *_, **__: street.detector)
        monkeypatch.setattr(module, "open_embedder", lambda *_: street.embedder)
        monkeypatch.setattr(module, "Outbox", RecordedOutbox)
        # A plain colour has neither detail nor contrast.
        monkeypatch.setattr(module, "Gate", lambda **_: EVERY_FACE)
        source, reporter = Source(frames, street.frame), Beats()
        monkeypatch.setattr(module, "open_source", lambda *_, **__: source)
        stop = threading.Event()
        source.at_the_end = stop.set if stopped_at_the_end else None
        made = CameraProcess(settings, reporter, stop)
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


def test_alerts_that_no_hub_took_and_previews_without_room_are_counted_where_they_are_exported(
    camera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordedOutbox, "keeping", True)
    monkeypatch.setattr(module, "DRAIN_TIMEOUT_S", 0.1)
    _, outbox, reporter = camera((0.0, Painted("red", 40, 60)), stopped_at_the_end=True)
    assert len(outbox.alerts) == 1
    assert reporter.meter.value("lfr_outbox_lost_total", camera="north") == 1
    assert reporter.meter.value("lfr_previews_dropped_total", camera="north") >= 1
    assert (reporter.states[-1], reporter.lost_as_told[-1]) == ("stopped", 1), "told with the last heartbeat"
