"""A camera's side of the stream: keeps each alert until the hub has it on disk, and never waits for the hub."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import structlog
import zmq

from appliance.alerts.messages import Alert, PreviewHeader, Sighting
from appliance.core.sockets import Limits, Peer, connect, receive, send
from appliance.core.telemetry import Meter
from appliance.stream.wire import body_of, check_camera, check_pictures

CAPACITY = 256
"""Alerts that are kept while the hub is away; a deployment has about ten."""
RESEND_S = 1.0
_IN_FLIGHT = 16
_PREVIEWS_WAITING = 2

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Pending:
    verb: bytes
    header: bytes
    pictures: list[bytearray]
    sent_s: float = float("-inf")
    tries: int = 0

    def wipe(self) -> None:
        for picture in self.pictures:
            picture[:] = bytes(len(picture))


class Outbox:
    """Sends alerts and sightings until they are acknowledged, and previews when there is room.

    Used by the camera's loop alone: call `pump` in every round. Nothing here blocks for longer than it is told to.

    Parameters
    ----------
    endpoint
        The hub's socket for cameras: `ipc://RUNTIME/hub`.
    camera
        Name of this camera, for the log.
    meter
        Counts alerts lost and sent again, and previews dropped: what the camera's process exports.
    capacity
        Most alerts that are kept. When full, the oldest is given up, which is counted and logged.
    resend_s
        An alert that is not acknowledged within this is sent again; then after twice that, up to eight times.
    """

    def __init__(
        self,
        endpoint: str,
        camera: str,
        meter: Meter,
        *,
        capacity: int = CAPACITY,
        resend_s: float = RESEND_S,
    ) -> None:
        if capacity < 1 or resend_s <= 0:
            raise ValueError(f"capacity {capacity} and resend_s {resend_s} must be positive")
        check_camera(camera)
        self._camera = camera
        self._meter = meter
        self._capacity = capacity
        self._resend_s = resend_s
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._lost = 0
        self._context = zmq.Context()
        # Nothing queues in a socket for a hub that is away; it is kept here and sent when the hub is back.
        self._alerts = connect(self._context, zmq.DEALER, Peer(endpoint), Limits(outgoing=4 * _IN_FLIGHT))
        self._previews = connect(self._context, zmq.DEALER, Peer(endpoint), Limits(outgoing=_PREVIEWS_WAITING))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pending(self) -> int:
        """Alerts and sightings that the hub has not acknowledged."""
        return len(self._pending)

    @property
    def waiting(self) -> frozenset[str]:
        """The ids of what the hub has not acknowledged."""
        return frozenset(self._pending)

    @property
    def lost(self) -> int:
        """Alerts that were given up: pushed out of a full outbox, refused by the hub, or left at `close`."""
        return self._lost

    def send_alert(self, alert: Alert, pictures: Sequence[bytes | bytearray]) -> None:
        """Keep an alert and send it as soon as may be. Returns at once.

        Parameters
        ----------
        pictures
            Redacted scene, face, watchlist picture, JPEG. A `bytearray` becomes the outbox's own and is overwritten
            when the hub has the alert; `bytes` are copied.

        Raises
        ------
        MessageRefused
            The pictures are not three JPEGs of allowed size.
        """
        check_pictures(pictures, 3)
        own = [picture if isinstance(picture, bytearray) else bytearray(picture) for picture in pictures]
        self._add(alert.id, _Pending(b"alert", body_of(alert), own))

    def send_sighting(self, sighting: Sighting) -> None:
        """Keep the sighting of a blue-list entry and send it, as `send_alert` does."""
        self._add(sighting.id, _Pending(b"sighting", body_of(sighting), []))

    def send_preview(self, header: PreviewHeader, picture: bytes) -> bool:
        """Send a redacted picture of the view if there is room now; False when it was dropped (and counted)."""
        if send(self._previews, [b"preview", body_of(header), picture]):
            return True
        self._meter.count("lfr_previews_dropped_total", camera=self._camera)
        return False

    def pump(self, timeout_s: float = 0.0) -> int:
        """Send what is due and take in acknowledgements, waiting for them at most `timeout_s`; what is pending."""
        until_s = time.monotonic() + timeout_s
        while True:
            self._send_due()
            self._take_answers()
            left_s = until_s - time.monotonic()
            if not self._pending or left_s <= 0:
                return len(self._pending)
            self._alerts.poll(max(1, int(min(left_s, 0.05) * 1000)))

    def drained(self, timeout_s: float) -> bool:
        """Wait until the hub has everything, at most `timeout_s`; True when it has."""
        return self.pump(timeout_s) == 0

    def close(self) -> None:
        """Let go of the sockets and overwrite what is kept; what was not acknowledged is lost, and it is said."""
        if self._pending:
            self._note_loss(
                f"{len(self._pending)} alerts were not taken by the hub before the end.", len(self._pending)
            )
        for message in self._pending.values():
            message.wipe()
        self._pending.clear()
        self._context.destroy(linger=0)

    def _add(self, id_: str, message: _Pending) -> None:
        if id_ in self._pending:
            return
        if len(self._pending) >= self._capacity:
            _, oldest = self._pending.popitem(last=False)
            oldest.wipe()
            self._note_loss(
                f"The hub is away and the outbox is full at {self._capacity}: the oldest alert was lost.", 1
            )
        self._pending[id_] = message
        self.pump()

    def _send_due(self) -> None:
        now_s = time.monotonic()
        for position, message in enumerate(self._pending.values()):
            if position >= _IN_FLIGHT:
                return
            patience_s = self._resend_s * min(2 ** max(message.tries - 1, 0), 8)
            if now_s - message.sent_s < patience_s:
                continue
            if not send(self._alerts, [message.verb, message.header, *message.pictures]):
                return  # no hub now, or it is behind: the next pump tries again
            if message.tries:
                self._meter.count("lfr_outbox_resent_total", camera=self._camera)
            message.sent_s, message.tries = now_s, message.tries + 1

    def _take_answers(self) -> None:
        while (frames := receive(self._alerts)) is not None:
            if len(frames) != 3:
                self._meter.count("lfr_outbox_malformed_answers_total", camera=self._camera)
                continue
            verb, raw_id, said = frames
            id_ = raw_id.decode("utf-8", "replace")
            message = self._pending.get(id_)
            if message is None:
                continue  # the answer to a repetition
            if verb == b"ack":
                message.wipe()
                del self._pending[id_]
            elif verb == b"nack" and said.startswith(b"retry:"):
                self._meter.count("lfr_outbox_postponed_total", camera=self._camera)
                _log.warning("the hub cannot take an alert now; it is kept", camera=self._camera, reason=said.decode())
            elif verb == b"nack":
                message.wipe()
                del self._pending[id_]
                self._note_loss(f"The hub refused an alert: {said.decode('utf-8', 'replace')}", 1)

    def _note_loss(self, sentence: str, count: int) -> None:
        self._lost += count
        self._meter.count("lfr_outbox_lost_total", count, camera=self._camera)
        _log.error("alerts are lost", camera=self._camera, reason=sentence, lost=self._lost)
