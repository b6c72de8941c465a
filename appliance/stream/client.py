"""Asking the hub, one question at a time: replay, fetch, decide, record. For commands and for a console's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import zmq

from appliance.alerts.event import Event, parse_event
from appliance.alerts.messages import Decision
from appliance.core.errors import DecisionConflict, RequestRefused, StreamError, UnknownAlert
from appliance.core.sockets import Frames, Limits, Peer, connect, receive, send
from appliance.stream.wire import (
    ActRequest,
    End,
    FetchRequest,
    Refusal,
    ReplayRequest,
    body_of,
    parse,
    request_id,
)

TIMEOUT_S = 3.0
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The answer to one replay request.

    Attributes
    ----------
    events
        In order.
    epoch
        Names the journal.
    newest
        The newest sequence number of the journal.
    next_seq
        Where to ask from next; above `newest` when there was nothing more.
    """

    events: tuple[Event, ...]
    epoch: str
    newest: int
    next_seq: int

    @property
    def complete(self) -> bool:
        """True when there was nothing more at the time."""
        return self.next_seq > self.newest


class HubClient:
    """Asks a hub. Thread-safe: one question at a time, the others wait.

    >>> with HubClient("tcp://127.0.0.1:5557") as hub:          # doctest: +SKIP
    ...     for event in hub.events(from_seq=1):
    ...         print(event.seq, event.topic)

    Parameters
    ----------
    replay
        The hub's `alerts.replay` endpoint.
    timeout_s
        How long an answer may take. Until then a question that has no answer is asked again, which is harmless
        (a decision is known by its id), except for `record`.
    """

    def __init__(self, replay: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._endpoint = replay
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._context = zmq.Context()
        try:
            self._socket = connect(self._context, zmq.DEALER, Peer(replay), Limits(incoming=32))
        except StreamError:
            self._context.destroy(linger=0)
            raise

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def replay(self, from_seq: int = 1, *, limit: int = 500, pictures: bool = False) -> Batch:
        """Up to `limit` (at most 500) events from a sequence number on.

        Raises
        ------
        StreamError
            The hub does not answer, or refuses.
        """
        request = ReplayRequest(from_seq=from_seq, limit=limit, pictures=pictures)
        answer = self._ask(b"replay", body_of(request, by_alias=True), b"end")
        end = parse(End, answer[-1][2])
        events = tuple(_event(frames) for frames in answer[:-1])
        return Batch(events, end.epoch, end.newest, end.next)

    def events(self, from_seq: int = 1, *, pictures: bool = False) -> Iterator[Event]:
        """Every event from a sequence number up to now, asked for in parts."""
        while True:
            batch = self.replay(from_seq, limit=50 if pictures else 500, pictures=pictures)
            yield from batch.events
            if batch.complete:
                return
            from_seq = batch.next_seq

    def fetch(self, alert_id: str) -> Event:
        """One alert with its pictures.

        Raises
        ------
        UnknownAlert
            The journal holds none of that id (any more).
        StreamError
            The hub does not answer.
        """
        return _event(self._ask(b"fetch", body_of(FetchRequest(id=alert_id)), b"event")[-1])

    def decide(self, decision: Decision) -> Decision:
        """Record a decision; as it was journaled, with its sequence number.

        Raises
        ------
        DecisionConflict
            Another decision of that kind stands (`standing`).
        UnknownAlert
            The journal holds no such alert.
        StreamError
            The hub does not answer, or refuses the decision; the sentence says why.
        """
        return parse(Decision, self._ask(b"decide", body_of(decision), b"decided")[-1][2])

    def record(self, act: str, by: str, details: dict[str, Any] | None = None) -> None:
        """Write an act that is no decision (a view, an export, a sign-in) into the audit record.

        Raises
        ------
        StreamError
            The hub does not answer, or the record cannot be written.
        """
        self._ask(b"record", body_of(ActRequest(act=act, by=by, details=details or {})), b"recorded", again=False)

    def _ask(self, verb: bytes, body: bytes, last: bytes, *, again: bool = True) -> list[Frames]:
        """All replies to one question, the one of kind `last` included; asked again in silence if that is harmless."""
        request = request_id()
        replies: list[Frames] = []
        with self._lock:
            now_s = time.monotonic()
            until_s, asked_s, ask = now_s + self._timeout_s, now_s, True
            while (now_s := time.monotonic()) < until_s:
                if ask or (again and now_s - asked_s > _RETRY_S):
                    # A question that may be half answered is asked anew, so that no part comes twice.
                    request = request_id() if not ask else request
                    replies.clear()
                    ask, asked_s = not send(self._socket, [verb, request, body]), now_s
                if not self._socket.poll(20 if ask else 100):
                    continue
                while (frames := receive(self._socket)) is not None:
                    if len(frames) < 3 or frames[1] != request:
                        continue
                    if frames[0] == b"error":
                        raise _refusal(frames[2])
                    replies.append(frames)
                    if frames[0] == last:
                        return replies
                    until_s, asked_s = time.monotonic() + self._timeout_s, time.monotonic()
        raise StreamError(f"The hub does not answer at {self._endpoint}.", "Is lfr run running?")


def _event(frames: Frames) -> Event:
    if len(frames) < 4:
        raise StreamError("The hub sent an event without a header.")
    return parse_event(frames[2], frames[3], tuple(frames[4:]))


def _refusal(body: bytes) -> StreamError:
    refusal = parse(Refusal, body)
    if refusal.code == "unknown_alert":
        return UnknownAlert(refusal.message)
    if refusal.code == "conflict":
        return DecisionConflict(refusal.message, standing=refusal.standing)
    if refusal.code in {"bad_request", "too_large"}:
        return RequestRefused(refusal.message)
    return StreamError(refusal.message)
