"""The counts say what people decided, purged alerts included, and name nobody."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, decision, pictures, sighting

from appliance.alerts.journal import Journal
from appliance.alerts.tally import AlertTally
from appliance.core.clock import utc_now


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Any]:
    with Journal.open(tmp_path) as opened:
        yield opened


def test_counts_say_what_people_decided(journal: Any) -> None:
    ids = []
    for category in ("violence", "violence", "fraud", "fraud", "fraud", "fraud"):
        made = alert(category=category)
        journal.append_alert(made, pictures())
        ids.append(made.id)
    journal.append_decision(decision(ids[0], value="match"))
    journal.append_decision(decision(ids[0], "outcome", "not_the_person"))  # the outcome outweighs the operator
    journal.append_decision(decision(ids[1], value="no_match"))
    journal.append_decision(decision(ids[2], value="no_match"))
    journal.append_decision(decision(ids[2], "outcome", "confirmed"))
    undone, _ = journal.append_decision(decision(ids[3], value="no_match"))
    journal.append_decision(decision(ids[3], "undo", "undo", undoes=undone.id))
    journal.append_decision(decision(ids[4], value="cannot_tell"))
    journal.append_sighting(sighting())
    tally = journal.tally("street-1")
    assert tally.alerts == {("north", "violence"): 2, ("north", "fraud"): 4}
    assert (tally.alerts_total, tally.alerts_at("north"), tally.alerts_at("south")) == (6, 6, 0)
    assert (tally.false_alerts, tally.true_alerts, tally.undecided) == (2, 1, 2)
    assert tally.decisions["operator", "no_match"] == 3
    assert tally.standing["operator", "no_match"] == 2
    assert tally.decisions["undo", "undo"] == 1
    assert tally.sightings == {"north": 1}
    assert journal.tally("another").alerts_total == 0


def test_counts_outlive_the_purge(journal: Any) -> None:
    for value in ("match", "no_match", ""):
        made = alert(at=utc_now() - timedelta(hours=2))
        journal.append_alert(made, pictures())
        if value:
            journal.append_decision(decision(made.id, value=value))
    journal.append_sighting(sighting(at=utc_now() - timedelta(hours=2)))
    journal.append_alert(alert(), pictures())
    before = journal.tally()
    journal.purge(utc_now() - timedelta(hours=1))
    assert journal.tally() == before
    journal.purge(utc_now() + timedelta(hours=1))
    assert journal.tally() == before


def test_an_empty_journal_counts_nothing(journal: Any) -> None:
    assert journal.tally().alerts_total == journal.tally().false_alerts == journal.tally().undecided == 0


def test_deployments_are_counted_apart_and_together(journal: Any) -> None:
    for deployment in ("street-1", "street-2", "street-2"):
        made = alert(deployment=deployment)
        journal.append_alert(made, pictures(size=10))
        journal.append_decision(decision(made.id, value="no_match"))
    assert [journal.tally(name).false_alerts for name in ("street-1", "street-2", None)] == [1, 2, 3]


def test_what_is_undone_is_not_counted_as_judged_also_after_the_purge(journal: Any) -> None:
    made = alert(at=utc_now() - timedelta(hours=2))
    journal.append_alert(made, pictures(size=10))
    wrong, _ = journal.append_decision(decision(made.id, value="no_match"))
    assert journal.tally().false_alerts == 1
    journal.append_decision(decision(made.id, "undo", "undo", undoes=wrong.id))
    for _ in range(2):
        tally = journal.tally()
        assert (tally.false_alerts, tally.undecided, tally.standing.total(), tally.decisions.total()) == (0, 1, 0, 2)
        journal.purge(utc_now())


def test_two_purges_add_up(journal: Any) -> None:
    for hours in (3, 2):
        journal.append_alert(alert(at=utc_now() - timedelta(hours=hours)), pictures(size=10))
    for minutes in (150, 60):
        journal.purge(utc_now() - timedelta(minutes=minutes))
    assert journal.tally().alerts == {("north", "violence"): 2}


def test_a_reader_counts_what_the_writer_has_committed_and_no_half_of_it(journal: Any, tmp_path: Path) -> None:
    with Journal.open_reader(tmp_path) as reader:
        with journal.transaction():
            journal.append_alert(alert(), pictures(size=10))
            assert reader.tally() == AlertTally()
        assert reader.tally().alerts_total == 1
