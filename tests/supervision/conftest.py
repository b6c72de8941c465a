"""One run with scripted workers, as a process of its own; a small sealed list of made-up people."""

from supervised_run import start_run  # noqa: F401
from watchlist_fixtures import list_setup  # noqa: F401
