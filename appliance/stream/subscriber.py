"""Following the stream: every alert, decision and sighting exactly once and in order, whatever dies in between.

Subscribe first, replay from where one stands, drop what one has, ask again at a gap or when `status` names a newer
number; another epoch means another journal: a `Reset`, then everything from 1.

From a thread or a command::

    with Subscriber(publish, replay) as stream:
        for item in stream:
            if isinstance(item, Event): ...

From asyncio (a console)::

    async with Subscriber(publish, replay, previews=True) as stream:
        async for item in stream:
            match item:
                case Event(): ...
                case Connection(connected=False): ...
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import structlog
import zmq

from appliance.alerts.event import MODELS, Event, parse_event
from appliance.alerts.messages import PreviewHeader, Status
from appliance.core.clock import utc_now
from appliance.core.errors import StreamError
from appliance.core.sockets import Frames, Limits, Peer, connect, receive, send
from appliance.stream.wire import End, ReplayRequest, body_of, parse, request_id

LOST_AFTER_S = 3.0
"""Silence of the hub (which speaks each second) after which the connection counts as lost."""
_ASK_AGAIN_S = 2.0
_UNEASY_AFTER_S = 1.5
_SLOW_READER_S = 0.2
_HELD_EVENTS = 64
_QUEUE_ITEMS = 256

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a camera sees, redacted."""

    header: PreviewHeader
    picture: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection to the hub was lost, or is there (again).

    `since` is when the hub was last heard; of one that was never heard, when following began.
    """

    connected: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Reset:
    """The journal is another one: forget every event; what follows starts from 1."""

    epoch: str


Item = Event | Preview | Status | Connection | Reset


class _Handoff:
    """From the stream's thread to whoever reads: events wait for room, pictures of the view and status do not."""

    def __init__(self, limit: int) -> None:
        self._items: deque[Item] = deque()
        self._limit = limit
        self._changed = threading.Condition()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self.closed = False

    def put(self, item: Item) -> None:
        """Add an item; blocks while full of events; a newer preview or status takes the place of one that waits."""
        with self._changed:
            if isinstance(item, Preview | Status):
                for position, other in enumerate(self._items):
                    if _supersedes(item, other):
                        del self._items[position]
                        break
                if len(self._items) >= self._limit:
                    return
            while len(self._items) >= self._limit and not self.closed:
                self._changed.wait(1.0)
            self._items.append(item)
            self._wake()

    def get(self, timeout_s: float | None) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self.closed, timeout_s)
            return self._take()

    async def get_async(self) -> Item | None:
        """The next item; None when closed."""
        event = asyncio.Event()
        with self._changed:
            self._waiter = (asyncio.get_running_loop(), event)
        while True:
            with self._changed:
                event.clear()
                if self._items or self.closed:
                    return self._take()
            await event.wait()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._wake()

    def _take(self) -> Item | None:
        if not self._items or self.closed:
            return None
        item = self._items.popleft()
        self._changed.notify_all()
        return item

    def _wake(self) -> None:
        self._changed.notify_all()
        if self._waiter:
            loop, event = self._waiter
            with contextlib.suppress(RuntimeError):  # the reader's loop has ended
                loop.call_soon_threadsafe(event.set)


def _supersedes(new: Item, old: Item) -> bool:
    if isinstance(new, Preview) and isinstance(old, Preview):
        return new.header.camera == old.header.camera
    return isinstance(new, Status) and isinstance(old, Status)


