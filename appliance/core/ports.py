"""Ports for runs beside others."""

from __future__ import annotations

import contextlib
import socket


def free_port() -> int:
    """A TCP port of this machine that nobody listens on at the moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different ones: asked for one by one, the same might be given twice."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
