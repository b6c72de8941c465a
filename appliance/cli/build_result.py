"""How `lfr watchlist build` shows its progress and its result in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from appliance.enrolment.watchlist_build import BuildResult, Job

_SHOWN = 15
"""Of each kind; the report has them all."""


def build_with_progress(job: Job) -> BuildResult:
    """Build, with a progress bar on standard error."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from appliance.enrolment import watchlist_build

    stderr = Console(stderr=True, highlight=False)
    columns = (
        SpinnerColumn(),
        TextColumn("Photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[yellow]{task.fields[rejected]}[/]"),
    )
    done = 0
    try:
        with Progress(*columns, console=stderr, transient=not stderr.is_terminal) as bar:
            task = bar.add_task("photos", total=None, rate="", rejected="")

            def tell(now: watchlist_build.Progress) -> None:
                nonlocal done
                done = now.done
                elapsed = bar.tasks[0].elapsed or 0
                fresh = now.done - now.reused
                bar.update(
                    task,
                    total=now.total,
                    completed=now.done,
                    rate=f"{fresh / elapsed:.0f}/s" if elapsed > 0.5 and fresh else "",
                    rejected=f"{now.rejected} rejected" if now.rejected else "",
                )

            return watchlist_build.build(job, tell)
    except KeyboardInterrupt:
        kept = f"; what was done of {done} photos is kept, and the same command goes on from there" if job.cache else ""
        stderr.print(f"[yellow]Stopped[/]: no list was written{kept}.")
        raise


def show(result: BuildResult, pages: tuple[Path, ...], approvals: int | None) -> None:
    """Say what was built, what is doubtful about it and what comes next.

    Parameters
    ----------
    pages
        The quality report, where one was written.
    approvals
        How many the configuration asks for; None without one.
    """
    out = Console(soft_wrap=True, highlight=False)
    found = result.resemblance
    total = sum(len(outcome.photos) for outcome in result.outcomes)
    left_out = [outcome for outcome in result.outcomes if not outcome.taken]
    rate = f", {result.examined / result.seconds:.1f} photos/s on {result.workers} cores" if result.examined else ""
    out.print(
        f"[bold]{len(result.listed)}[/] of {len(result.outcomes)} people are on the list; of {total} photos "
        f"[green]{result.count('accepted')} accepted[/], [yellow]{result.count('warning')} doubtful[/], "
        f"[red]{result.count('rejected')} rejected[/] [dim]({result.examined} examined, {result.reused} known from "
        f"before{rate})[/]"
    )
    for note in result.notes:
        out.print(f"[dim]Note: {escape(note)}[/]")
    _rejected(result, out)
    if left_out:
        names = ", ".join(outcome.entry.id for outcome in left_out[:_SHOWN])
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        out.print(f"[bold red]Not on the list[/], no usable photo: {escape(names)}{more}")
    ids = [result.outcomes[position].entry.id for position in result.listed]
    twice = [f"{' and '.join(group)} (the very same picture)" for group in result.same_photo]
    same = {frozenset(group) for group in result.same_photo}
    twice += [
        f"{ids[pair.first]} and {ids[pair.second]} ({pair.similarity:.2f})"
        for pair in found.duplicates
        if frozenset((ids[pair.first], ids[pair.second])) not in same
    ]
    _several(out, "Perhaps the same person twice", twice)
    misfits = []
    for misfit in found.misfits:
        position, name = result.template_photos[misfit.template]
        misfits.append(f"{result.outcomes[position].entry.id}: {name} ({misfit.similarity:.2f})")
    _several(out, "Unlike the other photos of their entry", misfits)
    hubs = [f"{ids[hub.entry]} ({hub.neighbours} near, {hub.expected:.1f} usual)" for hub in found.hubs]
    _several(out, "Resemble unusually many others, a likely source of false alerts", hubs)
    header = result.header
    bound = f"for deployment {header.deployment}" if header.deployment else "for trials only (names no deployment)"
    out.print(
        f"[bold]{escape(str(result.path))}[/]  {bound}, built by {escape(header.builder)}, expires "
        f"{header.expires:%Y-%m-%d %H:%M} {header.expires.tzname()}, sha256 {result.digest[:12]}…"
    )
    if pages:
        out.print(f"[dim]Quality report: {escape(str(pages[0]))} (shows faces; look now, the start destroys it)[/]")
    if header.deployment:
        then = "lfr watchlist verify FILE" + ("" if approvals is None else " -c CONFIG")
        if approvals != 0:
            people = "another approves" if approvals == 1 else f"{approvals or 'two'} others approve"
            then = f"{people} it (lfr watchlist approve FILE --key KEY), then {then}"
        out.print(f"[dim]Next: {then}[/]")


def _rejected(result: BuildResult, out: Console) -> None:
    rows = [
        (outcome.entry.id, name, photo)
        for outcome in result.outcomes
        for name, photo in outcome.photos
        if photo.verdict == "rejected"
    ]
    if not rows:
        return
    table = Table("Entry", "Rejected photo", "Why", "What would help", box=None, header_style="dim", pad_edge=False)
    for entry_id, name, photo in rows[:_SHOWN]:
        table.add_row(
            escape(entry_id), escape(name), escape("; ".join(photo.reasons)), escape(" ".join(photo.remedies))
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
    if len(rows) > _SHOWN:
        out.print(f"[dim]… and {len(rows) - _SHOWN} more rejected photos, see the report[/]")


def _several(out: Console, title: str, items: list[str]) -> None:
    if items:
        more = f"; and {len(items) - _SHOWN} more, see the report" if len(items) > _SHOWN else ""
        out.print(f"[yellow]{title}:[/] {escape('; '.join(items[:_SHOWN]))}{more}")
