"""One run with scripted workers, as a process of its own."""

from supervised_run import start_run  # noqa: F401
