"""A follower sees each event once and in order, knows when it is cut off, and catches up by itself."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from alerts_material import alert, picture, pictures, running, settings, short_folder
from waiting import until

from appliance.alerts.event import Event
from appliance.alerts.messages import PreviewHeader, Status
from appliance.core.clock import utc_now
from appliance.core.errors import StreamError
from appliance.core.telemetry import Meter
from appliance.stream.hub import Hub
from appliance.stream.outbox import Outbox
from appliance.stream.subscriber import Connection, Preview, Reset, Subscriber


@pytest.fixture
def folder() -> Iterator[Any]:
    with short_folder() as made:
        yield made


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence counts sooner, so that no test waits for seconds."""
    monkeypatch.setattr("appliance.stream.hub.SUPERVISOR_SILENT_S", 0.3)
    monkeypatch.setattr("appliance.stream.hub.STATUS_EVERY_S", 0.2)
    monkeypatch.setattr("appliance.stream.subscriber.LOST_AFTER_S", 1.0)


def put(hub: Any, count: Any = 1) -> None:
    with Outbox(hub.settings.cameras, "north", Meter()) as outbox:
        for _ in range(count):
            outbox.send_alert(alert(), pictures())
        assert outbox.drained(30)


def follow(hub: Any, **kwargs: Any) -> Any:
    return Subscriber(hub.settings.publish, hub.settings.replay, **kwargs)


def take(stream: Any, kind: Any, count: Any, timeout_s: Any = 30.0) -> Any:
    found: list[Any] = []
    until_s = time.monotonic() + timeout_s
    while len(found) < count and time.monotonic() < until_s:
        item = stream.get(0.1)
        if isinstance(item, kind):
            found.append(item)
    return found


def test_the_past_and_the_present_come_as_one_series(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 30)
        with follow(hub) as stream:
            put(hub, 30)
            events = take(stream, Event, 60)
            assert [event.seq for event in events] == list(range(1, 61))
            assert {len(event.pictures) for event in events} == {3}
            assert take(stream, Event, 1, 0.5) == []


def test_more_than_one_replay_is_asked_for_when_there_is_more_than_fits_in_one(folder: Path) -> None:
    with running(settings(folder, cooldown_s=0)) as hub:
        for start in range(0, 1100, 100):
            with hub.journal.transaction():
                for _ in range(start, start + 100):
                    hub.journal.append_alert(alert(), [picture("s", 20)] * 3)
        with follow(hub, pictures=False) as stream:
            events = take(stream, Event, 1100, 20)
            assert [event.seq for event in events] == list(range(1, 1101))
            assert events[0].pictures == ()


def test_it_goes_on_after_a_number(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 5)
        with follow(hub, after_seq=3, epoch=hub.journal.epoch) as stream:
            assert [event.seq for event in take(stream, Event, 2)] == [4, 5]


def test_a_restarted_hub_is_a_connection_lost_and_found_and_nothing_else(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 2)
        stream = follow(hub).start()
        try:
            assert len(take(stream, Event, 2)) == 2
        except BaseException:
            stream.close()
            raise
    try:
        (lost,) = take(stream, Connection, 1, 6)
        assert not lost.connected
        assert (utc_now() - lost.since).total_seconds() > 0.9
        with running(settings(folder)) as hub:
            put(hub, 2)
            items: list[Any] = []
            while len([item for item in items if isinstance(item, Event)]) < 2:
                items.append(stream.get(5))
            assert [item.seq for item in items if isinstance(item, Event)] == [3, 4]
            assert [item.connected for item in items if isinstance(item, Connection)] == [True]
            assert not any(isinstance(item, Reset) for item in items)
    finally:
        stream.close()


def test_another_journal_is_a_reset_and_starts_from_one(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 3)
        stream = follow(hub).start()
        take(stream, Event, 3)
    try:
        shutil.rmtree(folder / "state")
        with running(settings(folder)) as hub:
            put(hub, 2)
            items = take(stream, Event | Reset, 3)
            assert isinstance(items[0], Reset)
            assert items[0].epoch == hub.journal.epoch == stream.epoch
            assert [item.seq for item in items[1:]] == [1, 2]
    finally:
        stream.close()


def test_an_older_copy_of_the_same_journal_is_a_reset_too(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 1)
    shutil.copytree(folder / "state", folder / "copy")
    with running(settings(folder)) as hub:
        put(hub, 2)
        stream = follow(hub).start()
        take(stream, Event, 3)
    try:
        with running(settings(folder, state_dir=folder / "copy")) as hub:
            (reset,) = take(stream, Reset, 1)
            assert reset.epoch == hub.journal.epoch
            assert [event.seq for event in take(stream, Event, 1)] == [1]
    finally:
        stream.close()


