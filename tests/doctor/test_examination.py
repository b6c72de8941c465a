"""What the doctor says of things that are wrong, and that it says it before the start."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.config import live as configuration
from appliance.config.live import Camera
from appliance.core.errors import LfrError
from appliance.core.types import Faces, Image
from appliance.deployment import authority
from appliance.doctor import cameras, examination, machine
from appliance.doctor.findings import guarded, healthy
from appliance.supervision import addresses
from appliance.supervision.run_folder import RunLock

ROOT = Path(__file__).parents[2]


def config_of(folder: Path, **sections: Any) -> Any:
    document = {
        "deployment": {"id": "test", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:?size=320x240&fps=20"}],
        "alerts": {"state_dir": "state", "publish": "ipc:///tmp/p", "replay": "ipc:///tmp/r"},
        "metrics": {"listen": "127.0.0.1:1"},
        **sections,
    }
    return configuration.parse(document, folder / "config.yaml")


def free_listen() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


def levels(findings: Any) -> list[str]:
    return [finding.level for finding in findings]


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


def test_a_taken_port_fails_and_two_uses_of_one_port_fail(tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        taken = f"127.0.0.1:{sock.getsockname()[1]}"
        found = list(machine.ports(config_of(tmp_path, metrics={"listen": taken})))
    assert levels(found) == ["fail", "ok", "ok"]
    same = config_of(tmp_path, metrics={"listen": taken}, console={"listen": taken})
    assert any("are both" in finding.text for finding in machine.ports(same))


def test_one_port_under_two_names_of_this_machine_fails(tmp_path: Path) -> None:
    alerts = {"state_dir": "state", "publish": "tcp://localhost:5557", "replay": "tcp://127.0.0.1:5557"}
    assert any("are both" in finding.text for finding in machine.ports(config_of(tmp_path, alerts=alerts)))


@pytest.mark.parametrize(
    ("name", "why"),
    [("gone/p", "there is no folder"), ("taken", "is in the way"), ("p" * 100, "is longer than 107 bytes")],
)
def test_a_socket_that_cannot_be_made_fails_and_keeps_a_run_from_starting(tmp_path: Path, name: Any, why: Any) -> None:
    (tmp_path / "taken").touch()
    alerts = {"state_dir": "state", "publish": f"ipc://{tmp_path}/{name}", "replay": f"ipc://{tmp_path}/r"}
    config = config_of(tmp_path, alerts=alerts, metrics={"listen": free_listen()})
    found = list(machine.ports(config))
    assert levels(found) == ["ok", "fail", "ok"]
    assert why in found[1].text
    with pytest.raises(LfrError, match="cannot be used"):
        addresses.require_free(config, wait_s=0)


def test_a_console_that_nobody_can_use_is_told(tmp_path: Path) -> None:
    console = {"listen": "127.0.0.1:8080", "tls_cert": "a.pem", "tls_key": "a.key"}
    found = list(machine.console(config_of(tmp_path, console=console)))
    assert [(one.level, one.area) for one in found] == [("fail", "console"), ("warn", "console")]
    assert "a.key cannot be read: No such file" in found[0].text
    (tmp_path / "a.pem").write_text("no certificate")
    (tmp_path / "a.key").write_text("no key")
    (tmp_path / "a.key").chmod(0o644)
    assert "can be read by others" in next(machine.console(config_of(tmp_path, console=console))).text
    (tmp_path / "a.key").chmod(0o600)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "users.json").touch()
    assert levels(machine.console(config_of(tmp_path, console=console))) == ["fail", "ok"]


def test_ports_of_a_running_appliance_are_not_called_taken(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    lock = RunLock(config.alerts.state_dir)
    try:
        found = list(machine.ports(config))
    finally:
        lock.close()
    assert levels(found) == ["warn"]
    assert str(os.getpid()) in found[0].text


def test_a_key_that_others_can_read_fails_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "seal.key").touch(mode=0o644)
    found = list(machine.secrets(config_of(tmp_path)))
    assert levels(found) == ["fail"]
    assert found[0].remedy == f"Run: chmod 600 {tmp_path / 'seal.key'}"


def test_a_state_folder_on_a_durable_disk_is_measured(tmp_path: Path) -> None:
    found = list(machine.disk(config_of(tmp_path)))
    assert any("durable after" in finding.text for finding in found)
    assert not (tmp_path / "state").exists(), "the doctor leaves nothing behind"


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
def test_a_camera_is_looked_through_and_faces_too_small_are_said(tmp_path: Path, height: Any, said: Any) -> None:
    found = list(cameras.cameras(config_of(tmp_path), cameras.FaceLooker(Detector(height)), look_s=0.8))
    assert levels(found) == said
    assert "320×240" in found[0].text
    assert f"{height:.0f} to {height:.0f} pixels high" in found[0].text


def test_a_camera_that_can_never_work_fails_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
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
