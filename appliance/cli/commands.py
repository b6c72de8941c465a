"""Which module holds which commands."""

from __future__ import annotations

import typer


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
