"""What must be in the audit record gets there, or is not done."""

import asyncio
from typing import Any

import pytest

from appliance.console import audit_queue as module
from appliance.console.audit_queue import AuditQueue, AuditQueueFull
from appliance.console.officer.pictures import Pictures
from appliance.core.errors import RequestRefused, StreamError, UnknownAlert


def test_acts_wait_for_a_hub_that_is_away_and_arrive_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    got, away = [], [True, True]

    async def send(act: Any) -> None:
        if away:
            away.pop()
            raise StreamError("The hub does not answer.")
        got.append(act["act"])

    async def story() -> None:
        queue = AuditQueue(send)
        for name in ("a", "b", "c"):
            queue.must({"act": name})
        task = asyncio.create_task(queue.run())
        await queue.drain(2)
        task.cancel()
        assert queue.waiting == 0

    asyncio.run(story())
    assert got == ["a", "b", "c"]


def test_an_act_that_the_hub_refuses_for_good_is_counted_and_holds_up_no_other() -> None:
    got = []

    async def send(act: Any) -> None:
        if act["act"] == "b":
            raise RequestRefused("The audit record knows no act 'b'.")
        got.append(act["act"])

    async def story() -> None:
        queue = AuditQueue(send)
        for name in ("a", "b", "c"):
            queue.must({"act": name})
        task = asyncio.create_task(queue.run())
        await queue.drain(2)
        task.cancel()
        assert (queue.waiting, queue.lost) == (0, 1)

    asyncio.run(story())
    assert got == ["a", "c"]


def test_nothing_more_may_be_shown_once_too_many_acts_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)

    async def story() -> None:
        queue = AuditQueue(lambda act: asyncio.sleep(0))
        for _ in range(3):
            queue.must({"act": "view.alert"})
        with pytest.raises(AuditQueueFull):
            queue.must({"act": "view.alert"})
        for _ in range(5):
            queue.note({"act": "user.refused"})
        assert queue.waiting == 6
        assert queue.lost == 2

    asyncio.run(story())


def test_pictures_are_bounded_in_bytes_and_overwritten_when_they_leave() -> None:
    async def fetch(alert_id: Any) -> Any:
        return [alert_id.encode() * 100] * 3

    async def story() -> None:
        pictures = Pictures(fetch, max_bytes=1000)
        await pictures.get("aa", "face")
        held = pictures._kept["aa"][1]
        await pictures.get("bb", "face")
        assert pictures.size_bytes == 600
        assert all(not any(picture) for picture in held)
        pictures.clear()
        assert pictures.size_bytes == 0

    asyncio.run(story())


def test_twenty_looks_at_once_ask_the_hub_once() -> None:
    asked = []

    async def fetch(alert_id: Any) -> Any:
        asked.append(alert_id)
        await asyncio.sleep(0.01)
        return [b"1", b"2", b"3"]

    async def story() -> None:
        pictures = Pictures(fetch)
        assert set(await asyncio.gather(*(pictures.get("aa", "photo") for _ in range(20)))) == {b"3"}

    asyncio.run(story())
    assert asked == ["aa"]


def test_an_unknown_alert_is_told_to_each_who_asked() -> None:
    async def fetch(alert_id: Any) -> Any:
        raise UnknownAlert("no such alert")

    async def story() -> None:
        pictures = Pictures(fetch)
        for _ in range(2):
            with pytest.raises(UnknownAlert):
                await pictures.get("aa", "face")
        assert pictures.size_bytes == 0

    asyncio.run(story())
