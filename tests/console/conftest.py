"""One stage (hub, console, street) for the tests of the console."""

from console_fixtures import stage  # noqa: F401
