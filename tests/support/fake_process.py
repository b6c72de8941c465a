"""A process that only seems to run."""

from __future__ import annotations

from multiprocessing.process import BaseProcess


class FakeProcess(BaseProcess):
    """Lives until `exitcode` is given; `killed` tells whether somebody killed it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._left: int | None = None
        self.killed = False

    @property
    def pid(self) -> int | None:
        return self._pid

    @property
    def exitcode(self) -> int | None:
        return self._left

    def leave(self, exitcode: int) -> None:
        """It ends by itself."""
        self._left = exitcode

    def is_alive(self) -> bool:
        return self._left is None

    def start(self) -> None:
        pass

    def kill(self) -> None:
        self.killed, self._left = True, -9

    def join(self, timeout: float | None = None) -> None:
        pass

    def close(self) -> None:
        pass
