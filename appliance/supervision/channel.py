"""The supervisor's sockets: heartbeats in, what is wanted out, status to the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import zmq
from pydantic import ValidationError

from appliance.alerts.messages import Status
from appliance.core.heartbeat import Heartbeat, Instructions
from appliance.core.sockets import Limits, Peer, connect, listen, receive, send

log = structlog.get_logger()
MAX_BEATS_A_ROUND = 256


class SupervisorChannel:
    """Owns the supervisor's end of `ipc://RUNTIME/supervisor` and a line to `ipc://RUNTIME/hub`."""

    def __init__(self, runtime: Path) -> None:
        self._context = zmq.Context()
        own = Peer(f"ipc://{runtime}/supervisor")
        self._beats = listen(self._context, zmq.ROUTER, own, Limits(), "heartbeats")
        to_hub = Limits(outgoing=2, linger_ms=200, queue_when_away=True)
        self._hub = connect(self._context, zmq.DEALER, Peer(f"ipc://{runtime}/hub"), to_hub)

    def beats(self, wait_ms: int, answer: Callable[[Heartbeat], Instructions]) -> Iterator[Heartbeat]:
        """Every heartbeat that has arrived, each answered; waits at most `wait_ms` for the first."""
        for number in range(MAX_BEATS_A_ROUND):
            frames = receive(self._beats) if self._beats.poll(wait_ms if number == 0 else 0) else None
            if frames is None:
                return
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
            send(self._beats, [frames[0], b"instructions", wanted])

    def tell_hub(self, status: Status) -> bool:
        """Hand the status to the hub without waiting; False when it does not take it now."""
        return bool(send(self._hub, [b"status", status.model_dump_json().encode()]))

    def close(self) -> None:
        """Let go of the sockets."""
        self._beats.close()
        self._hub.close()
        self._context.term()
