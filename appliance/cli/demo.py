"""`lfr demo`: the whole appliance on an embedded default, with no camera, no files and no keys to prepare."""

from __future__ import annotations

import signal
import sys
import time
import webbrowser
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from appliance.lab.demo import Demo, Watcher

UNATTENDED_SECONDS = 45.0


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to write pictures and log.  [default: demo-DATE-TIME]", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=10, max=3600, help="End after this long and judge; without a terminal, 45.", show_default=False
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the console in a browser, or only print its address.")
    ] = True,
    console: Annotated[bool, typer.Option("--console/--no-console", help="Run the officer's console too.")] = True,
) -> None:
    """Walk two people past a simulated camera, one of them on the watchlist, and show what happens.

    In a terminal it runs until you press Ctrl-C; without one, or with --seconds, it ends by itself. Exit code 0 only if
    the listed person was alerted and nobody else was. Enrolment and passer-by come from one photo: this shows that the
    path works, not how accurate it is.
    """
    from rich.console import Console
    from rich.live import Live

    from appliance.lab import demo as room

    out = Console(highlight=False)
    attended = out.is_terminal and seconds is None
    limit_s = None if attended else (seconds or UNATTENDED_SECONDS)
    place = room.require_folder(folder or Path(f"demo-{time.strftime('%Y%m%d-%H%M%S')}"))
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop.append(received))
    with out.status("preparing") as spinner:
        prepared = room.prepare(place, console=console, said=lambda text: spinner.update(text))
    with room.running(prepared) as (watcher, appliance):
        with out.status("starting: hub, console, one camera (its models warm up)"):
            room.wait_until_live(watcher, appliance, lambda: bool(stop))
        if prepared.console_url:
            address = f"{prepared.console_url}/?demo={prepared.token}"
            out.print("\nThe officer's console, already signed in (this address works once):")
            out.print(f"[link={address}]{address}[/link]", soft_wrap=True)
            if browser and attended:
                webbrowser.open(address)
        out.print("[dim]Ctrl-C ends the demo.[/]\n" if attended else "")
        shown = (
            Live(_picture(prepared, watcher), console=out, refresh_per_second=4) if out.is_terminal else nullcontext()
        )
        with shown as live:
            for fresh in room.follow(watcher, appliance, limit_s, lambda: bool(stop)):
                if live is not None:
                    live.update(_picture(prepared, watcher))
                    continue
                for one in fresh:
                    out.print(
                        f"alert {one.alert.seq}: {one.who}, score {one.alert.score:.2f} (threshold "
                        f"{one.alert.threshold:.2f}), {1000 * one.latency_s:.0f} ms after capture"
                    )
    _sum_up(out, prepared, watcher)
    sys.exit(0 if watcher.verdict.success else 1)


def _picture(demo: Demo, watcher: Watcher) -> RenderableType:
    """What the terminal shows: the street in numbers, then the newest alerts."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from appliance.lab.demo import LISTED, NAMES

    status = watcher.status
    camera = status.cameras[0] if status and status.cameras else None
    line = Text()
    if camera:
        state = "bold green" if camera.state == "live" else "bold yellow"
        line.append(f"camera {camera.name} ").append(camera.state, style=state)
        line.append(f"   {camera.fps:.0f} frames/s   people seen {camera.people_seen}   alerts {camera.alerts}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("alert", "on the watchlist", "in truth", "score", "threshold", "delay", ""):
        table.add_column(name, justify="right" if name in ("alert", "score", "threshold", "delay") else "left")
    newest = watcher.alerts[-8:]
    for one in newest:
        alert, right = one.alert, one.who == LISTED
        table.add_row(
            str(alert.seq),
            alert.entry.label,
            NAMES.get(one.who, one.who),
            f"{alert.score:.2f}",
            f"{alert.threshold:.2f}",
            f"{1000 * one.latency_s:.0f} ms",
            Text("✓ right", "green") if right else Text("✗ wrong", "bold red"),
        )
    rest = Text(f"everybody else: blurred before anything left the camera's process, then overwritten · {demo.folder}")
    rest.stylize("dim")
    return Group(line, Text(), table if newest else Text("nobody on the watchlist has passed yet", "dim"), Text(), rest)


def _sum_up(out: Console, demo: Demo, watcher: Watcher) -> None:
    from appliance.lab.demo import LISTED, NAMES, latency_text

    verdict = watcher.verdict
    mark = "[bold green]✓[/]" if verdict.success else "[bold red]✗[/]"
    out.print(f"\n{mark} people seen: {verdict.people_seen}")
    out.print(f"  alerts for {NAMES[LISTED]}, who is on the watchlist: {verdict.mated}")
    out.print(f"  alerts for anybody else: {verdict.false}")
    out.print(f"  captured → received: {latency_text(verdict.latencies_s)}")
    if verdict.problem:
        out.print(f"  [red]{verdict.problem}[/]")
    out.print(
        f"\nEach alert's redacted scene, face and watchlist picture: {demo.folder / 'alerts'}\n"
        "[dim]Enrolment and passer-by come from one photo: this shows that the path works, not how accurate it is. "
        "Keys, watchlist and journal of the demo are destroyed.[/]\n\n"
        "Next: [bold]lfr init my-trial --source rtsp://… [/] (or /dev/video0, a clip, a folder) for a camera of your "
        "own; [bold]lfr --help[/] for everything else."
    )
