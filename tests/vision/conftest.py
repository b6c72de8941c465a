"""Prepared models, portraits, and a models folder of local files."""

from vision_fixtures import _one_thread, astronaut, detector, embedder, hopper, local_models, manifest, two_portraits  # noqa: F401
from watchlist_fixtures import examiner, models_dir  # noqa: F401
