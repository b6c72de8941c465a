"""`lfr bench`: figures, measured here and now; it passes no judgement."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

SECTIONS = ("pipeline", "run", "stream", "watchlist", "console")


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

    from appliance.core.errors import LfrError

    wanted = [name.strip() for name in only.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(SECTIONS))
    if unknown:
        raise LfrError(f"There is no section {', '.join(unknown)}.", f"There are: {', '.join(SECTIONS)}.")
    say = Console(stderr=True, highlight=False)
    measure: dict[str, Callable[[Callable[[str], None]], Any]] = {
        "pipeline": lambda _: _pipeline(entries, min_face_px),
        "run": lambda said: _run(seconds, said),
        "stream": lambda _: _stream(),
        "watchlist": lambda _: _watchlist(entries, faces),
        "console": lambda _: _console(),
    }
    results: dict[str, Any] = {}
    for name in wanted:
        with say.status(name) as spinner:
            results[name] = measure[name](lambda text, of=name: spinner.update(f"{of}: {text}"))  # type: ignore[misc]
        if not as_json:
            _show(name, results[name])
    if as_json:
        typer.echo(json.dumps(results))


def _pipeline(entries: int, min_face_px: int) -> dict[str, Any]:
    import cv2

    from appliance.config.sections import Models
    from appliance.lab.bench.frame import measure_pipeline

    cv2.setNumThreads(1)
    source = "street:?people=8&seed=2&gap=1.2&fps=12.5"
    return dataclasses.asdict(measure_pipeline(source, 25.0, entries, Models(), min_face_px))


def _run(seconds: float, said: Callable[[str], None]) -> dict[str, Any]:
    from appliance.lab.bench.run import measure_run

    return dataclasses.asdict(measure_run(seconds, said))


def _stream() -> dict[str, Any]:
    from appliance.lab.bench.stream import measure_latency

    return dataclasses.asdict(measure_latency(200))


def _watchlist(entries: int, faces: Path | None) -> dict[str, Any]:
    from appliance.lab.bench import watchlist

    found = {"load": watchlist.as_json(watchlist.measure_load(entries))}
    if faces is None:
        found["build"] = {"skipped": "name a folder of photos with --faces"}
    else:
        photos = sorted(faces.rglob("*.jpg"))[:240]
        found["build"] = watchlist.as_json(watchlist.measure_build(photos))
    return found


def _console() -> dict[str, Any]:
    from appliance.lab.bench import console as console_bench

    missing = console_bench.missing()
    if missing is not None:
        return {"skipped": str(missing)}
    return dict(console_bench.measure())


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
