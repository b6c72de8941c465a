"""The machine under the appliance: what is said of its disk, memory, ports, console, clock and secret files."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doctor_config import config_of, levels
from own_ports import own_port

from appliance.core.errors import LfrError
from appliance.doctor import machine
from appliance.supervision import addresses
from appliance.supervision.run_folder import RunLock


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
    config = config_of(tmp_path, alerts=alerts, metrics={"listen": f"127.0.0.1:{own_port()}"})
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


def test_a_folder_that_cannot_be_written_is_the_only_thing_said_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = list(machine.disk(config_of(tmp_path)))
    assert levels(found) == ["fail"]
    assert str(tmp_path) in found[0].text


@pytest.mark.parametrize(("kind", "level"), [("tmpfs", "warn"), ("ramfs", "warn"), ("ext4", "ok")])
def test_alerts_in_memory_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: str) -> None:
    monkeypatch.setattr(machine, "_filesystem", lambda _: kind)
    found = list(machine.disk(config_of(tmp_path)))
    assert ("power cut" in found[0].text) == (level == "warn")
    assert found[0].level == level


@pytest.mark.parametrize(("took_s", "level"), [(0.1, "ok"), (0.11, "warn")])
def test_a_disk_on_which_alerts_would_wait_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took_s: float, level: str
) -> None:
    monkeypatch.setattr(machine, "_sync_s", lambda _: took_s)
    (speed,) = [one for one in machine.disk(config_of(tmp_path)) if "durable after" in one.text]
    assert speed.level == level


@pytest.mark.parametrize(
    ("free", "level"),
    [(199_999_999, "fail"), (200_000_000, "warn"), (999_999_999, "warn"), (1_000_000_000, "ok")],
)
def test_too_little_room_fails_and_little_room_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(machine, "disk_free", lambda _: free)
    assert list(machine.disk(config_of(tmp_path)))[-1].level == level


def test_a_folder_lies_on_the_innermost_file_system_that_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [SimpleNamespace(mountpoint=point, fstype=kind) for point, kind in
             (("/", "ext4"), ("/srv/data", "xfs"), ("/srv", "tmpfs"), ("/srv/dat", "vfat"))]  # fmt: skip
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: parts)
    assert machine._filesystem(Path("/srv/data/state")) == "xfs"
    assert machine._filesystem(Path("/srv/database")) == "tmpfs", "the name only begins like another one's"
    assert machine._filesystem(Path("/home")) == "ext4"
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: [])
    assert machine._filesystem(Path("/home")) == ""


@pytest.mark.parametrize(("count", "available", "level"), [(1, 400_000_000, "ok"), (2, 799_999_999, "warn")])
def test_each_camera_needs_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, available: int, level: str
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=available))
    monkeypatch.setattr(machine, "_swaps_to_disk", lambda: False)
    cameras = [{"name": f"c{number}", "source": "test:"} for number in range(count)]
    (found,) = machine.memory(config_of(tmp_path, cameras=cameras))
    assert found.level == level
    assert found.text.endswith("1 camera" if count == 1 else "2 cameras")


@pytest.mark.parametrize(
    ("swaps", "warned"),
    [
        ("", False),
        ("/dev/sda2 partition 1 0 -2\n", True),
        ("/dev/zram0 partition 1 0 100\n", False),
        ("/dev/dm-1 partition 1 0 -2\n", False),
        ("/dev/zram0 partition 1 0 100\n/swapfile file 1 0 -3\n", True),
        (None, False),
    ],
)
def test_memory_that_may_be_written_to_a_disk_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swaps: str | None, warned: bool
) -> None:
    def read(path: Path, **_: Any) -> str:
        assert path == Path("/proc/swaps")
        if swaps is None:
            raise FileNotFoundError(2, "No such file or directory")
        return f"Filename Type Size Used Priority\n{swaps}"

    config = config_of(tmp_path)
    monkeypatch.setattr(Path, "read_text", read)
    assert any("Swap is on" in one.text for one in machine.memory(config)) == warned


def test_nothing_is_said_of_a_console_that_is_not_wanted(tmp_path: Path) -> None:
    assert list(machine.console(config_of(tmp_path))) == []


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (False, "warn"), (None, "warn")])
def test_a_clock_that_nobody_sets_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, synchronised: bool | None, level: str
) -> None:
    monkeypatch.setattr(machine, "_synchronised", lambda: synchronised)
    assert levels(machine.clocks()) == [level, "ok"]


@pytest.mark.parametrize(("monotonic", "adjustable"), [(False, False), (True, True)])
def test_a_monotonic_clock_that_can_be_changed_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, monotonic: bool, adjustable: bool
) -> None:
    monkeypatch.setattr(machine, "_synchronised", lambda: True)
    info = SimpleNamespace(monotonic=monotonic, adjustable=adjustable)
    monkeypatch.setattr("time.get_clock_info", lambda _: info)
    assert levels(machine.clocks()) == ["ok", "ok", "warn"]


def kernel(answer: int, status: int) -> Callable[..., Any]:
    """Stands in for the C library: adjtimex(2) gives `answer`, and `status` in its structure (64-bit Linux)."""

    def adjtimex(buffer: Any) -> int:
        buffer[40:44] = status.to_bytes(4, "little")
        return answer

    return lambda *_, **__: SimpleNamespace(adjtimex=adjtimex)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [(0, 0x2001, True), (5, 0x40, False), (0, 0x2041, False), (-1, 0, None)],
)
def test_the_kernel_is_asked_whether_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch, answer: int, status: int, said: bool | None
) -> None:
    monkeypatch.setattr("ctypes.CDLL", kernel(answer, status))
    assert machine._synchronised() is said


@pytest.mark.parametrize("refusal", [OSError, AttributeError])
def test_a_system_without_that_call_does_not_tell(monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise refusal("adjtimex")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert machine._synchronised() is None


def test_secret_files_that_only_this_user_reads_are_counted_and_missing_ones_are_left_to_others(tmp_path: Path) -> None:
    assert list(machine.secrets(config_of(tmp_path))) == []
    (tmp_path / "state").mkdir(mode=0o700)
    for name in ("seal.key", "cam.txt", "state/journal.key"):
        (tmp_path / name).touch(mode=0o600)
    cameras = [{"name": "north", "source": "rtsp://127.0.0.1/x", "credentials": "cam.txt"}]
    (found,) = machine.secrets(config_of(tmp_path, cameras=cameras))
    assert found.level == "ok"
    assert found.text.startswith("3 secret files")


def test_one_secret_file_is_not_several(tmp_path: Path) -> None:
    (tmp_path / "seal.key").touch(mode=0o600)
    (found,) = machine.secrets(config_of(tmp_path))
    assert found.text == "1 secret file can be read by this user alone"


def test_a_state_folder_that_is_open_to_others_is_warned_of_and_no_praise_follows(tmp_path: Path) -> None:
    (tmp_path / "seal.key").touch(mode=0o600)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o750)
    (found,) = machine.secrets(config_of(tmp_path))
    assert (found.level, found.remedy) == ("warn", f"Run: chmod 700 {tmp_path / 'state'}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_secret_file_of_another_user_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "seal.key").touch(mode=0o600)
    os.chown(tmp_path / "seal.key", 4711, -1)
    found = list(machine.secrets(config_of(tmp_path)))
    assert found[0].level == "warn"
    assert found[0].remedy == f"Run: chown 0 {tmp_path / 'seal.key'}"
