"""A models folder of local files."""

from vision_fixtures import local_models  # noqa: F401
