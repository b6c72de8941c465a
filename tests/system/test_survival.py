"""Processes are killed and cameras go away: alerts go on, come once each, and the gap is said."""

import json
from pathlib import Path

import cv2
import pytest
from appliance_run import Appliance, deployment
from own_ports import own_port
from present import present
from rtsp_camera import RtspCamera

from appliance.camera.sources.open import open_source
from appliance.config.live import Camera
from appliance.lab.simulation.ground_truth import list_passes
from appliance.lab.simulation.scenario import Person
from appliance.lab.simulation.sources import SIMULATED
from appliance.vision.install import ensure_picture

PEOPLE = "order=hopper,astronaut,hopper,astronaut,hopper&gap=2.5&fps=8&extras=0&seed=4&size=960x540"


def hopper() -> list[Person]:
    return [Person("hopper", (ensure_picture("hopper"),))]


@pytest.mark.timeout(150)
def test_whatever_is_killed_the_alerts_of_a_recording_come_once_each(folder: Path) -> None:
    source = f"street:?{PEOPLE}"
    path = deployment(folder, [{"name": "a", "source": source, "pace": "fast"}], hopper(), matching={"cooldown_s": 1})
    with Appliance(path) as run:
        run.until(run.alerts, "the first alert", 60)
        run.until(lambda: run.worker("hub"), "the hub").kill()
        run.until(lambda: len(run.alerts()) >= 2, "an alert after the hub was killed", 60)
        run.until(lambda: run.worker("a"), "the camera").kill()
        assert run.wait(100) == 0
        alerts = run.alerts()
        log = run.log.read_text()
    passes = [one for one in list_passes(source) if one.person == "hopper"]
    assert len(passes) == 3
    for one in passes:
        during = [alert for alert in alerts if one.enter_s <= present(alert.media_s) <= one.leave_s]
        assert len(during) == 1, f"pass {one.index}: {during}"
    assert len(alerts) == len(passes)
    assert [alert.seq for alert in alerts] == sorted({alert.seq for alert in alerts})
    assert "restart" in log


def recording(folder: Path) -> Path:
    """A few seconds of the street as a video file."""
    path = folder / "street.avi"
    source = open_source(
        Camera(name="r", source="street:?order=hopper&size=960x540&fps=8&extras=0&seed=4", pace="fast"),
        simulated=SIMULATED,
    )
    writer = None
    with source:
        while (frame := source.read(5)) is not None:
            if writer is None:
                height, width = frame.image_bgr.shape[:2]
                writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8, (width, height))
            writer.write(frame.image_bgr)
            source.release(frame)
    assert writer is not None
    writer.release()
    return path


def told(run: Appliance) -> list[str]:
    """What the audit record says of the network camera."""
    acts = [json.loads(line) for line in (run.config.alerts.state_dir / "audit.jsonl").read_text().splitlines()]
    return [act["act"] for act in acts if act["details"].get("camera") == "net"]


@pytest.mark.timeout(200)
def test_a_network_camera_that_dies_and_comes_back_shows_as_a_gap_and_alerts_go_on(folder: Path) -> None:
    video = recording(folder)
    port = own_port()  # the second server needs the first one's
    with RtspCamera("960x540", 8, str(video), port=port) as server:
        cameras = [
            {"name": "file", "source": f"street:?loop=1&{PEOPLE}", "preview_fps": 0},
            {"name": "net", "source": server.url, "preview_fps": 0},
        ]
        path = deployment(folder, cameras, hopper(), matching={"cooldown_s": 1})
        with Appliance(path) as run:

            def count(camera: str) -> int:
                return sum(alert.camera == camera for alert in run.alerts())

            run.until(lambda: count("net") >= 1, "an alert of the network camera", 60)
            server.kill()
            run.until(lambda: run.metric("lfr_camera_up", camera="net") == 0, "the gap in the metrics")
            before = count("file")
            run.until(lambda: count("file") > before, "alerts of the other camera go on", 60)
            run.until(
                lambda: present(run.metric("lfr_camera_last_frame_age_seconds", camera="net")) > 1,
                "the frame's age grows",
            )
            run.until(lambda: "camera.down" in told(run), "the record says it")
            before = count("net")
            with RtspCamera("960x540", 8, str(video), port=port):
                run.until(lambda: count("net") > before, "alerts after it came back", 80)
                run.until(lambda: run.metric("lfr_camera_up", camera="net") == 1, "up in the metrics")
                run.until(lambda: "camera.up" in told(run), "the record says that too")
            assert run.stop() == 0
