"""What all open pages share: the cases, the newest status and previews, and who is listening.

A page that is slow never makes anything grow: for each page only *what changed* is remembered, and what it gets is
how things are when it is ready for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any

from appliance.alerts.messages import Alert, Decision, PreviewHeader, Status
from appliance.console.officer.cases import Cases, event_id, parse_event_id
from appliance.console.users import User
from appliance.core.clock import utc_now, utc_text

LOST_AFTER_S = 3.5
BEAT_EVERY_S = 1.0
CATCH_UP_S = 5.0
MAX_PAGES = 100
MAX_OF_A_SESSION = 4  # a browser makes six connections to one console, and a stream keeps one for itself
MAX_CAMERAS = 64
RESUME_LIMIT = 400


class OpenPage:
    """One open page."""

    def __init__(self, user: User, session: str, *, previews: bool) -> None:
        self.user = user
        self.session = session
        self.began_s = time.monotonic()
        self.displaced = False
        self.previews = previews and user.may("live")
        self.dirty: OrderedDict[str, None] = OrderedDict()
        self.gone: OrderedDict[str, None] = OrderedDict()
        self.cameras: dict[str, None] = {}
        self.status = True
        self.reset = False
        self.wake = asyncio.Event()


class OpenPages:
    """The console's only state: all of it rebuilt from the stream when it starts.

    Attributes
    ----------
    cases
        Alerts and decisions.
    status
        The appliance's newest word on itself, or None.
    heard_at_s
        When the hub was last heard, monotonic; None before.
    caught_up
        Whether everything that the journal holds has been taken in.
    """

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self.status: Status | None = None
        self.heard_at_s: float | None = None
        self.caught_up = False
        self.waiting_acts: Callable[[], int] = lambda: 0
        self._heard_utc = ""
        self._opened_s = time.monotonic()
        self._previews: dict[str, tuple[PreviewHeader, bytearray, int]] = {}
        self._open: set[OpenPage] = set()
        self._closing = asyncio.Event()

    # what the feed brings

    def heard(self) -> None:
        """The hub gave a sign of life."""
        self.heard_at_s = time.monotonic()
        self._heard_utc = utc_text(utc_now())

    def silent(self) -> None:
        """The hub cannot be heard any more: the pages are told with their next beat."""
        self.heard_at_s = None

    def reset(self, epoch: str) -> None:
        """Another journal: forget every event, and let every page start again."""
        self.cases.clear(epoch)
        self.caught_up = False
        for page in self._open:
            page.dirty.clear()
            page.reset = True
            page.wake.set()

    def event(self, header: Alert | Decision, epoch: str, seq: int) -> None:
        """An event of the journal, each once and in order."""
        self.heard()
        if epoch != self.cases.epoch:
            if self.cases.epoch:
                self.reset(epoch)
            self.cases.epoch = epoch
        case = self.cases.add(header, seq)
        if case is None:
            return
        for page in self._open:
            page.dirty[case.alert.id] = None
            page.dirty.move_to_end(case.alert.id)
            page.wake.set()

    def new_status(self, status: Status, *, caught_up: bool) -> None:
        """The status of this second."""
        self.heard()
        self.status = status
        self.caught_up = self.caught_up or caught_up
        for page in self._open:
            page.status = True
            page.wake.set()

    def new_preview(self, header: PreviewHeader, jpg: bytes) -> None:
        """A redacted picture of what a camera sees; the one before is overwritten."""
        _, old, count = self._previews.get(header.camera, (header, bytearray(), 0))
        if not old and len(self._previews) >= MAX_CAMERAS:
            return
        old[:] = bytes(len(old))
        self._previews[header.camera] = (header, bytearray(jpg), count + 1)
        for page in self._open:
            if page.previews:
                page.cameras[header.camera] = None
                page.wake.set()

    def forget(self, alert_ids: list[str]) -> None:
        """These alerts are no longer kept."""
        for page in self._open:
            for alert_id in alert_ids:
                page.dirty.pop(alert_id, None)
                page.gone[alert_id] = None
            page.wake.set()

    def preview(self, camera: str) -> bytes | None:
        """A camera's newest redacted picture, JPEG."""
        kept = self._previews.get(camera)
        return bytes(kept[1]) if kept else None

    @property
    def count(self) -> int:
        """How many pages are open."""
        return len(self._open)

    def close(self) -> None:
        """End every stream."""
        self._closing.set()
        for page in self._open:
            page.wake.set()
        for _, jpg, _ in self._previews.values():
            jpg[:] = bytes(len(jpg))
        self._previews.clear()

    # what the pages get

    def link(self) -> dict[str, Any]:
        """Whether the hub can be heard, and since when what is shown has been old."""
        since_s = self._opened_s if self.heard_at_s is None and not self._heard_utc else self.heard_at_s
        if since_s is None or time.monotonic() - since_s > LOST_AFTER_S:
            hub = "lost"
        else:
            hub = "connected" if self._heard_utc else "expected"
        return {
            "hub": hub,
            "heard_at": self._heard_utc,
            "caught_up": self.caught_up,
            "acts_waiting": self.waiting_acts(),
        }

    def snapshot(self, user: User) -> dict[str, Any]:
        """Everything that a page starts with."""
        return {
            "epoch": self.cases.epoch,
            "seq": self.cases.seq,
            "now": utc_text(utc_now()),
            "alerts": self.cases.snapshot(user),
            "older": self.cases.beyond_snapshot(user),
            "status": self._status_for(user),
            "link": self.link(),
        }

    def _status_for(self, user: User) -> dict[str, Any] | None:
        if self.status is None:
            return None
        status = self.status.model_dump(mode="json")
        if not user.may("live"):
            status["cameras"] = []
        return status

    async def stream(
        self,
        user: User,
        after: str,
        *,
        previews: bool,
        seconds_left: Callable[[], float],
        session: str = "",
        can_last: Callable[[], bool] = lambda: True,
    ) -> AsyncIterator[bytes]:
        """Server-sent events for one page: what changed after the position `after` (or a snapshot), then all changes.

        `seconds_left` says how long the session still lasts; at 0 the stream ends with `signedout`; `can_last`
        whether using the page would put that off. Beyond `MAX_OF_A_SESSION` streams of one `session` the oldest of
        them ends with `displaced`.
        """
        self._displace(session)
        if len(self._open) >= MAX_PAGES:
            yield _sse("busy", {"message": f"{MAX_PAGES} pages are open already. Close one and reload."})
            return
        page = OpenPage(user, session, previews=previews)
        self._open.add(page)
        try:
            yield b"retry: 1000\n\n"
            patience, next_beat = time.monotonic() + CATCH_UP_S, 0.0
            while not self.caught_up and time.monotonic() < patience and not self._closing.is_set():
                if time.monotonic() >= next_beat:  # a page that hears nothing takes the console for dead
                    next_beat = time.monotonic() + BEAT_EVERY_S
                    yield self._beat(seconds_left(), can_last())
                await asyncio.sleep(0.05)  # a console that has just started would answer with less than it will know
            for chunk in self._beginning(user, after):
                yield chunk
            if page.previews:
                page.cameras.update(dict.fromkeys(self._previews))
            next_beat = 0.0
            while not self._closing.is_set():
                if page.displaced:
                    yield _sse("displaced", {})
                    return
                left = seconds_left()
                if left <= 0:
                    yield _sse("signedout", {"message": "Your session has ended. Sign in again."})
                    return
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + BEAT_EVERY_S
                    yield self._beat(left, can_last())
                for chunk in self._changes(page):
                    yield chunk
                try:
                    async with asyncio.timeout(max(0.01, next_beat - time.monotonic())):
                        await page.wake.wait()
                except TimeoutError:
                    continue
                page.wake.clear()
            yield _sse("closing", {})
        finally:
            self._open.discard(page)

    def _displace(self, session: str) -> None:
        """Make room for one more page of a session; a page that cannot be reached any more gives its place up too."""
        own = [page for page in self._open if session and page.session == session]
        for oldest in sorted(own, key=lambda page: page.began_s)[: max(0, len(own) - MAX_OF_A_SESSION + 1)]:
            oldest.displaced = True
            oldest.wake.set()
            self._open.discard(oldest)

    def _beat(self, seconds_left: float, can_last: bool) -> bytes:
        told = {"now": utc_text(utc_now()), "session_s": round(seconds_left), "session_can_last": can_last}
        return _sse("beat", {**told, **self.link()})

    def _beginning(self, user: User, after: str) -> list[bytes]:
        epoch, seq = parse_event_id(after)
        if epoch and epoch == self.cases.epoch and seq <= self.cases.seq:
            changed = self.cases.changed_after(seq, user)
            if len(changed) <= RESUME_LIMIT:
                return [self._case(case.alert.id, user) for case, _ in changed] + [
                    _sse("resumed", {"missed": len(changed)})
                ]
        position = event_id(self.cases.epoch, self.cases.seq) if self.cases.epoch else ""
        return [_sse("snapshot", self.snapshot(user), position)]

    def _changes(self, page: OpenPage) -> list[bytes]:
        chunks = []
        if page.reset:
            page.reset = False
            page.dirty.clear()
            position = event_id(self.cases.epoch, self.cases.seq)
            chunks.append(_sse("snapshot", self.snapshot(page.user), position))
        while page.dirty:
            alert_id, _ = page.dirty.popitem(last=False)
            chunks.append(self._case(alert_id, page.user))
        while page.gone:
            chunks.append(_sse("gone", {"id": page.gone.popitem(last=False)[0]}))
        if page.status:
            page.status = False
            chunks.append(_sse("status", self._status_for(page.user)))
        for camera in page.cameras:
            header, _, count = self._previews[camera]
            chunks.append(_sse("preview", {**header.model_dump(mode="json"), "n": count}))
        page.cameras.clear()
        return chunks

    def _case(self, alert_id: str, user: User) -> bytes:
        case = self.cases.get(alert_id)
        position = event_id(self.cases.epoch, case.changed_seq if case else self.cases.seq)
        if case is None or not case.visible_to(user):
            return _sse("gone", {"id": alert_id}, position)
        return _sse("alert", case.as_json(), position)


def _sse(event: str, data: object, position: str = "") -> bytes:
    identity = f"id: {position}\n" if position else ""
    return f"{identity}event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
