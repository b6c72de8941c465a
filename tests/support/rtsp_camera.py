"""Cameras on the network for tests: a real RTSP server that can be killed, and servers that misbehave."""

from __future__ import annotations

import functools
import select
import socket
import subprocess
import threading
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-ugly gstreamer1.0-libav"
)


@functools.lru_cache(maxsize=1)
def _can_serve() -> bool:
    check = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
        "Gst.init(None); assert Gst.ElementFactory.find('x264enc')"
    )
    try:
        return subprocess.run([PYTHON, "-c", check], capture_output=True, timeout=40, check=False).returncode == 0
    except OSError:
        return False


class RtspCamera:
    """An RTSP server in a process of its own; skips the test where the machine has none."""

    def __init__(self, size: str = "320x240", fps: int = 15, *rest: str, port: int = 0) -> None:
        if not _can_serve():
            pytest.skip(f"no RTSP server here; install: apt-get install {PACKAGES}")
        script = Path(__file__).with_name("rtsp_server.py")
        self.process = subprocess.Popen(
            [PYTHON, str(script), str(port), size, str(fps), *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 40)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("ready"):
            self.kill()
            raise AssertionError("the RTSP server did not start")
        self.port = int(line.split()[1])

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> RtspCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class OddServer:
    """A TCP server that meets each request of a connection with the next answer, then keeps it open in silence."""

    def __init__(self, *answers: bytes, port: int = 0) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self._connections: list[socket.socket] = []
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            for answer in self._answers:
                try:
                    request = connection.recv(4096)
                    if not request:
                        break
                    self.asked.append(request)
                    connection.sendall(answer)
                except OSError:
                    break

    def __enter__(self) -> OddServer:
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the thread out of accept, which closing alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for connection in self._connections:
            connection.close()
