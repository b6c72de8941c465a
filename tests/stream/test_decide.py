"""A decision from a terminal: by number or id, an undo finds what stands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alerts_material import alert, pictures, running, settings, short_folder

from appliance.alerts.journal import Journal
from appliance.core.errors import DecisionConflict, StreamError, UnknownAlert
from appliance.stream.client import HubClient
from appliance.stream.decide import MAX_REASON_CHARACTERS, decide


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
def two(folder: Path) -> list[Any]:
    made = [alert("N-1"), alert("N-2")]
    with Journal.open(folder / "state") as journal:
        for one in made:
            journal.append_alert(one, pictures())
    return made


@pytest.fixture
def hub(folder: Path, two: list[Any]) -> Iterator[HubClient]:
    made = settings(folder)
    with running(made), HubClient(made.replay) as client:
        yield client


def test_a_number_and_an_id_mean_the_same_alert(hub: HubClient, two: list[Any]) -> None:
    first = decide(hub, "1", "operator", "match", "PC Lee", "same scar")
    second = decide(hub, two[0].id, "outcome", "arrested", "PS Roy", "")
    assert first.alert_id == second.alert_id == two[0].id
    assert (first.seq, first.reason, first.note) == (3, "same scar", "")


def test_a_reason_longer_than_the_short_field_is_kept_whole_as_a_note(hub: HubClient) -> None:
    kept = decide(hub, "1", "operator", "match", "PC Lee", "x" * MAX_REASON_CHARACTERS)
    assert (len(kept.reason), kept.note) == (MAX_REASON_CHARACTERS, "")
    longer = decide(hub, "2", "operator", "match", "PC Lee", "x" * (MAX_REASON_CHARACTERS + 1))
    assert (longer.reason, len(longer.note)) == ("", MAX_REASON_CHARACTERS + 1)


def test_an_undo_names_the_decision_that_stands_and_makes_room(hub: HubClient) -> None:
    made = decide(hub, "1", "operator", "no_match", "PC Lee", "")
    with pytest.raises(DecisionConflict):
        decide(hub, "1", "operator", "match", "PS Roy", "")
    undone = decide(hub, "1", "undo", "operator", "PC Lee", "wrong key")
    assert (undone.kind, undone.undoes) == ("undo", made.id)
    with pytest.raises(StreamError, match="No decision of kind operator stands"):
        decide(hub, "1", "undo", "operator", "PC Lee", "again")
    assert decide(hub, "1", "operator", "match", "PS Roy", "").value == "match"


@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        (("3", "operator", "match", "PC Lee"), UnknownAlert, "Number 3 is no alert"),
        (("nobody", "operator", "match", "PC Lee"), UnknownAlert, "no alert nobody"),
        (("1", "undo", "undo", "PC Lee"), StreamError, "no decision of kind 'undo'"),
        (("1", "guess", "match", "PC Lee"), StreamError, "The decision's kind is not allowed"),
        (("1", "operator", "match", ""), StreamError, "The decision's by is not allowed"),
    ],
)
def test_what_cannot_be_decided_is_said(
    hub: HubClient, asked: tuple[str, str, str, str], error: type[StreamError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        decide(hub, *asked, "")