class Subscriber:
    """A follower of the stream, working in a thread of its own from `start` (or `with`) to `close`; for one reader.

    Iterating gives `Event`, `Status`, `Connection` and `Reset`, and `Preview` when asked for. Events come exactly once
    and in order; they wait when the reader is slow. Of previews and status the newest is enough.

    Parameters
    ----------
    publish, replay
        The hub's endpoints.
    after_seq, epoch
        Go on after this event of this journal; 0: from the beginning. Without `epoch`, any journal is taken as the
        one that `after_seq` was of.
    pictures
        False: events that are replayed come without pictures (`HubClient.fetch` has them); new ones have them always.
    previews
        True: `Preview` items, too.
    """

    def __init__(
        self,
        publish: str,
        replay: str,
        *,
        after_seq: int = 0,
        epoch: str = "",
        pictures: bool = True,
        previews: bool = False,
    ) -> None:
        if after_seq < 0:
            raise ValueError(f"after_seq {after_seq} must not be negative")
        self._pictures = pictures
        self._queue = _Handoff(_QUEUE_ITEMS)
        self._last = after_seq
        self._epoch = epoch
        self._held: dict[int, Event] = {}
        self._request = b""
        self._unsent = False
        self._asked_s = float("-inf")
        self._goal = 0
        self._connected: bool | None = None
        self._heard_s = time.monotonic()
        self._heard_at = utc_now()
        self._thread: threading.Thread | None = None
        self._context = zmq.Context()
        try:
            self._sub = connect(self._context, zmq.SUB, Peer(publish), Limits(incoming=512))
            self._dealer = connect(self._context, zmq.DEALER, Peer(replay), Limits(incoming=32))
        except StreamError:
            self._context.destroy(linger=0)
            raise
        for topic in (*MODELS, "status", *(["preview."] if previews else [])):
            self._sub.setsockopt(zmq.SUBSCRIBE, topic.encode())

    # ------------------------------------------------------------------ for the reader

    @property
    def last_seq(self) -> int:
        """The newest event that was put in the reader's queue."""
        return self._last

    @property
    def epoch(self) -> str:
        """Names the journal that is followed; empty before the first answer."""
        return self._epoch

    def start(self) -> Self:
        """Begin to follow."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="subscriber", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        """Stop following; iteration ends. Harmless when called twice."""
        self._queue.close()
        if self._thread is not None:
            self._thread.join()
        self._context.destroy(linger=0)

    def get(self, timeout_s: float | None = None) -> Item | None:
        """The next item; None after `timeout_s` or when closed."""
        return self._queue.get(timeout_s)

    def __iter__(self) -> Iterator[Item]:
        while (item := self._queue.get(None)) is not None:
            yield item

    async def __aiter__(self) -> AsyncIterator[Item]:
        while (item := await self._queue.get_async()) is not None:
            yield item

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    # ------------------------------------------------------------------ the thread

    def _work(self) -> None:
        poller = zmq.Poller()
        poller.register(self._sub, zmq.POLLIN)
        poller.register(self._dealer, zmq.POLLIN)
        self._ask()
        while not self._queue.closed:
            ready = dict(poller.poll(50 if self._unsent else 100))
            began_s = time.monotonic()
            for socket, take in ((self._dealer, self._take_reply), (self._sub, self._take_published)):
                if socket in ready and (frames := receive(socket)) is not None:
                    try:
                        take(frames)
                    except StreamError as error:
                        _log.error("a message of the stream cannot be read", reason=str(error))
            if time.monotonic() - began_s < _SLOW_READER_S:  # else the silence was ours, not the hub's
                self._watch()

    def _watch(self) -> None:
        now_s = time.monotonic()
        if self._connected is not False and now_s - self._heard_s > LOST_AFTER_S:
            self._connected = False
            self._queue.put(Connection(connected=False, since=self._heard_at))
        if not self._request and now_s - self._heard_s > _UNEASY_AFTER_S:
            self._ask()  # leaves as soon as there is a hub again, so that what it has is not waited for
        if self._request and (self._unsent or now_s - self._asked_s > _ASK_AGAIN_S):
            self._ask()

    def _heard(self) -> None:
        self._heard_s, self._heard_at = time.monotonic(), utc_now()
        if not self._connected:
            self._connected = True
            self._queue.put(Connection(connected=True, since=self._heard_at))

    def _ask(self) -> None:
        """Ask for what comes after the last event; again after a while if no answer comes."""
        self._request, self._asked_s = request_id(), time.monotonic()
        request = ReplayRequest(from_seq=self._last + 1, pictures=self._pictures)
        self._unsent = not send(self._dealer, [b"replay", self._request, body_of(request, by_alias=True)])

    def _take_reply(self, frames: Frames) -> None:
        self._heard()
        if len(frames) < 3 or frames[1] != self._request:
            return  # to a question that was asked anew
        if frames[0] == b"event" and len(frames) >= 4:
            self._asked_s = time.monotonic()
            event = parse_event(frames[2], frames[3], tuple(frames[4:]))
            if self._same_journal(event.header.epoch):
                self._deliver(event)
        elif frames[0] == b"end":
            end = parse(End, frames[2])
            if not self._same_journal(end.epoch):
                return
            if end.newest < self._last:  # an older copy of the same journal was put back
                self._start_over(end.epoch)
                return
            self._last = max(self._last, end.next - 1)
            self._goal = max(self._goal, end.newest)
            self._request = b""
            self._release()
            if self._last < self._goal:
                self._ask()
        elif frames[0] == b"error":
            _log.warning(
                "the hub refused a replay; it is asked again", reason=frames[2][:200].decode("utf-8", "replace")
            )

    def _take_published(self, frames: Frames) -> None:
        self._heard()
        topic = frames[0]
        if topic.startswith(b"preview.") and len(frames) == 3:
            self._queue.put(Preview(parse(PreviewHeader, frames[1]), frames[2]))
        elif topic == b"status" and len(frames) == 2:
            status = parse(Status, frames[1], 1 << 20)
            if self._same_journal(status.epoch):
                self._expect(status.seq)
                if status.seq < self._last and not self._request:
                    self._ask()  # late news, or an older copy of the journal was put back: the answer tells
            self._queue.put(status)
        elif len(frames) >= 2:
            event = parse_event(topic, frames[1], tuple(frames[2:]))
            if not self._same_journal(event.header.epoch) or event.seq <= self._last:
                return
            if len(self._held) < _HELD_EVENTS:
                self._held[event.seq] = event
            if not self._request:
                self._release()
            self._expect(event.seq)

    def _expect(self, seq: int) -> None:
        """See to it that everything up to `seq` comes."""
        self._goal = max(self._goal, seq)
        if self._last < self._goal and not self._request:
            self._ask()

    def _release(self) -> None:
        """Give out the held events that come next, and forget those that were given out."""
        while (event := self._held.pop(self._last + 1, None)) is not None:
            self._deliver(event)
        for seq in [seq for seq in self._held if seq <= self._last]:
            del self._held[seq]

    def _deliver(self, event: Event) -> None:
        if event.seq > self._last:
            self._queue.put(event)
            self._last = event.seq

    def _same_journal(self, epoch: str) -> bool:
        """True when the message is of the journal that is followed; starts over when it is of another."""
        if not self._epoch:
            self._epoch = epoch
        if epoch == self._epoch:
            return True
        self._start_over(epoch)
        return False

    def _start_over(self, epoch: str) -> None:
        self._epoch, self._last, self._goal = epoch, 0, 0
        self._held.clear()
        self._queue.put(Reset(epoch))
        self._ask()
