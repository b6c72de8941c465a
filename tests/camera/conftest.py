"""Settings of a camera's process, and the lists that it opens."""

from camera_fixtures import lists, settings  # noqa: F401
