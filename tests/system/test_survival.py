"""Processes are killed and cameras go away: alerts go on, come once each, and the gap is said."""

import json
import subprocess
from pathlib import Path

import cv2
import pytest
from appliance_run import Appliance, deployment
from rtsp_camera import RtspCamera

from appliance.camera.source import open_source
from appliance.config import Camera
from appliance.evaluation.scenario import Person
from appliance.vision.install import ensure_picture

PEOPLE = "order=hopper,astronaut,hopper,astronaut,hopper&gap=2.5&fps=8&extras=0&seed=4"


def hopper() -> list[Person]:
    return [Person("hopper", (ensure_picture("hopper"),))]


@pytest.mark.timeout(200)
def test_whatever_is_killed_the_alerts_of_a_recording_come_once_each(folder):
    camera = {"name": "a", "source": f"street:?{PEOPLE}", "pace": "fast"}
    found = []
    for attempt in ("calm", "killed"):
        path = deployment(
            folder / attempt,
            [camera],
            hopper(),
            matching={"cooldown_s": 1},
            alerts={"publish": f"ipc://{folder}/p{attempt}", "replay": f"ipc://{folder}/r{attempt}"},
        )
        with Appliance(path) as run:
            if attempt == "killed":
                run.until(run.alerts, "the first alert", 60)
                run.until(lambda: run.worker("hub"), "the hub").kill()
                run.until(lambda: len(run.alerts()) >= 2, "an alert after the hub was killed", 60)
                run.until(lambda: run.worker("a"), "the camera").kill()
            assert run.wait(120) == 0
            found.append([(alert.entry.id, alert.media_s, alert.score) for alert in run.alerts()])
            log = run.log.read_text()
    assert len(found[0]) == 3
    assert found[1] == found[0]
    assert "restart" in log


def recording(folder: Path) -> Path:
    """A few seconds of the street as a video file."""
    path = folder / "street.avi"
    source = open_source(
        Camera(name="r", source="street:?order=hopper&size=960x540&fps=8&extras=0&seed=4", pace="fast")
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


@pytest.mark.timeout(200)
def test_a_network_camera_that_dies_and_comes_back_shows_as_a_gap_and_alerts_go_on(folder):
    video = recording(folder)
    with RtspCamera("960x540", 8, str(video)) as server:
        cameras = [
            {"name": "file", "source": f"street:?loop=1&{PEOPLE}&size=960x540", "preview_fps": 0},
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
            assert run.metric("lfr_camera_last_frame_age_seconds", camera="net") > 1
            before = count("net")
            with RtspCamera("960x540", 8, str(video), port=server.port):
                run.until(lambda: count("net") > before, "alerts after it came back", 80)
                run.until(lambda: run.metric("lfr_camera_up", camera="net") == 1, "up in the metrics")
            assert run.stop() == 0
            acts = [json.loads(line) for line in (run.config.alerts.state_dir / "audit.jsonl").read_text().splitlines()]
    told = [act["act"] for act in acts if act["details"].get("camera") == "net"]
    assert "camera.down" in told
    assert "camera.up" in told


@pytest.mark.timeout(100)
def test_when_the_supervisor_is_killed_no_worker_outlives_it_and_the_next_start_works(folder):
    camera = {"name": "a", "source": f"street:?loop=1&{PEOPLE}"}
    path = deployment(folder, [camera], hopper())
    with Appliance(path) as run:
        run.until(lambda: run.metric("lfr_camera_up", camera="a") == 1, "the camera is up", 60)
        workers = [run.worker("hub"), run.worker("a")]
        run.process.kill()
        run.process.wait()
        for worker in workers:
            worker.wait(5)
    with Appliance(path) as run:
        run.until(lambda: run.metric("lfr_camera_up", camera="a") == 1, "the camera is up again", 60)
        assert run.stop() == 0
    assert subprocess.run(["pgrep", "-f", str(path)], capture_output=True, check=False).stdout == b""
