"""The console's connection to the hub: the only module here that talks to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from appliance.alerts.event import Event
from appliance.alerts.messages import Alert, Decision, PreviewHeader, Status
from appliance.core.errors import StreamError
from appliance.stream.client import HubClient
from appliance.stream.subscriber import Connection, Preview, Reset, Subscriber

_T = TypeVar("_T")


class FeedListener(Protocol):
    """Who is told what the stream brings, on the event loop."""

    def heard(self) -> None:
        """The hub gave a sign of life."""

    def silent(self) -> None:
        """The hub cannot be heard any more."""

    def reset(self, epoch: str) -> None:
        """Another journal: forget every event."""

    def event(self, header: Alert | Decision, epoch: str, seq: int) -> None:
        """An event of the journal, each once and in order."""

    def new_status(self, status: Status, *, caught_up: bool) -> None:
        """How the appliance is, each second; `caught_up`: every event of the journal has been told."""

    def new_preview(self, header: PreviewHeader, jpg: bytes) -> None:
        """What a camera sees, redacted."""


class PictureKeeper(Protocol):
    """Who keeps the pictures that come with new alerts."""

    def keep(self, alert_id: str, pictures: Sequence[bytes]) -> None:
        """Scene, face and watchlist picture of an alert."""

    def clear(self) -> None:
        """Another journal: forget all of them."""


class _Requester:
    """One connection for questions with a thread of its own, so that slow answers hold up only their own kind."""

    def __init__(self, replay: str, name: str) -> None:
        self._replay = replay
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._client: HubClient | None = None

    async def ask(self, question: Callable[[HubClient], _T]) -> _T:
        def answer() -> _T:
            if self._client is None:
                self._client = HubClient(self._replay)
            return question(self._client)

        return await asyncio.get_running_loop().run_in_executor(self._thread, answer)

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()


class Feed:
    """Follows the stream and asks the hub.

    Parameters
    ----------
    publish, replay
        The hub's public endpoints.
    """

    def __init__(self, publish: str, replay: str) -> None:
        self._publish = publish
        self._replay = replay
        self._pictures = _Requester(replay, "pictures")
        self._decisions = _Requester(replay, "decisions")
        self._acts = _Requester(replay, "acts")
        self._connected = False

    async def run(self, listener: FeedListener, pictures: PictureKeeper) -> None:
        """Follow for ever; cancel to end."""
        async with Subscriber(self._publish, self._replay, pictures=False, previews=True) as stream:
            async for item in stream:
                match item:
                    case Event(header=Alert() | Decision() as header):
                        if item.pictures:  # before anybody is told of the alert; a replayed one comes without
                            pictures.keep(header.id, item.pictures)
                        listener.event(header, header.epoch, item.seq)
                    case Status():
                        self._connected = True
                        listener.new_status(item, caught_up=stream.last_seq >= item.seq)
                    case Preview():
                        listener.new_preview(item.header, item.picture)
                    case Connection(connected=connected):
                        self._connected = connected
                        if connected:
                            listener.heard()
                        else:
                            listener.silent()
                    case Reset(epoch=epoch):
                        pictures.clear()
                        listener.reset(epoch)

    async def fetch(self, alert_id: str) -> Sequence[bytes]:
        """The pictures of an alert: scene, face, watchlist picture.

        Raises
        ------
        UnknownAlert, StreamError
            As the hub answers, or does not.
        """
        if not self._connected:
            raise StreamError("The appliance cannot be reached just now.")
        event = await self._pictures.ask(lambda hub: hub.fetch(alert_id))
        return event.pictures

    async def decide(self, decision: Decision) -> Decision:
        """Record a decision; harmless when repeated with the same id.

        Raises
        ------
        DecisionConflict, UnknownAlert, RequestRefused, StreamError
            As the hub answers, or does not.
        """
        return await self._decisions.ask(lambda hub: hub.decide(decision))

    async def record(self, act: dict[str, Any]) -> None:
        """Put an act into the audit record.

        Raises
        ------
        StreamError
            When the hub does not answer or cannot write.
        """
        await self._acts.ask(lambda hub: hub.record(act["act"], act["by"], act["details"]))

    async def close(self) -> None:
        """Let go of every connection; waits for an answer that is on its way."""
        with contextlib.suppress(StreamError):
            await asyncio.gather(self._pictures.close(), self._decisions.close(), self._acts.close())
