"""A network between browser and console that can be let down: TCP passed on, dropped in silence, or refused."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Self


class Relay:
    """Passes connections on to a port of this machine.

    Attributes
    ----------
    port
        Where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._works = True
        self._refuses = False
        self._ends: dict[socket.socket, socket.socket] = {}
        self._dead: list[socket.socket] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for end in (self._listening, *self._ends, *self._dead):
            end.close()

    def let_down(self) -> None:
        """Nothing arrives any more, and nobody is told; connections of this time stay dead for ever."""
        with self._lock:
            self._works, self._refuses = False, False
            self._dead += self._ends
            self._ends.clear()

    def refuse(self) -> None:
        """New connections are closed at once."""
        with self._lock:
            self._works, self._refuses = False, True

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                waiting = [self._listening, *self._ends]
            ready, _, _ = select.select(waiting, [], [], 0.02)
            with self._lock:
                for end in ready:
                    if end is self._listening:
                        self._take(end.accept()[0])
                    elif end in self._ends:
                        self._pass_on(end)

    def _take(self, caller: socket.socket) -> None:
        if self._refuses:
            caller.close()
        elif not self._works:
            self._dead.append(caller)
        else:
            other = socket.create_connection(("127.0.0.1", self._target))
            self._ends[caller], self._ends[other] = other, caller

    def _pass_on(self, end: socket.socket) -> None:
        other = self._ends[end]
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(65536)
            other.sendall(data)
        if not data:
            for one in (end, other):
                self._ends.pop(one, None)
                one.close()
