"""The hub: takes alerts from cameras, makes them durable, tells everybody, answers readers and takes decisions.

One thread, one loop. For each alert: journal and commit, then acknowledge to the camera, then publish. A hub that dies
between any two of these loses and repeats nothing for those who follow the contract below: a camera sends again what
was not acknowledged (see `arrivals`), a reader asks for what it missed.

The contract for readers
------------------------
All messages are ZeroMQ multipart; JSON is UTF-8; pictures are JPEG; unknown keys are to be ignored.

PUB (`alerts.publish`), frames `[topic, header, picture…]`, see `alert` for the headers:

===================  ==========  =========================================================================
topic                pictures    header
===================  ==========  =========================================================================
`alert`              3           Alert: redacted scene, face, watchlist picture follow
`decision`           0           Decision
`sighting`           0           Sighting of a blue-list entry
`status`             0           Status, each second; `seq` is the newest sequence number
`preview.CAMERA`     1           PreviewHeader; not journaled, dropped first
===================  ==========  =========================================================================

Alerts, decisions and sightings are journaled and share one series of sequence numbers (`seq`, from 1). A number may be
missing for good (purged). PUB drops silently when a reader is slow, so: subscribe first, then ask for a replay, drop
what you have, and ask again whenever a number is missing or `status` names a newer one. Another `epoch` than before
means another journal: start again from 1. `subscriber.Subscriber` does all this.

ROUTER (`alerts.replay`), for a DEALER: requests `[verb, request id, JSON]`, replies `[kind, request id, …]`.

=========  ===========================================  ==========================================================
verb       JSON                                         replies
=========  ===========================================  ==========================================================
`replay`   `{"from": N, "limit": ≤500,                  `event` (topic, header, picture…) for each, then `end`
           "pictures": true}`                           `{"epoch", "newest", "next"}`: ask again from `next`;
                                                        above `newest`: you have everything
`fetch`    `{"id": alert id}`                           `event` with pictures
`decide`   Decision (`epoch`, `seq` ignored; an `id`    `decided`: the Decision as journaled. The same `id` again
           of your own makes a retry harmless)          is answered as before
`record`   `{"act", "by", "details"}`                   `recorded` `{}`: it is in the audit record
=========  ===========================================  ==========================================================

Any may be answered by `error` `{"code", "message", "standing"}` with code `unknown_alert`, `conflict` (another decision
of that kind stands: `standing`), `bad_request`, `too_large` or `unavailable` (try again later).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any, Self

import structlog
import zmq

from appliance.alerts.journal import Journal
from appliance.alerts.messages import (
    MAX_PICTURE_BYTES,
    Alert,
    Decision,
    Degradation,
    Status,
)
from appliance.core.clock import utc_now
from appliance.core.errors import JournalError, LfrError, SecretError, StreamError
from appliance.core.heartbeat import HeartbeatSender
from appliance.core.process import die_with_parent
from appliance.core.sockets import Frames, Limits, Peer, listen, receive, send
from appliance.core.telemetry import configure_logging
from appliance.stream.arrivals import Arrival, View, read, refused_id
from appliance.stream.decision_audit import Auditor
from appliance.stream.requests import RequestHandler
from appliance.stream.settings import HubSettings
from appliance.stream.wire import MAX_REQUEST_BYTES, MessageRefused, body_of

STATUS_EVERY_S = 1.0
PURGE_EVERY_S = 60.0
SUPERVISOR_SILENT_S = 3.0
_MESSAGES_A_ROUND = 32

_log = structlog.get_logger()


class Hub:
    """Journal, sockets and the loop that joins them.

    Raises
    ------
    JournalError, SecretError
        The journal cannot be opened.
    StreamError
        An address is taken or cannot be used.
    """

    def __init__(self, settings: HubSettings) -> None:
        self.settings = settings
        self.trouble: dict[str, str] = {}
        self._reporter = HeartbeatSender(settings.runtime if settings.supervised else None, "hub")
        self.meter = self._reporter.meter
        self.journal = Journal.open(settings.state_dir, cooldown_s=settings.cooldown_s)
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAX_SOCKETS, 64)
        try:
            self._auditor = Auditor(self.journal, settings.audit(settings.state_dir) if settings.audit else None)
            to_cameras = Limits(256, 256, MAX_PICTURE_BYTES + MAX_REQUEST_BYTES)
            self._cameras = listen(self._context, zmq.ROUTER, Peer(settings.cameras), to_cameras, "cameras")
            to_all = Limits(256, 256, MAX_REQUEST_BYTES)
            self._pub = listen(self._context, zmq.PUB, Peer(settings.publish), to_all, "alerts.publish")
            to_readers = Limits(32, 32, 4 * MAX_REQUEST_BYTES)
            router = listen(self._context, zmq.ROUTER, Peer(settings.replay), to_readers, "alerts.replay")
        except BaseException:
            self.close()
            raise
        self._requests = RequestHandler(router, self.journal, self._auditor, self.meter, self._decided)
        self._poller = zmq.Poller()
        self._poller.register(self._cameras, zmq.POLLIN)
        self._poller.register(router, zmq.POLLIN)
        self._newest = self.journal.newest
        self._status: Status | None = None
        self._status_at_s = self._second_at_s = time.monotonic()
        self._purged_at_s = time.monotonic()
        self._purge()  # before anybody is answered: also after a power cut, also when started late
        self._restore_counters()
        self._reporter.beat("ready", now=True)  # before the first alert is taken: from here on this run counts

    def close(self, linger_ms: int = 0) -> None:
        """Let go of sockets (after giving them `linger_ms` to send) and journal."""
        self._context.destroy(linger=linger_ms)
        self.journal.close()
        self._reporter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Work until `stopping()` is true or the supervisor wants it; then take what cameras have sent, and return."""
        while not stopping() and not self._reporter.instructions.stop:
            self.work_once()
        until_s = time.monotonic() + 1.0
        while self._cameras.poll(100) and time.monotonic() < until_s:
            self._take_arrivals()
        with contextlib.suppress(JournalError):  # a full disk must not hold up the end
            self.journal.rest()

    def work_once(self) -> None:
        """One round of the loop, at most a tenth of a second when nothing happens."""
        self._poller.poll(self._requests.may_sleep_ms)
        self._take_arrivals()
        self._requests.answer_waiting()
        self._do_what_is_due()

    # ------------------------------------------------------------------ from cameras and supervisor

    def _take_arrivals(self) -> None:
        to_journal = []
        for _ in range(_MESSAGES_A_ROUND):
            frames = receive(self._cameras)
            if frames is None:
                break
            try:
                message = read(frames)
            except MessageRefused as error:
                self._count("lfr_hub_refused_messages_total", reason=error.code)
                _log.error("a message from a camera was refused", reason=error.problem)
                if (refused := refused_id(frames)) is not None:
                    send(self._cameras, [frames[0], b"nack", refused, f"refused: {error.problem}".encode()])
                continue
            if isinstance(message, Arrival):
                to_journal.append(message)
            else:
                self._pass_on(message)
        if to_journal:
            self._journal_all(to_journal)

    def _pass_on(self, message: View | Status) -> None:
        if isinstance(message, Status):
            self._status = message
            self._status_at_s = time.monotonic()
            self._publish_status(message)
        else:
            header = message.header.model_copy(update={"epoch": self.journal.epoch})
            self._publish(f"preview.{header.camera}", header, [message.picture])

    def _journal_all(self, arrivals: list[Arrival]) -> None:
        """Journal what has arrived in one commit, then acknowledge, then publish."""
        try:
            with self.journal.transaction():
                results = [
                    self.journal.append_alert(arrival.header, arrival.pictures)
                    if isinstance(arrival.header, Alert)
                    else self.journal.append_sighting(arrival.header)
                    for arrival in arrivals
                ]
        except (JournalError, SecretError) as error:
            self._in_trouble("disk", str(error))
            for arrival in arrivals:
                self._count("lfr_hub_refused_messages_total", reason="unavailable")
                send(self._cameras, [arrival.sender, b"nack", arrival.header.id.encode(), f"retry: {error}".encode()])
            return
        self.trouble.pop("disk", None)
        self._fault("committed")
        for arrival, result in zip(arrivals, results, strict=True):
            if not send(self._cameras, [arrival.sender, b"ack", arrival.header.id.encode(), b"%d" % result.seq]):
                self._count("lfr_hub_acks_unsent_total")
        self._fault("acked")
        for arrival, result in zip(arrivals, results, strict=True):
            if result.header is None:
                self._count("lfr_hub_repeated_total", reason=result.repeats)
                if result.repeats == "cooldown":
                    _log.info("no second alert within the cool-down", camera=arrival.header.camera, seq=result.seq)
                continue
            self._newest = result.seq
            self._publish("alert" if arrival.pictures else "sighting", result.header, arrival.pictures)
            if isinstance(result.header, Alert):
                self._sent(result.header)

    def _sent(self, header: Alert) -> None:
        """Count an alert that was just sent; its latency holds encryption, commit, acknowledgement and sending."""
        self._count("lfr_alerts_total", camera=header.camera, category=header.entry.category)
        latency_s = max((utc_now() - header.captured_at).total_seconds(), 0.0)
        try:
            self.meter.observe("lfr_alert_latency_seconds", latency_s, camera=header.camera)
        except ValueError as error:
            self._in_trouble("hub", str(error))

    def _decided(self, decision: Decision) -> None:
        self._newest = decision.seq
        self._publish("decision", decision, [])
        self._count("lfr_decisions_total", kind=decision.kind, outcome=decision.value)
        self._audit()

    # ------------------------------------------------------------------ by the clock

    def _do_what_is_due(self) -> None:
        now_s = time.monotonic()
        self._reporter.beat("degraded" if self.trouble else "ready", detail=" ".join(self.trouble.values()))
        if now_s - self._purged_at_s >= PURGE_EVERY_S:
            self._purged_at_s = now_s
            self._purge()
        if now_s - self._second_at_s >= STATUS_EVERY_S:
            self._second_at_s = now_s
            if "audit" in self.trouble:
                self._audit()
            if now_s - self._status_at_s > SUPERVISOR_SILENT_S:
                self._publish_status(self._bare_status())

    def _purge(self) -> None:
        before = utc_now() - timedelta(hours=self.settings.keep_hours)
        try:
            if self.settings.before_purge is not None and self.journal.holds_before(before):
                self.settings.before_purge()
            ids = self.journal.purge(before)
        except JournalError as error:
            self._in_trouble("disk", str(error))
            return
        self._audit()
        if ids:
            _log.info("alerts are purged", alerts=len(ids), kept_hours=self.settings.keep_hours)
            self._count("lfr_hub_purged_total", len(ids))
            try:
                self._auditor.purged(ids, self.settings.keep_hours)
            except JournalError as error:
                self._in_trouble("audit", str(error))

    def _audit(self) -> None:
        try:
            self._auditor.catch_up()
        except (JournalError, StreamError) as error:
            self._in_trouble("audit", str(error))
        else:
            self.trouble.pop("audit", None)

    def _bare_status(self) -> Status:
        silence = Degradation(
            code="supervisor", text="The supervisor is silent: the cameras' state is unknown.", severity="critical"
        )
        if self._status is None:
            return Status(at=utc_now(), deployment=self.settings.deployment, degraded=[silence])
        return self._status.model_copy(update={"at": utc_now(), "cameras": [], "degraded": [silence]})

    def _publish_status(self, status: Status) -> None:
        own = [Degradation(code=code, text=text, severity="critical") for code, text in self.trouble.items()]
        self._publish(
            "status",
            status.model_copy(
                update={"epoch": self.journal.epoch, "seq": self._newest, "degraded": [*status.degraded, *own]}
            ),
            [],
        )

    # ------------------------------------------------------------------ helpers

    def _publish(self, topic: str, header: Any, pictures: Frames) -> None:
        send(self._pub, [topic.encode(), body_of(header), *pictures])

    def _in_trouble(self, code: str, text: str) -> None:
        if self.trouble.get(code) != text:
            _log.error("the hub is in trouble", about=code, reason=text)
        self.trouble[code] = text

    def _count(self, name: str, amount: float = 1, **labels: str) -> None:
        try:
            self.meter.count(name, amount, **labels)
        except ValueError as error:  # more series than a meter holds: cameras or categories of another deployment
            self._in_trouble("hub", str(error))

    def _restore_counters(self) -> None:
        """Begin these two where the journal stands, purged alerts included, so that a restart does not reset them."""
        tally = self.journal.tally(self.settings.deployment)
        for (camera, category), n in tally.alerts.items():
            self._count("lfr_alerts_total", n, camera=camera, category=category)
        for (kind, value), n in tally.decisions.items():
            self._count("lfr_decisions_total", n, kind=kind, outcome=value)

    def _fault(self, moment: str) -> None:
        if self.settings.fault:
            self.settings.fault(moment)


def serve(settings: HubSettings) -> None:
    """The hub's process: works until SIGTERM or until the supervisor wants it to stop; exit code 1 when it cannot."""
    stop = False

    def on_signal(_: int, __: FrameType | None) -> None:
        nonlocal stop
        stop = True

    if settings.supervised:
        die_with_parent()
    signal.signal(signal.SIGTERM, on_signal)
    # Ctrl-C reaches the whole group; the supervisor hears it too and ends its processes in their order.
    signal.signal(signal.SIGINT, signal.SIG_IGN if settings.supervised else on_signal)
    configure_logging("hub")
    try:
        hub = Hub(settings)
    except LfrError as error:
        _log.error("the hub cannot start", reason=str(error))
        reporter = HeartbeatSender(settings.runtime if settings.supervised else None, "hub")
        reporter.beat("failed", now=True, detail=str(error))
        reporter.close()
        sys.exit(1)
    try:
        hub.run(lambda: stop)
    finally:
        hub.close(linger_ms=300)
