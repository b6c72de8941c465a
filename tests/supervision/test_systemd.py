"""What systemd is told, over a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.supervision.systemd import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(20)
        yield sock, {"NOTIFY_SOCKET": str(path)}


def test_systemd_hears_ready_alive_stopping_and_one_line(systemd: Any) -> None:
    sock, environ = systemd
    notifier = Notifier(environ)
    notifier.ready()
    notifier.alive()
    notifier.say("running:\n2 cameras")
    notifier.say("running: 2 cameras")
    notifier.stopping()
    heard = [sock.recv(1000).decode() for _ in range(4)]
    assert heard == ["READY=1", "WATCHDOG=1", "STATUS=running: 2 cameras", "STOPPING=1"]


def test_without_systemd_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.ready()
    assert not notifier.active


def test_a_socket_that_is_gone_does_not_stop_the_appliance(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
