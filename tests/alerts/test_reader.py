"""Reading a journal: in order, in slices, as another process would, and without the key until a picture is wanted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, pictures, sighting

from appliance.alerts.journal import Journal
from appliance.core.errors import SecretError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Any]:
    with Journal.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def reader(journal: Any, tmp_path: Path) -> Iterator[Any]:
    with Journal.open_reader(tmp_path) as opened:
        yield opened


def test_an_empty_journal_has_nothing(reader: Any) -> None:
    assert reader.newest == 0
    assert list(reader.events()) == []
    assert reader.find("nobody") is None
    assert reader.decisions("nobody") == []
    assert reader.unaudited() == []


def test_events_come_in_order_from_where_one_asks_and_as_many_as_one_asks(journal: Any, reader: Any) -> None:
    with journal.transaction():
        for _ in range(120):  # more than a slice of reading
            journal.append_alert(alert(), pictures(size=10))
    assert [event.seq for event in reader.events()] == list(range(1, 121))
    assert [event.seq for event in reader.events(119)] == [119, 120]
    assert [event.seq for event in reader.events(10, limit=51)] == list(range(10, 61))
    assert [stored.seq for stored in reader.stored(121, 5)] == []


def test_only_alerts_have_pictures_and_only_when_asked_for(journal: Any, reader: Any) -> None:
    made = alert()
    journal.append_alert(made, pictures("one"))
    journal.append_decision(decision(made.id))
    journal.append_sighting(sighting())
    assert [len(stored.pictures) for stored in reader.stored(1, 3)] == [3, 0, 0]
    assert [event.pictures for event in reader.events()] == [(), (), ()]
    assert reader.find(made.id).pictures == tuple(map(bytes, pictures("one")))
    assert reader.find(made.id, pictures=False).pictures == ()


def test_alerts_are_those_of_the_events_that_are_alerts(journal: Any, reader: Any) -> None:
    first, second = alert(), alert()
    for made in (first, second):
        journal.append_alert(made, pictures(size=10))
    journal.append_sighting(sighting())
    assert [made.id for made in reader.alerts()] == [first.id, second.id]


def test_a_reader_may_read_everything_but_pictures_without_the_key(journal: Any, reader: Any, tmp_path: Path) -> None:
    made = alert()
    journal.append_alert(made, pictures())
    (tmp_path / "journal.key").unlink()
    assert reader.find(made.id, pictures=False).seq == 1
    with pytest.raises(SecretError):
        reader.find(made.id)


def test_decisions_are_those_of_one_alert_in_order(journal: Any, reader: Any) -> None:
    first, second = alert(), alert()
    for made in (first, second):
        journal.append_alert(made, pictures(size=10))
    sent = [decision(first.id, "taken", "taken"), decision(second.id), decision(first.id, value="no_match")]
    for one in sent:
        journal.append_decision(one)
    assert [one.id for one in reader.decisions(first.id)] == [sent[0].id, sent[2].id]


def test_a_reader_sees_what_is_written_after_it_was_opened_and_names_the_same_journal(
    journal: Any, reader: Any
) -> None:
    journal.append_alert(alert(), pictures(size=10))
    assert (reader.epoch, reader.newest) == (journal.epoch, 1)
