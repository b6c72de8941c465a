"""The console's feed: what the stream brings is told in order, and a new alert's pictures are taken once."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, picture, running, settings, short_folder

from appliance.alerts.messages import Alert, Decision, PreviewHeader, Status
from appliance.console.officer import feed as module
from appliance.console.officer.feed import Feed
from appliance.console.officer.pictures import Pictures
from appliance.core.errors import StreamError, UnknownAlert
from appliance.core.telemetry import Meter
from appliance.stream.outbox import Outbox

OWN = [picture("scene"), picture("face"), picture("photo")]


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


class Told:
    """Remembers what it is told, and waits for more."""

    def __init__(self) -> None:
        self.events: list[Alert | Decision] = []
        self.resets: list[str] = []
        self.statuses = 0  # that came when everything before them had been told
        self.silences = 0
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def heard(self) -> None:
        self._tell()

    def silent(self) -> None:
        self.silences += 1
        self._tell()

    def reset(self, epoch: str) -> None:
        self.resets.append(epoch)
        self._tell()

    def event(self, header: Alert | Decision, epoch: str, seq: int) -> None:
        assert (header.epoch, header.seq) == (epoch, seq)
        self.events.append(header)
        self._tell()

    def new_status(self, status: Status, *, caught_up: bool) -> None:
        self.statuses += caught_up
        self._tell()

    def new_preview(self, header: PreviewHeader, jpg: bytes) -> None:
        self._tell()

    def _tell(self) -> None:
        task = asyncio.create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, reached: Any) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(reached)


class Fetching:
    """A feed's way to the hub's pictures, and what was asked of it."""

    def __init__(self, feed: Feed) -> None:
        self.asked: list[str] = []
        self._feed = feed

    async def __call__(self, alert_id: str) -> Sequence[bytes]:
        self.asked.append(alert_id)
        return await self._feed.fetch(alert_id)


def put(hub: Any, *made: Alert) -> None:
    """Let a camera send alerts, and wait until the hub has them."""
    with Outbox(hub.settings.cameras, "north", Meter()) as outbox:
        for one in made:
            outbox.send_alert(one, OWN)
        assert outbox.drained(30)


def test_the_pictures_of_a_new_alert_are_not_asked_for_again_and_those_of_an_old_one_are(folder: Path) -> None:
    old, new = alert(), alert()

    async def live(hub: Any) -> None:
        await asyncio.to_thread(put, hub, old)
        feed, told = Feed(hub.settings.publish, hub.settings.replay), Told()
        fetching = Fetching(feed)
        kept = Pictures(fetching)
        following = asyncio.create_task(feed.run(told, kept))
        await told.until(lambda: told.statuses >= 2)  # the replay of what was before has ended
        await asyncio.to_thread(put, hub, new)
        await told.until(lambda: len(told.events) == 2)
        assert [header.id for header in told.events] == [old.id, new.id]
        assert await kept.all(new.id) == OWN
        assert fetching.asked == []
        assert await kept.all(old.id) == OWN
        assert fetching.asked == [old.id]
        kept.forget(new.id)
        assert await kept.get(new.id, "face") == OWN[1]
        assert fetching.asked == [old.id, new.id]
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await feed.close()

    with running(settings(folder)) as hub:
        asyncio.run(live(hub))


def test_another_journal_takes_the_pictures_of_the_one_before_with_it(folder: Path) -> None:
    first, second = alert(), alert()

    async def live() -> None:
        told = Told()
        feed = Feed(f"ipc://{folder}/pub", f"ipc://{folder}/replay")
        fetching = Fetching(feed)
        kept = Pictures(fetching)
        following = asyncio.create_task(feed.run(told, kept))
        with running(settings(folder)) as hub:
            await told.until(lambda: told.statuses >= 2)
            await asyncio.to_thread(put, hub, first)
            await told.until(lambda: len(told.events) == 1)
        assert kept.size_bytes == sum(map(len, OWN))
        with running(settings(folder, state_dir=folder / "another")) as hub:
            await asyncio.to_thread(put, hub, second)
            await told.until(lambda: told.resets and told.events[-1].id == second.id)
            assert first.id not in kept._kept
            with pytest.raises(UnknownAlert):
                await kept.get(first.id, "face")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await feed.close()

    asyncio.run(live())


def test_decisions_are_told_in_their_place_and_go_to_the_hub(folder: Path) -> None:
    made = alert()

    async def live(hub: Any) -> None:
        feed, told = Feed(hub.settings.publish, hub.settings.replay), Told()
        following = asyncio.create_task(feed.run(told, Pictures(feed.fetch)))
        await told.until(lambda: told.statuses >= 1)
        await asyncio.to_thread(put, hub, made)
        await told.until(lambda: len(told.events) == 1)
        sent = decision(made.id)
        answered = await feed.decide(sent)
        assert (answered.id, answered.seq) == (sent.id, 2)
        await told.until(lambda: len(told.events) == 2)
        assert told.events[1] == answered
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await feed.close()

    with running(settings(folder)) as hub:
        asyncio.run(live(hub))


def test_without_a_hub_a_picture_is_refused_at_once_and_nothing_hangs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HubClient", lambda *_: pytest.fail("a hub that is not there would be waited for"))

    async def live() -> None:
        feed = Feed(f"ipc://{folder}/pub", f"ipc://{folder}/replay")
        async with asyncio.timeout(20):
            with pytest.raises(StreamError, match="cannot be reached"):
                await feed.fetch("a")
            await feed.close()

    asyncio.run(live())
