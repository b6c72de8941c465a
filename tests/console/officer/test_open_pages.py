"""The pages: what an open page is told, also while there is nothing to tell."""

import asyncio
import json
from typing import Any

import pytest

from appliance.console.officer import open_pages as module
from appliance.console.officer.cases import Cases
from appliance.console.officer.open_pages import OpenPages
from appliance.console.users import User

ANNA = User("anna", "operator", "")


def told(pages: Any, count: Any, within_s: Any) -> Any:
    """The first events of a page's stream: (name, data)."""

    async def listen() -> Any:
        found = []
        stream = pages.stream(ANNA, "", previews=False, seconds_left=lambda: 600.0)
        async with asyncio.timeout(within_s):
            async for chunk in stream:
                lines = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
                if "event" in lines:
                    found.append((lines["event"], json.loads(lines["data"])))
                if len(found) == count:
                    break
        await stream.aclose()
        return found

    return asyncio.run(listen())


def test_a_page_of_a_console_that_never_heard_the_hub_is_told_so_at_once_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOST_AFTER_S", 0.0)
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.1)
    events = told(OpenPages(Cases()), 3, within_s=20)
    assert [name for name, _ in events] == ["beat"] * 3
    assert {data["hub"] for _, data in events} == {"lost"}


def test_a_console_that_has_just_started_expects_the_hub_before_it_calls_it_lost() -> None:
    pages = OpenPages(Cases())
    assert pages.link()["hub"] == "expected"
    pages.heard()
    assert pages.link()["hub"] == "connected"
    pages.silent()
    assert pages.link()["hub"] == "lost"


@pytest.mark.parametrize("caught_up", [True, False])
def test_what_is_there_comes_after_patience_at_the_latest(monkeypatch: pytest.MonkeyPatch, caught_up: Any) -> None:
    monkeypatch.setattr(module, "CATCH_UP_S", 0.2)
    pages = OpenPages(Cases())
    pages.caught_up = caught_up
    names = [name for name, _ in told(pages, 2, within_s=20)]
    assert names == (["snapshot", "beat"] if caught_up else ["beat", "snapshot"])
