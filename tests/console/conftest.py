"""One stage (hub, console, street) for the tests of the console."""

from console_fixtures import alert, anna, sam, shown, stage  # noqa: F401
