"""What the doctor says of things that are wrong, and that it says it before the start."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from doctor_config import config_of, levels
from watchlist_fixtures import NOW, make_payload

from appliance.config import live as configuration
from appliance.config.live import Camera
from appliance.core.types import Faces, Image
from appliance.deployment import authority
from appliance.doctor import cameras, examination
from appliance.doctor.findings import guarded, healthy
from appliance.vision.models import load_manifest

ROOT = Path(__file__).parents[2]


def test_the_van_configuration_is_complete_and_loads() -> None:
    config = configuration.load(ROOT / "config" / "van.yaml")
    assert not authority.check(config, None, config.deployment.starts, 0.5)
    text = (ROOT / "config" / "van.yaml").read_text()
    for section in (configuration.Config, configuration.Deployment, configuration.Camera, configuration.WatchlistFile):
        for key in section.model_fields:
            assert f"{key}:" in text, f"{key} is not explained"


def test_everything_wrong_is_told_at_once_and_nothing_raises(tmp_path: Path) -> None:
    findings = examination.examine(config_of(tmp_path, models={"dir": str(tmp_path)}), look_s=0)
    failing = {finding.area for finding in findings if finding.level == "fail"}
    assert {"record", "models", "watchlist", "provider"} <= failing
    assert not healthy(findings)
    assert all(finding.remedy for finding in findings if finding.level == "fail")


def test_a_window_that_is_over_fails_and_one_that_waits_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment, level in ((datetime(2026, 11, 21, 9, tzinfo=UTC), "ok"), (datetime(2026, 11, 22, tzinfo=UTC), "fail")):
        monkeypatch.setattr(examination, "utc_now", lambda moment=moment: moment)
        found = [one for one in examination.examine(config_of(tmp_path), look_s=0) if one.area == "window"]
        assert levels(found) == [level]


def test_a_refusal_of_the_machine_is_a_finding(tmp_path: Path) -> None:
    def check() -> Iterator[Any]:
        (tmp_path / "missing").read_bytes()
        yield

    assert levels(guarded("disk", check)) == ["fail"]


class Detector:
    def __init__(self, height: float) -> None:
        self.ref, self.provider, self.match_threshold, self.height = "fake@0", "cpu", 0.5, height

    def detect(self, frame_bgr: Image, min_face_px: float | None = None) -> Faces:
        box = np.array([[10, 10, 10 + self.height * 0.8, 10 + self.height]], np.float32)
        return Faces(box, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))

    def refine(self, frame_bgr: Image, faces: Faces) -> Faces:
        return faces


@pytest.mark.parametrize(("height", "said"), [(20.0, ["ok", "warn"]), (60.0, ["ok"])])
def test_a_camera_is_looked_through_and_faces_too_small_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: Any, said: Any
) -> None:
    monkeypatch.setattr(cameras, "SLOW_FPS", 0.0)  # a machine that is busy gives few frames
    found = list(cameras.cameras(config_of(tmp_path), cameras.FaceLooker(Detector(height)), look_s=0.8))
    assert levels(found) == said
    assert "320×240" in found[0].text
    assert f"{height:.0f} to {height:.0f} pixels high" in found[0].text


def test_a_camera_that_can_never_work_fails_and_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "SLOW_FPS", 0.0)  # a machine that is busy gives few frames
    section = [
        {"name": "gone", "source": "clips/gone.mp4"},
        {"name": "north", "source": "test:?size=320x240&fps=20"},
    ]
    found = list(cameras.cameras(config_of(tmp_path, cameras=section), None, look_s=0.5))
    assert levels(found) == ["fail", "ok"]


def test_a_silent_camera_is_told_without_its_password(tmp_path: Path) -> None:
    camera = Camera(name="north", source="rtsp://user:secret@10.0.0.1/stream")
    found = list(cameras.judge(camera, cameras.Look()))
    assert levels(found) == ["fail"]
    assert "secret" not in found[0].text


def test_what_is_looked_at_is_told_in_the_order_of_a_deployment_and_cameras_can_be_left_alone(tmp_path: Path) -> None:
    told: list[str] = []
    findings = examination.examine(config_of(tmp_path), look_s=0, step=told.append)
    assert told == [
        "record", "window", "models", "provider", "watchlist", "secrets",
        "disk", "memory", "ports", "console", "clock", "cameras",
    ]  # fmt: skip
    assert not [finding for finding in findings if finding.area.startswith("camera")]


@pytest.fixture
def examined_list(tmp_path: Path, list_setup: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Seals a list with changes, and gives what the doctor says of it an hour after it was made."""
    monkeypatch.setattr(examination, "utc_now", lambda: NOW + timedelta(hours=1))
    embedder = load_manifest().embedder("mobilefacenet").ref
    watchlist = {"file": str(list_setup.list), "key": str(list_setup.keys / "seal.key"), "approvals": 0}

    def examined(ends: datetime = NOW + timedelta(hours=2), **changes: Any) -> list[tuple[str, str]]:
        list_setup.seal(**{"embedder": embedder, "deployment": "test", **changes})
        deployment = {"id": "test", "starts": NOW.isoformat(), "ends": ends.isoformat()}
        config = config_of(tmp_path, watchlist=watchlist, deployment=deployment)
        found = examination.examine(config, look_s=0)
        return [(finding.level, finding.text) for finding in found if finding.area == "watchlist"]

    return examined


def test_a_list_that_can_be_used_is_described_by_its_size_and_who_made_it(examined_list: Any) -> None:
    ((level, text),) = examined_list()
    assert level == "ok"
    assert text == "3 entries with 6 photos, built by B. Builder, no approval asked for"


def test_a_list_that_ends_before_the_window_does_is_warned_of(examined_list: Any) -> None:
    (_, (level, text)) = examined_list(ends=NOW + timedelta(hours=7))
    assert (level, text[:42]) == ("warn", "The watchlist expires at 2026-11-21T16:00,")


def test_a_list_of_which_everybody_has_expired_is_warned_of_and_a_page_with_faces_beside_it_is_told(
    examined_list: Any, list_setup: Any
) -> None:
    page = list_setup.list.with_name(list_setup.list.name + ".report.html")
    page.touch()
    made = make_payload(people=2)
    gone = tuple(replace(entry, expires=(NOW - timedelta(days=1)).date()) for entry in made.entries)
    (_, expired, page_said, nobody) = examined_list(payload=replace(made, entries=gone))
    assert expired[0] == "warn"
    assert expired[1].startswith("2 entries are past their own expiry")
    assert page_said[0] == "ok"
    assert page.name in page_said[1]
    assert nobody == ("warn", "Nobody is on the watchlist.")


def test_a_list_for_another_deployment_fails_in_the_list_s_own_words(examined_list: Any) -> None:
    ((level, text),) = examined_list(deployment="elsewhere")
    assert level == "fail"
    assert "elsewhere" in text


def test_a_gpu_that_is_not_used_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = SimpleNamespace(provider="cpu", match_threshold=0.5)
    for name in ("open_detector", "open_embedder"):
        monkeypatch.setattr(examination, name, lambda *_, **__: opened)
    for present, asked, level in ((True, "auto", "warn"), (True, "cpu", "ok"), (False, "auto", "ok")):
        monkeypatch.setattr(examination, "gpu_present", lambda present=present: present)
        config = config_of(tmp_path, models={"provider": asked})
        found = [one for one in examination.examine(config, look_s=0) if one.area == "provider"]
        assert levels(found) == [level, level]
