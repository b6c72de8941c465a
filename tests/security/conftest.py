"""Keys, and a small sealed list of made-up people."""

from watchlist_fixtures import examiner, list_setup, models_dir  # noqa: F401