def test_what_pub_dropped_is_found_missing_by_the_next_event_or_status(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that publishes nothing of an alert: only the number in the next message tells."""
    with running(settings(folder)) as hub, follow(hub) as stream:
        put(hub, 1)
        assert [event.seq for event in take(stream, Event, 1)] == [1]
        publish = hub._publish

        def but_alerts(topic: str, *rest: Any) -> None:
            if topic != "alert":
                publish(topic, *rest)

        monkeypatch.setattr(hub, "_publish", but_alerts)
        put(hub, 2)
        monkeypatch.setattr(hub, "_publish", publish)
        put(hub, 1)
        assert [event.seq for event in take(stream, Event, 3)] == [2, 3, 4]
        monkeypatch.setattr(hub, "_publish", but_alerts)
        put(hub, 1)
        assert [event.seq for event in take(stream, Event, 1)] == [5]  # by the status of the second after


def test_purged_numbers_are_missing_for_good_and_do_not_stop_anything(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 4)
        hub.journal._db.execute("DELETE FROM events WHERE seq IN (2, 3)")
        with follow(hub) as stream:
            assert [event.seq for event in take(stream, Event, 2)] == [1, 4]
            put(hub, 1)
            assert [event.seq for event in take(stream, Event, 1)] == [5]


def test_previews_come_only_when_asked_for_and_the_newest_is_enough(folder: Path) -> None:
    with running(settings(folder)) as hub, follow(hub, previews=True) as stream, follow(hub) as other:
        take(stream, Status, 1)
        with Outbox(hub.settings.cameras, "north", Meter()) as outbox:
            outbox.send_alert(alert(), pictures())
            assert outbox.drained(30)

            def waiting_after(people: int) -> list[int]:
                outbox.send_preview(PreviewHeader(camera="north", at=utc_now(), people=people), picture(str(people)))
                time.sleep(0.002)
                return [item.header.people for item in list(stream._queue._items) if isinstance(item, Preview)]

            for people in range(50):
                assert len(waiting_after(people)) <= 1
            until(lambda: waiting_after(50) == [50])
            previews = take(stream, Preview, 50, 0.5)
        assert {(one.header.people, one.picture) for one in previews} == {(50, picture("50"))}
        assert take(other, Preview, 1, 0.3) == []


def test_a_slow_reader_loses_no_event(folder: Path) -> None:
    with running(settings(folder)) as hub, follow(hub) as stream:
        take(stream, Status, 1)
        for _ in range(7):
            put(hub, 100)
        time.sleep(1)
        assert [event.seq for event in take(stream, Event, 700, 20)] == list(range(1, 701))


def test_a_stream_that_is_never_there_is_said_to_be(folder: Path) -> None:
    with Subscriber(f"ipc://{folder}/pub", f"ipc://{folder}/replay") as stream:
        (connection,) = take(stream, Connection, 1, 5)
        assert not connection.connected


def test_nonsense_on_the_stream_is_passed_over(folder: Path) -> None:
    context = zmq.Context()
    publisher, hub = context.socket(zmq.XPUB), context.socket(zmq.ROUTER)
    try:
        for socket, name in ((publisher, "pub"), (hub, "replay")):
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(f"ipc://{folder}/{name}")
        with Subscriber(f"ipc://{folder}/pub", f"ipc://{folder}/replay", previews=True) as stream:
            client, _, request, _ = hub.recv_multipart()
            while publisher.recv() != b"\x01preview.":
                pass  # what is published before it is subscribed to is lost: the replay's question may come first
            for frames in (
                [b"end"],
                [b"event", request, b"alert", b"{"],
                [b"end", request, b"[]"],
                [b"x", request, b""],
            ):
                hub.send_multipart([client, *frames])
            for frames in (
                [b"alert"],
                [b"alert", b"\xff"],
                [b"status", b"{}"],
                [b"preview.", b"{}", b""],
                [b"alertx", b"{}"],
            ):
                publisher.send_multipart(frames)
            hub.send_multipart([client, b"end", request, b'{"epoch": "e", "newest": 0, "next": 1}'])
            publisher.send_multipart([b"status", Status(at=utc_now(), epoch="e").model_dump_json().encode()])
            assert len(take(stream, Status, 1)) == 1
            assert stream.last_seq == 0
    finally:
        context.destroy(linger=0)


def test_closing_ends_the_iteration_and_may_be_repeated(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub)
        with follow(hub) as stream:
            for item in stream:
                if isinstance(item, Event):
                    stream.close()
            stream.close()


def test_asyncio_follows_as_the_docstring_shows(folder: Path) -> None:
    with running(settings(folder)) as hub:
        put(hub, 3)

        async def read() -> Any:
            seen: list[int | str] = []
            async with follow(hub, previews=True) as stream:
                async for item in stream:
                    match item:
                        case Event():
                            seen.append(item.seq)
                            if item.seq == 3:
                                await asyncio.to_thread(put, hub, 2)
                        case Connection(connected=False):
                            seen.append("lost")
                    if len(seen) == 5:
                        return seen
            return seen

        assert asyncio.run(asyncio.wait_for(read(), 60)) == [1, 2, 3, 4, 5]


def test_a_cancelled_asyncio_reader_loses_nothing(folder: Path) -> None:
    with running(settings(folder)) as hub:

        async def read() -> Any:
            async with follow(hub) as stream:
                items = aiter(stream)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        while True:
                            assert not isinstance(await anext(items), Event)
                await asyncio.to_thread(put, hub, 2)
                return [item.seq async for item in _two_events(stream)]

        assert asyncio.run(asyncio.wait_for(read(), 60)) == [1, 2]


async def _two_events(stream: Any) -> AsyncIterator[Any]:
    count = 0
    async for item in stream:
        if isinstance(item, Event):
            yield item
            count += 1
        if count == 2:
            return


def test_bad_addresses_and_numbers_are_refused(folder: Path) -> None:
    with pytest.raises(StreamError, match="is not an address"):
        Subscriber("nowhere", f"ipc://{folder}/replay")
    with pytest.raises(ValueError, match="after_seq"):
        Subscriber("ipc:///tmp/a", "ipc:///tmp/b", after_seq=-1)


def test_a_hub_that_cannot_be_made_lets_go_of_everything(folder: Path) -> None:
    (folder / "pub").write_text("")
    with pytest.raises(StreamError):
        Hub(settings(folder))
    (folder / "pub").unlink()
    with running(settings(folder)) as hub:
        put(hub)
