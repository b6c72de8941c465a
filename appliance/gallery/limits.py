"""What is asked of every gallery, in numbers."""

from __future__ import annotations

MAX_ENTRIES = 10_000
"""People on one sealed watchlist."""
RECALL_WANTED = 0.995
"""Share of the exact search's candidates that a graph must find to be used, measured at each load."""
