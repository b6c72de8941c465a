"""Tells systemd the truth: ready, alive, stopping, and one line for `systemctl status` (protocol: sd_notify(3))."""

from __future__ import annotations

import os
import socket

import structlog

log = structlog.get_logger()


class Notifier:
    """Sends to the socket that systemd names in the environment; does nothing where there is none.

    Parameters
    ----------
    environ
        Where `NOTIFY_SOCKET` is looked up; the process's own by default.
    """

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        address = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._said = ""

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The service does its work from here on."""
        self._send("READY=1")

    def alive(self) -> None:
        """One watchdog ping; systemd restarts the service when they stay away for `WatchdogSec`."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def say(self, text: str) -> None:
        """The line that `systemctl status` shows; sent only when it changed."""
        line = " ".join(text.split())
        if line != self._said:
            self._said = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(0.2)
                sock.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("systemd could not be told", message=message, error=str(error))
