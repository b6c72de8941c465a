"""What is asked of a gallery can be met, and no configuration asks for more than a list may hold."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from appliance.config.live import WatchlistFile
from appliance.gallery.limits import MAX_ENTRIES, RECALL_WANTED


def test_a_configuration_allows_no_more_people_than_a_list_may_hold() -> None:
    files = {"file": Path("a.lfrw"), "key": Path("a.key")}
    assert WatchlistFile(**files).max_entries == MAX_ENTRIES
    with pytest.raises(ValidationError):
        WatchlistFile(**files, max_entries=MAX_ENTRIES + 1)


def test_the_exact_search_always_reaches_the_recall_that_is_wanted() -> None:
    assert 0.99 < RECALL_WANTED < 1
