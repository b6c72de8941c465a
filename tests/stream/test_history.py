"""What happened is read from this machine's journal, else from a hub; what follows comes once and in order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, pictures, running, settings, short_folder

from appliance.alerts.event import Event
from appliance.alerts.journal import Journal
from appliance.config import live as configuration
from appliance.core.errors import JournalError
from appliance.core.telemetry import Meter
from appliance.stream import history
from appliance.stream.outbox import Outbox


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
def config(folder: Path) -> Any:
    made = settings(folder)
    document = {
        "deployment": {"id": "street-1", "starts": "2026-01-01T10:00:00Z", "ends": "2026-01-01T16:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": str(made.state_dir), "publish": made.publish, "replay": made.replay},
    }
    return configuration.parse(document, folder / "config.yaml")


def journaled(state_dir: Path, count: int) -> None:
    with Journal.open(state_dir) as journal:
        for _ in range(count):
            journal.append_alert(alert(), pictures())


def numbers(items: Iterator[Any], count: int) -> list[int]:
    """The sequence numbers of the next events."""
    found: list[int] = []
    for item in items:
        if isinstance(item, Event):
            found.append(item.seq)
        if len(found) == count:
            break
    return found


def test_the_journal_of_this_machine_needs_no_hub(config: Any, folder: Path) -> None:
    journaled(folder / "state", 3)
    assert [event.seq for event in history.so_far(config)] == [1, 2, 3]


def test_another_machines_hub_is_asked_where_there_is_no_journal(config: Any, folder: Path) -> None:
    journaled(folder / "elsewhere", 2)
    with running(settings(folder, state_dir=folder / "elsewhere")):
        assert [event.seq for event in history.so_far(config)] == [1, 2]


def test_with_neither_it_is_the_journal_that_is_missed(config: Any) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        list(history.so_far(config))


def test_what_follows_joins_what_was_there_without_a_gap_and_without_a_second_time(config: Any, folder: Path) -> None:
    journaled(folder / "state", 3)
    with running(settings(folder)) as hub, Outbox(hub.settings.cameras, "north", Meter()) as box:
        items = history.and_on(config, 1)
        assert numbers(items, 2) == [2, 3]
        box.send_alert(alert(), pictures())
        assert box.drained(20)
        assert numbers(items, 1) == [4]
        items.close()  # type: ignore[attr-defined]


def test_without_a_journal_it_says_so_and_takes_everything_from_the_hub(config: Any, folder: Path) -> None:
    journaled(folder / "elsewhere", 2)
    with running(settings(folder, state_dir=folder / "elsewhere")):
        items = history.and_on(config)
        assert isinstance(next(items), JournalError)
        assert numbers(items, 2) == [1, 2]
        items.close()  # type: ignore[attr-defined]
