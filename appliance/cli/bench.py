"""`lfr bench`: figures, measured here and now; it passes no judgement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.lab.bench.sections import SECTIONS, Asked, chosen, measure

if TYPE_CHECKING:
    from rich.status import Status


def bench(
    only: Annotated[
        str, typer.Option(help=f"Sections, separated by commas: {', '.join(SECTIONS)}.", metavar="SECTIONS")
    ] = ",".join(SECTIONS),
    entries: Annotated[int, typer.Option(min=1, max=10_000, help="People on the watchlist.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=5, max=600, help="Of street that the running appliance sees.")] = 30,
    min_face_px: Annotated[int, typer.Option(min=16, max=400, help="Smallest face that must be found.")] = 40,
    faces: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of photos a person, for the rate of building a list.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print what the appliance does on this machine: milliseconds a stage, latency, dwell, memory, rates.

    Machines are noisy: compare ratios within one run. The pipeline's time over the bare models' is taken on the same
    input in the same moment.
    """
    from rich.console import Console

    say = Console(stderr=True, highlight=False)
    asked = Asked(entries=entries, seconds=seconds, min_face_px=min_face_px, faces=faces)
    results: dict[str, Any] = {}
    for name in chosen(only):
        with say.status(name) as spinner:

            def said(text: str, name: str = name, spinner: Status = spinner) -> None:
                spinner.update(f"{name}: {text}")

            results[name] = measure(name, asked, said)
        if not as_json:
            _show(name, results[name])
    if as_json:
        typer.echo(json.dumps(results))


def _show(title: str, figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    for name, value in _flat(figures):
        table.add_row(name, value)
    Console(highlight=False).print(table, "")


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in figures.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            rows.extend(_flat(value, f"{label}: "))
        elif isinstance(value, list | tuple):
            rows.append((label, " / ".join(str(one) for one in value)))
        else:
            rows.append((label, str(value)))
    return rows
