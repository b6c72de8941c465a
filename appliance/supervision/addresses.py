"""The addresses that a run listens on, and whether they are free."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from appliance.config.live import Config
from appliance.core.errors import LfrError
from appliance.core.sockets import MAX_SOCKET_PATH_BYTES


def addresses(config: Config) -> dict[str, str]:
    """Every `HOST:PORT` and `ipc://` socket that a run would listen on, by its key in the configuration."""
    found = {"metrics.listen": config.metrics.listen}
    if config.console is not None:
        found["console.listen"] = config.console.listen
    for key, endpoint in (("alerts.publish", config.alerts.publish), ("alerts.replay", config.alerts.replay)):
        found[key] = urlsplit(endpoint).netloc if endpoint.startswith("tcp://") else endpoint
    return found


def require_free(config: Config, wait_s: float = 3.0) -> None:
    """Refuse to start where a port is taken; waits a little for the processes of a run that was just killed.

    Raises
    ------
    LfrError
        Naming the first key whose address is taken.
    """
    deadline = time.monotonic() + wait_s
    for key, address in addresses(config).items():
        while why := taken(address):
            if time.monotonic() > deadline:
                raise LfrError(f"{key} {address} cannot be used: {why}.", "Stop what uses it, or choose another port.")
            time.sleep(0.1)


def taken(address: str) -> str:
    """Why `HOST:PORT` or an `ipc://` socket cannot be listened on; empty when it can."""
    if address.startswith("ipc://"):
        return _socket_trouble(Path(address.removeprefix("ipc://")))
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, _, _, _, target = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(target)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _socket_trouble(path: Path) -> str:
    """Why a Unix socket cannot be made; one that is there already is replaced, or found to be in use, by the hub."""
    if str(path).startswith("@"):  # a name in the kernel, not a file
        return ""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"{path.parent} cannot be written by this user"
    if path.exists() and not path.is_socket():
        return "a file that is no socket is in the way"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        return f"the path is longer than {MAX_SOCKET_PATH_BYTES} bytes"
    return ""
