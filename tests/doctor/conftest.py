"""Keys, and a small sealed list of made-up people."""

from watchlist_fixtures import list_setup  # noqa: F401
