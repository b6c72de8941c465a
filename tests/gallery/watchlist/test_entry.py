"""An entry says who is wanted and why, within the limits that the alert's header has too."""

import json
from datetime import date
from typing import Any

import pytest

from appliance.gallery.watchlist.entry import MAX_LENGTH, MAX_WARNING_LENGTH, MAX_WARNINGS, Entry

FULL = Entry(
    id="N-1042",
    category="violence",
    label="Jo Doe",
    response="red",
    warnings=("armed",),
    source="custody image",
    legal_basis="PACE",
    requested_by="DI Ash",
    review_date=date(2027, 1, 2),
    under_18=True,
    under_18_rationale="risk to life",
    expires=date(2026, 11, 21),
)


@pytest.mark.parametrize("entry", [FULL, Entry(id="A")], ids=["full", "least"])
def test_an_entry_survives_json(entry: Entry) -> None:
    assert Entry.from_json(json.loads(json.dumps(entry.to_json()))) == entry


@pytest.mark.parametrize("id_", ["", "-a", ".a", "a b", "a/1", "a" * 65, "a\n"])
def test_an_id_is_of_letters_digits_and_three_signs(id_: str) -> None:
    with pytest.raises(ValueError, match=r"id (must be|holds control)"):
        Entry(id=id_)


@pytest.mark.parametrize("id_", ["a", "7", "N-1.a_2", "Zoë", "a" * 64])
def test_a_forces_own_references_are_taken(id_: str) -> None:
    assert Entry(id=id_).id == id_


@pytest.mark.parametrize("name", [name for name in MAX_LENGTH if name != "id"])
def test_texts_are_bounded_and_hold_no_control_characters(name: str) -> None:
    longest: dict[str, Any] = {name: "x" * MAX_LENGTH[name]}
    assert getattr(Entry(id="A", **longest), name) == longest[name]
    for text, said in ((longest[name] + "x", "is longer than"), ("a\x1b[2J", "holds control characters")):
        wrong: dict[str, Any] = {name: text}
        with pytest.raises(ValueError, match=f"{name} {said}"):
            Entry(id="A", **wrong)


@pytest.mark.parametrize(
    "warnings", [("w",) * (MAX_WARNINGS + 1), ("",), ("x" * (MAX_WARNING_LENGTH + 1),)], ids=["many", "empty", "long"]
)
def test_warnings_are_few_and_short(warnings: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="warnings are at most"):
        Entry(id="A", warnings=warnings)


def test_a_child_is_on_the_list_for_a_reason_of_their_own() -> None:
    with pytest.raises(ValueError, match="under_18_rationale"):
        Entry(id="A", under_18=True)


@pytest.mark.parametrize("response", ["", "purple", "RED"])
def test_an_unknown_response_is_refused(response: Any) -> None:
    with pytest.raises(ValueError, match="response must be one of red, amber, green, blue"):
        Entry(id="A", response=response)


def test_a_category_is_never_empty() -> None:
    with pytest.raises(ValueError, match="category"):
        Entry(id="A", category="")


def test_blue_is_a_seeded_officer() -> None:
    assert Entry(id="A", response="blue").blue
    assert not Entry(id="A", response="red").blue


@pytest.mark.parametrize(("today", "over"), [(20, False), (21, False), (22, True)])
def test_an_entry_stands_on_the_day_that_it_expires(today: int, over: bool) -> None:
    assert FULL.expired(date(2026, 11, today)) is over
    assert not Entry(id="A").expired(date(2099, 1, 1))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"id": "A", "nickname": "Jo"},
        {"id": 7},
        {"id": "A", "under_18": "yes"},
        {"id": "A", "expires": "soon"},
        {"id": "A", "label": None},
    ],
)
def test_what_is_no_entry_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Entry.from_json(document)
