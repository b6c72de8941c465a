"""The hub's answers to `replay`: sent in slices between its other work, so that no reader can hold up an alert."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import structlog
import zmq

from appliance.alerts.reader import JournalReader, StoredEvent
from appliance.core.errors import LfrError
from appliance.core.sockets import send
from appliance.core.telemetry import Meter
from appliance.stream.wire import End, MessageRefused, Refusal, ReplayRequest, body_of

MAX_STREAMS = 64
STREAMS_OF_A_CLIENT = 4
_SLICE_EVENTS = 8
_SLICE_BYTES = 4_000_000
_STUCK_S = 30.0

_log = structlog.get_logger()


@dataclass(slots=True)
class _Stream:
    client: bytes
    request: bytes
    next_seq: int
    left: int
    pictures: bool
    ready: deque[StoredEvent] = field(default_factory=deque)
    moved_s: float = field(default_factory=time.monotonic)
    blocked: bool = False


class Replays:
    """Replay requests that are being answered, each in its turn.

    Parameters
    ----------
    socket
        The ROUTER that clients ask; it must be set to `ROUTER_MANDATORY`, so that a full way is seen.
    journal
        What is read.
    meter
        Counts events sent and readers given up.
    """

    def __init__(self, socket: zmq.Socket[bytes], journal: JournalReader, meter: Meter) -> None:
        self._socket = socket
        self._journal = journal
        self._meter = meter
        self._streams: deque[_Stream] = deque()

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def blocked(self) -> bool:
        """True when every reader has as much in its way as it can take."""
        return all(stream.blocked for stream in self._streams)

    def add(self, client: bytes, request_id: bytes, request: ReplayRequest) -> None:
        """Begin to answer.

        Raises
        ------
        MessageRefused
            Too many are being answered.
        """
        of_client = sum(stream.client == client for stream in self._streams)
        if of_client >= STREAMS_OF_A_CLIENT or len(self._streams) >= MAX_STREAMS:
            raise MessageRefused("Too many replays at once; wait for the end of one.", "unavailable")
        first = max(request.from_seq, 1)
        self._streams.append(_Stream(client, request_id, first, request.limit, request.pictures))

    def step(self) -> None:
        """Send a slice of each replay."""
        for _ in range(len(self._streams)):
            stream = self._streams.popleft()
            try:
                going_on = self._advance(stream)
            except LfrError as error:
                refusal = Refusal(code="unavailable", message=str(error))
                send(self._socket, [stream.client, b"error", stream.request, body_of(refusal)])
                going_on = False
            if going_on:
                self._streams.append(stream)

    def _advance(self, stream: _Stream) -> bool:
        if not stream.ready and stream.left:
            stream.ready.extend(self._slice(stream))
        while stream.ready:
            event = stream.ready[0]
            frames = [stream.client, b"event", stream.request, event.topic.encode(), event.header_json]
            sent = send(self._socket, [*frames, *event.pictures])
            if not sent:
                return self._wait(stream, gone=sent is None)
            stream.ready.popleft()
            stream.next_seq, stream.left = event.seq + 1, stream.left - 1
            stream.moved_s, stream.blocked = time.monotonic(), False
            self._meter.count("lfr_hub_replayed_total")
            if not stream.ready and stream.left:
                return True
        newest = self._journal.newest
        upto = stream.next_seq if not stream.left else max(newest + 1, stream.next_seq)
        end = End(epoch=self._journal.epoch, newest=newest, next=upto)
        sent = send(self._socket, [stream.client, b"end", stream.request, body_of(end)])
        return not sent and self._wait(stream, gone=sent is None)

    def _slice(self, stream: _Stream) -> list[StoredEvent]:
        if not stream.pictures:
            return self._journal.stored(stream.next_seq, min(stream.left, 8 * _SLICE_EVENTS), pictures=False)
        events: list[StoredEvent] = []
        size, seq = 0, stream.next_seq
        while len(events) < min(stream.left, _SLICE_EVENTS) and size < _SLICE_BYTES:
            found = self._journal.stored(seq, 1)
            if not found:
                break
            events.extend(found)
            seq = found[0].seq + 1
            size += sum(len(picture) for picture in found[0].pictures)
        return events

    def _wait(self, stream: _Stream, *, gone: bool) -> bool:
        stream.blocked = True
        if gone or time.monotonic() - stream.moved_s > _STUCK_S:
            self._meter.count("lfr_hub_readers_given_up_total", reason="gone" if gone else "stuck")
            if not gone:
                _log.warning("a reader of the journal does not take what it asked for; it is given up")
            return False
        return True
