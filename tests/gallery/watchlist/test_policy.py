"""What an appliance asks of a list is what its configuration says."""

from typing import Any

from appliance.config.live import WatchlistFile
from appliance.gallery.limits import MAX_ENTRIES
from appliance.gallery.watchlist.policy import WatchlistPolicy


def test_a_policy_asks_what_the_configuration_asks(list_setup: Any) -> None:
    section = WatchlistFile(
        file=list_setup.list, key=list_setup.keys / "seal.key", approvers=list_setup.people, approvals=3, max_entries=7
    )
    policy = WatchlistPolicy.of(section, "croydon", embedder_ref="a@0", min_sequence=5, now=list_setup.now)
    assert policy == WatchlistPolicy(
        list_setup.keys / "builders", list_setup.people, 3, "croydon", list_setup.now, 5, 7, "a@0"
    )


def test_what_is_not_said_is_asked_as_strictly_as_can_be(list_setup: Any) -> None:
    policy = WatchlistPolicy(list_setup.keys / "builders", list_setup.people, 2, "croydon", list_setup.now)
    assert (policy.min_sequence, policy.max_entries, policy.embedder_ref) == (0, MAX_ENTRIES, None)
