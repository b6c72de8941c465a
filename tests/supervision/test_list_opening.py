"""A sealed list gives the supervisor its ids and counts, and its refusals in their own words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from watchlist_fixtures import NOW

from appliance.core.errors import SecretError, WatchlistError
from appliance.supervision.list_opening import open_elsewhere


def test_ids_and_counts_come_back_and_what_the_record_keeps(list_setup: Any) -> None:
    facts = open_elsewhere(list_setup.list, list_setup.keys / "seal.key", list_setup.policy)
    assert facts.ids == frozenset({"N-0", "N-1", "N-2"})
    assert (facts.used.by_category, facts.sequence) == ({"test": 3}, 100)
    assert facts.expires_at is not None
    assert facts.expires_at > NOW
    used = facts.used
    assert (used.entries, used.photos, used.builder, used.digest) == (3, 6, "B. Builder", facts.digest)


def test_a_list_that_cannot_be_trusted_is_refused_as_the_opening_refuses_it(list_setup: Any) -> None:
    key = list_setup.keys / "seal.key"
    with pytest.raises(WatchlistError, match="built for deployment 'croydon'"):
        open_elsewhere(list_setup.list, key, replace(list_setup.policy, deployment="brixton"))
    list_setup.list.write_bytes(b"\0" * 900)
    with pytest.raises(WatchlistError, match=r"lists/croydon\.lfrw"):
        open_elsewhere(list_setup.list, key, list_setup.policy, named=Path("lists/croydon.lfrw"))


def test_a_key_that_is_not_there_is_said(list_setup: Any, tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"none\.key"):
        open_elsewhere(list_setup.list, tmp_path / "none.key", list_setup.policy)
