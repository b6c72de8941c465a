"""`lfr run`: the appliance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary at the end as JSON.")] = False,
) -> None:
    """Run the appliance: hub, cameras and, where configured, the console.

    Ends by itself when every source is a finite file and all are done, or when the deployment is over. Ctrl-C or
    SIGTERM ends it within five seconds with everything flushed; a second one ends it at once.
    """
    import os
    import sys
    from functools import partial

    from rich.console import Console

    from appliance.config import live as configuration
    from appliance.console.worker import console_worker
    from appliance.core.telemetry import configure_logging
    from appliance.lab.simulation.sources import SIMULATED
    from appliance.supervision.live_deployment import LiveDeployment
    from appliance.supervision.supervisor import Supervisor

    read = configuration.load(config)
    configure_logging("supervisor")
    console = partial(console_worker, read, demo_token=os.environ.pop("LFR_DEMO_TOKEN", None))
    supervisor = Supervisor(read, LiveDeployment(read, console=console, simulated=SIMULATED))
    try:
        code = supervisor.run()
    finally:
        if supervisor.summary is not None:
            if as_json:
                typer.echo(supervisor.summary.model_dump_json())
            elif sys.stdout.isatty():
                Console().print(supervisor.summary.table())
    raise typer.Exit(code)
