"""The pictures that a console keeps: few, for a short while, overwritten when they leave, fetched only when missing."""

import asyncio
import time
from typing import Any

import pytest

from appliance.console.officer.pictures import Pictures
from appliance.core.errors import UnknownAlert


def test_pictures_are_bounded_in_bytes_and_overwritten_when_they_leave() -> None:
    async def fetch(alert_id: Any) -> Any:
        return [alert_id.encode() * 100] * 3

    async def live() -> None:
        pictures = Pictures(fetch, max_bytes=1000)
        await pictures.get("aa", "face")
        held = pictures._kept["aa"][1]
        await pictures.get("bb", "face")
        assert pictures.size_bytes == 600
        assert all(not any(picture) for picture in held)
        pictures.clear()
        assert pictures.size_bytes == 0

    asyncio.run(live())


def test_twenty_looks_at_once_ask_the_hub_once() -> None:
    asked = []

    async def fetch(alert_id: Any) -> Any:
        asked.append(alert_id)
        await asyncio.sleep(0.01)
        return [b"1", b"2", b"3"]

    async def live() -> None:
        pictures = Pictures(fetch)
        assert set(await asyncio.gather(*(pictures.get("aa", "photo") for _ in range(20)))) == {b"3"}

    asyncio.run(live())
    assert asked == ["aa"]


def test_an_unknown_alert_is_told_to_each_who_asked() -> None:
    async def fetch(alert_id: str) -> Any:
        raise UnknownAlert("no such alert")

    async def live() -> None:
        pictures = Pictures(fetch)
        for _ in range(2):
            with pytest.raises(UnknownAlert):
                await pictures.get("aa", "face")
        assert pictures.size_bytes == 0

    asyncio.run(live())


async def nothing(alert_id: str) -> Any:
    raise AssertionError(f"{alert_id} was asked for")


def test_what_came_with_the_alert_is_not_asked_for() -> None:
    async def live() -> None:
        pictures = Pictures(nothing)
        pictures.keep("aa", [b"1", b"22", b"333"])
        assert [await pictures.get("aa", name) for name in ("scene", "face", "photo")] == [b"1", b"22", b"333"]
        assert pictures.size_bytes == 6

    asyncio.run(live())


def test_those_used_longest_ago_make_room_and_are_overwritten() -> None:
    async def live() -> None:
        pictures = Pictures(nothing, max_bytes=6)
        pictures.keep("aa", [b"a", b"a", b"a"])
        pictures.keep("bb", [b"b", b"b", b"b"])
        held = pictures._kept["bb"][1]
        await pictures.get("aa", "face")
        pictures.keep("cc", [b"c", b"c", b"c"])
        assert set(pictures._kept) == {"aa", "cc"}
        assert held == [b"\0"] * 3
        assert pictures.size_bytes == 6

    asyncio.run(live())


def test_the_same_alert_twice_is_counted_once_and_the_first_copy_overwritten() -> None:
    pictures = Pictures(nothing)
    pictures.keep("aa", [b"a", b"a", b"a"])
    held = pictures._kept["aa"][1]
    pictures.keep("aa", [b"aa", b"a", b"a"])
    assert pictures.size_bytes == 4
    assert held == [b"\0"] * 3


def test_one_alert_larger_than_the_bound_is_kept_until_the_next() -> None:
    pictures = Pictures(nothing, max_bytes=5)
    pictures.keep("aa", [b"a" * 9, b"", b""])
    assert set(pictures._kept) == {"aa"}
    pictures.keep("bb", [b"b", b"b", b"b"])
    assert set(pictures._kept) == {"bb"}
    assert pictures.size_bytes == 3


def test_pictures_that_come_while_they_are_fetched_are_kept_once() -> None:
    async def live() -> None:
        begun = asyncio.Event()
        go_on = asyncio.Event()

        async def fetch(alert_id: str) -> Any:
            begun.set()
            await go_on.wait()
            return [b"1", b"2", b"3"]

        pictures = Pictures(fetch)
        asked = asyncio.create_task(pictures.get("aa", "photo"))
        await begun.wait()
        pictures.keep("aa", [b"1", b"2", b"3"])
        go_on.set()
        assert await asked == b"3"
        assert pictures.size_bytes == 3

    asyncio.run(live())


def test_after_their_time_they_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures(nothing, keep_s=300)
    pictures.keep("aa", [b"a", b"a", b"a"])
    held = pictures._kept["aa"][1]
    pictures.expire()
    assert held == [b"a"] * 3
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    pictures.expire()
    assert held == [b"\0"] * 3
    assert pictures.size_bytes == 0
