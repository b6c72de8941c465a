"""Takes the requests of readers and answers them, see the contract in `hub`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import zmq

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Decision
from appliance.core.clock import utc_now
from appliance.core.errors import DecisionConflict, JournalError, LfrError, SecretError, StreamError, UnknownAlert
from appliance.core.sockets import Frames, receive, send
from appliance.core.telemetry import Meter
from appliance.stream.decision_audit import Auditor
from appliance.stream.replays import Replays
from appliance.stream.wire import (
    MAX_REQUEST_BYTES,
    ActRequest,
    FetchRequest,
    MessageRefused,
    Refusal,
    RefusalCode,
    ReplayRequest,
    body_of,
    parse,
)

CLOCK_TOLERANCE_S = 60.0
"""A decision may lie this far in the future, for clocks that differ."""
_REQUESTS_A_ROUND = 16
_CODES: tuple[tuple[type[LfrError], RefusalCode], ...] = (
    (UnknownAlert, "unknown_alert"),
    (DecisionConflict, "conflict"),
    (StreamError, "bad_request"),
    (JournalError, "unavailable"),
    (SecretError, "unavailable"),  # the key of the pictures cannot be read
)
"""How an error is told to a reader: the first that fits."""


class RequestHandler:
    """Answers `replay`, `fetch`, `decide` and `record` on a ROUTER socket.

    Parameters
    ----------
    socket
        Set to `ROUTER_MANDATORY`, so that a reader that is gone or slow is seen.
    decided
        Called with each new decision when it is durable, before its author is answered.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        journal: Journal,
        auditor: Auditor,
        meter: Meter,
        decided: Callable[[Decision], None],
    ) -> None:
        self._socket = socket
        self._journal = journal
        self._auditor = auditor
        self._meter = meter
        self._decided = decided
        self._replays = Replays(socket, journal, meter)

    @property
    def may_sleep_ms(self) -> int:
        """How long the hub may sleep without keeping a replay waiting."""
        if not len(self._replays):
            return 100
        return 10 if self._replays.blocked else 0

    def answer_waiting(self) -> None:
        """Take some requests and send a slice of each replay."""
        for _ in range(_REQUESTS_A_ROUND):
            frames = receive(self._socket)
            if frames is None:
                break
            self._take(frames)
        self._replays.step()

    def _take(self, frames: Frames) -> None:
        client, request = frames[0], frames[2][:64] if len(frames) > 2 else b""
        try:
            reply = self._answer(client, frames[1:])
        except (StreamError, JournalError, SecretError) as error:
            reply = self._refuse(request, error)
        if reply and not send(self._socket, [client, *reply]):
            self._meter.count("lfr_hub_replies_unsent_total")

    def _refuse(self, request: bytes, error: LfrError) -> Frames:
        code = (
            error.code
            if isinstance(error, MessageRefused)
            else next(c for kind, c in _CODES if isinstance(error, kind))
        )
        standing = error.standing if isinstance(error, DecisionConflict) else None
        self._meter.count("lfr_hub_refused_requests_total", reason=code)
        return [b"error", request, body_of(Refusal(code=code, message=str(error), standing=standing))]

    def _answer(self, client: bytes, frames: Frames) -> Frames | None:
        if len(frames) != 3:
            raise MessageRefused("A request has three frames: verb, request id, JSON.")
        verb, request, body = frames
        if len(request) > 64:
            raise MessageRefused("A request id has at most 64 bytes.")
        if verb == b"replay":
            self._replays.add(client, request, parse(ReplayRequest, body))
            return None
        if verb == b"fetch":
            event = self._journal.find(parse(FetchRequest, body).id)
            if event is None:
                raise MessageRefused("The journal holds no such alert; it may have been purged.", "unknown_alert")
            return [b"event", request, event.topic.encode(), event.header_json, *event.pictures]
        if verb == b"decide":
            return [b"decided", request, body_of(self._decide(parse(Decision, body)))]
        if verb == b"record":
            record = parse(ActRequest, body, MAX_REQUEST_BYTES)
            self._auditor.record(record.act, record.by, record.details)
            return [b"recorded", request, b"{}"]
        raise MessageRefused("This hub knows the verbs replay, fetch, decide and record.")

    def _decide(self, decision: Decision) -> Decision:
        if decision.at > utc_now() + timedelta(seconds=CLOCK_TOLERANCE_S):
            raise MessageRefused("The decision lies in the future; compare the clocks of the two machines.")
        journaled, new = self._journal.append_decision(decision)
        if new:
            self._decided(journaled)
        return journaled
