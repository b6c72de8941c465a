"""The supervisor's sockets: heartbeats in, what is wanted out, status to the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import zmq
from pydantic import ValidationError

from appliance.alerts.messages import Status
from appliance.core.heartbeat import Heartbeat, Instructions

log = structlog.get_logger()
MAX_BEATS_A_TURN = 256


class SupervisorChannel:
    """Owns the supervisor's end of `ipc://RUNTIME/supervisor` and a line to `ipc://RUNTIME/hub`."""

    def __init__(self, runtime: Path) -> None:
        self._context = zmq.Context()
        self._beats: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self._beats.setsockopt(zmq.LINGER, 0)
        self._beats.bind(f"ipc://{runtime}/supervisor")
        self._hub: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._hub.setsockopt(zmq.LINGER, 200)
        self._hub.setsockopt(zmq.SNDHWM, 2)
        self._hub.connect(f"ipc://{runtime}/hub")

    def beats(self, wait_ms: int, answer: Callable[[Heartbeat], Instructions]) -> Iterator[Heartbeat]:
        """Every heartbeat that has arrived, each answered; waits at most `wait_ms` for the first."""
        for turn in range(MAX_BEATS_A_TURN):
            if not self._beats.poll(wait_ms if turn == 0 else 0):
                return
            frames = self._beats.recv_multipart()
            if len(frames) != 3 or frames[1] != b"beat":
                log.warning("not a heartbeat", frames=len(frames))
                continue
            try:
                beat = Heartbeat.model_validate_json(frames[2])
            except ValidationError as error:
                log.warning("malformed heartbeat", problems=error.error_count())
                continue
            yield beat
            wanted = answer(beat).model_dump_json().encode()
            self._beats.send_multipart([frames[0], b"instructions", wanted], zmq.NOBLOCK)

    def tell_hub(self, status: Status) -> bool:
        """Hand the status to the hub without waiting; False when it does not take it now."""
        try:
            self._hub.send_multipart([b"status", status.model_dump_json().encode()], zmq.NOBLOCK)
        except zmq.Again:
            return False
        while self._hub.poll(0):
            self._hub.recv_multipart()
        return True

    def close(self) -> None:
        """Let go of the sockets."""
        self._beats.close()
        self._hub.close()
        self._context.term()
