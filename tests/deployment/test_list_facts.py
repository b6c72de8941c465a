"""Of a watchlist only counts and identifiers are kept."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from appliance.core.clock import utc_now
from appliance.deployment.list_facts import OpenedList, UsedList
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.sealed import Approval, Watchlist

PEOPLE = (
    Entry(id="W-1", category="violence", response="red", label="A name", under_18=True, under_18_rationale="risk"),
    Entry(id="W-2", category="missing", response="green", label="Another"),
    Entry(id="B-1", category="officer", response="blue", label="PC Lee"),
)


def opened(*people: Entry) -> Watchlist:
    now = utc_now()
    return Watchlist(
        entries=people,
        templates=np.zeros((len(people), 4), np.float32),
        entry_of_template=np.arange(len(people), dtype=np.int32),
        portraits=[bytearray(b"picture") for _ in people],
        embedder="a@0",
        deployment="croydon-1",
        sequence=2,
        built_at=now,
        expires_at=now + timedelta(hours=1),
        builder="B. Builder",
        approvals=(Approval("A. Smith", now),),
        digest="d" * 64,
        expired_ids=("W-9",),
    )


def test_a_list_is_remembered_by_counts_only() -> None:
    used = UsedList.of(opened(*PEOPLE))
    assert (used.entries, used.photos, used.under_18, used.sequence) == (2, 3, 1, 2)
    assert used.by_category == {"missing": 1, "violence": 1}
    assert used.by_response == {"green": 1, "red": 1}
    assert used.blue_ids == ("B-1",)
    assert (used.builder, used.approvals, used.embedder) == ("B. Builder", ("A. Smith",), "a@0")
    for personal in ("W-1", "name", "picture", "W-9"):
        assert personal not in used.model_dump_json()


def test_an_empty_list_is_counted() -> None:
    facts = OpenedList.of(opened())
    assert (len(facts), facts.used.entries, facts.used.by_category) == (0, 0, {})


def test_what_is_known_while_it_is_in_use_outlives_the_wiped_list() -> None:
    held = opened(*PEOPLE)
    facts = OpenedList.of(held)
    held.wipe()
    assert facts.ids == {"W-1", "W-2", "B-1"}
    assert len(facts) == 3
    assert (facts.digest, facts.sequence, facts.expired_ids) == ("d" * 64, 2, ("W-9",))
    assert facts.expires_at == held.expires_at


@pytest.mark.parametrize("change", [{"names": ["A name"]}, {"digest": None}])
def test_nothing_but_what_is_known_is_read_back(change: Any) -> None:
    document = UsedList.of(opened(*PEOPLE)).model_dump(mode="json")
    assert UsedList.model_validate(document).by_category == {"missing": 1, "violence": 1}
    with pytest.raises(ValueError, match=next(iter(change))):
        UsedList.model_validate(document | change)
