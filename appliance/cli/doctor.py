"""`lfr doctor`: everything that would stop a deployment, before it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from appliance.config.live import Config
    from appliance.doctor.findings import Finding

_MARKS = {"ok": ("[green]✓[/]", ""), "warn": ("[yellow]![/]", "warning: "), "fail": ("[red]✗[/]", "fails: ")}


def doctor(
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    cameras: Annotated[bool, typer.Option(help="Open each camera and look for a few seconds.")] = True,
) -> None:
    """Look at everything that would stop a deployment: record, models, watchlist, disk, ports, clocks, cameras.

    Exit code 0 only when nothing fails; warnings (!) do not stop a deployment.
    """
    from rich.console import Console

    from appliance.config import live as configuration
    from appliance.core.errors import ConfigError
    from appliance.doctor.findings import Finding, healthy

    try:
        read = configuration.load(config)
    except ConfigError as error:
        findings = [Finding("configuration", "fail", error.problem, error.remedy)]
    else:
        findings = [Finding("configuration", "ok", f"{config} is understood"), *_examine(read, cameras)]
    if as_json:
        document = {"ok": healthy(findings), "findings": [vars_of(finding) for finding in findings]}
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(Console(highlight=False), findings)
    raise typer.Exit(0 if healthy(findings) else 1)


def vars_of(finding: Finding) -> dict[str, str]:
    """A finding as JSON has it."""
    return {"area": finding.area, "level": finding.level, "text": finding.text, "remedy": finding.remedy}


def _examine(read: Config, cameras: bool) -> list[Finding]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from appliance.doctor.examination import LOOK_S, examine
    from appliance.lab.simulation.sources import SIMULATED

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("looking", total=None)
        return examine(
            read,
            LOOK_S if cameras else 0.0,
            lambda what: bar.update(task, description=f"looking at {what}"),
            SIMULATED,
        )


def _show(console: Console, findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for finding in findings:
        mark, word = _MARKS[finding.level]
        text = word + escape(finding.text)
        if finding.remedy:
            text += f"\n[dim]→ {escape(finding.remedy)}[/]"
        table.add_row(mark, finding.area if finding.area != before else "", text)
        before = finding.area
    console.print(table)
    fails = sum(finding.level == "fail" for finding in findings)
    warnings = sum(finding.level == "warn" for finding in findings)
    told = f"; {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    if fails:
        console.print(f"[red]{fails} thing{'s' if fails != 1 else ''} would stop this deployment[/]{told}.")
    else:
        console.print(f"[green]Nothing would stop this deployment[/]{told}.")
