"""Keys, and a small sealed list of made-up people."""

from watchlist_fixtures import examiner, house, models_dir  # noqa: F401
