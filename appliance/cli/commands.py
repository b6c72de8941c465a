"""Which module holds which commands."""

from __future__ import annotations

import inspect
from typing import Any

import typer
from typer.core import TyperGroup

PANELS: dict[str, tuple[str, ...]] = {
    "Try it out": ("demo", "init"),
    "Prepare a deployment": ("models", "keys", "watchlist", "users", "doctor"),
    "While it runs": ("run", "console", "alerts", "decide", "blue", "extend", "revoke"),
    "End it and account for it": ("end", "purge", "report", "audit"),
    "Measure": ("evaluate", "bench"),
}
"""Every command, in the order of a deployment's life, as `lfr --help` shows them."""


class InOrder(TyperGroup):
    """Lists the commands as `PANELS` has them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        order = [name for names in PANELS.values() for name in names]
        return sorted(super().list_commands(ctx), key=order.index)


def register(app: typer.Typer) -> None:
    """Add every command to the application. Modules import their rooms inside the commands, so that help is quick."""
    from appliance.cli import (
        alerts,
        bench,
        console,
        demo,
        deployment,
        doctor,
        evaluate,
        init,
        keys,
        models,
        run,
        watchlist,
    )

    app.add_typer(keys.app, name="keys")
    app.add_typer(models.app, name="models")
    app.add_typer(watchlist.app, name="watchlist")
    app.add_typer(evaluate.app, name="evaluate")
    alerts.register(app)
    app.command()(demo.demo)
    app.command()(bench.bench)
    app.command()(init.init)
    app.command()(run.run)
    console.register(app)
    app.command()(doctor.doctor)
    deployment.register(app)
    panel_of = {name: panel for panel, names in PANELS.items() for name in names}
    for command in app.registered_commands:
        command.rich_help_panel = panel_of[str(command.name or getattr(command.callback, "__name__", ""))]
    for group in app.registered_groups:
        group.rich_help_panel = panel_of[str(group.name)]
    _flow(app)


def _flow(app: typer.Typer) -> None:
    """Let help fill the terminal's width: rich would keep the line ends that the docstrings have in the source."""
    for command in app.registered_commands:
        paragraphs = inspect.cleandoc(getattr(command.callback, "__doc__", None) or "").split("\n\n")
        command.help = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _flow(group.typer_instance)
