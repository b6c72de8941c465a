"""The pictures that a console keeps: few, for a short while, overwritten when they leave, fetched only when missing."""

import asyncio
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
    async def fetch(alert_id: Any) -> None:
        raise UnknownAlert("no such alert")

    async def live() -> None:
        pictures = Pictures(fetch)
        for _ in range(2):
            with pytest.raises(UnknownAlert):
                await pictures.get("aa", "face")
        assert pictures.size_bytes == 0

    asyncio.run(live())
