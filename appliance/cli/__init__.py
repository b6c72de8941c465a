"""The `lfr` command: thin; each module here holds the commands of one room."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from rich.console import Console

from appliance.cli.commands import InOrder
from appliance.core.errors import LfrError

CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="lfr",
    cls=InOrder,
    no_args_is_help=True,
    context_settings=CONTEXT,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Live facial recognition appliance. Start with [bold]lfr demo[/]; [bold]lfr init[/] makes a trial with a "
    "camera of your own, and config/van.yaml is where a deployment begins. Times are UTC.",
)


def main() -> None:
    """Run one command; every expected failure is one plain sentence on standard error and exit code 1."""
    from appliance.cli import commands
    from appliance.core.telemetry import configure_logging

    configure_logging("lfr")
    commands.register(app)
    try:
        app(prog_name="lfr")
    except LfrError as error:
        _say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        # A full disk, or a file or folder that this user may not use, wherever it was met.
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | Path) else ""
        what = (error.strerror or str(error) or type(error).__name__).lower()
        _say(f"{where}{what}. Make room or give this user access, then run the command again.")
        sys.exit(1)


def _say(sentence: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]lfr:[/] {_escape(sentence)}")


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
