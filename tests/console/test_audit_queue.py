"""What must be in the audit record gets there, or is not done."""

import asyncio
from typing import Any

import pytest

from appliance.console import audit_queue as module
from appliance.console.audit_queue import AuditQueue, AuditQueueFull
from appliance.core.errors import RequestRefused, StreamError


def test_acts_wait_for_a_hub_that_is_away_and_arrive_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    got, away = [], [True, True]

    async def send(act: Any) -> None:
        if away:
            away.pop()
            raise StreamError("The hub does not answer.")
        got.append(act["act"])

    async def live() -> None:
        queue = AuditQueue(send)
        for name in ("a", "b", "c"):
            queue.add_or_refuse({"act": name})
        task = asyncio.create_task(queue.run())
        await queue.drain(20)
        task.cancel()
        assert queue.waiting == 0

    asyncio.run(live())
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
            queue.add({"act": name})
        task = asyncio.create_task(queue.run())
        await queue.drain(20)
        task.cancel()
        assert (queue.waiting, queue.lost) == (0, 1)

    asyncio.run(story())
    assert got == ["a", "c"]


def test_nothing_more_may_be_shown_once_too_many_acts_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)

    async def live() -> None:
        queue = AuditQueue(lambda act: asyncio.sleep(0))
        for _ in range(3):
            queue.add_or_refuse({"act": "view.alert"})
        with pytest.raises(AuditQueueFull):
            queue.add_or_refuse({"act": "view.alert"})
        for _ in range(5):
            queue.add({"act": "user.refused"})
        assert queue.waiting == 6
        assert queue.lost == 2

    asyncio.run(live())
