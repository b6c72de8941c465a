"""`lfr evaluate`: how accurate the recognition is, measured on your own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure how accurate the recognition is.")


@app.command()
def faces(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One folder a person, several pictures in some.")],
    watchlist_size: Annotated[int, typer.Option("--watchlist-size", min=1, help="People on the drawn watchlists.")],
    detector: Annotated[str, typer.Option(help="Of the manifest.")] = "centerface",
    embedder: Annotated[str, typer.Option(help="Of the manifest.")] = "mobilefacenet",
    provider: Annotated[str, typer.Option(help="auto, cpu, cuda or tensorrt.")] = "auto",
    threshold: Annotated[float | None, typer.Option(help="Also show this one; default: the embedder's own.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=1000, help="Watchlists to draw.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the draws; the same one gives the same figures.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Open-set accuracy: how many people on a watchlist are found, at how many false alerts.

    Each watchlist holds one picture a person; another picture of the same person must be found, one of anybody else
    must not. Pictures are examined as enrolment does; those that it refuses are counted and left out. Figures are for
    single pictures: the appliance sees several of a person who passes.
    """
    import functools

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from appliance.lab.accuracy import faces
    from appliance.lab.people import photos_by_person
    from appliance.vision import models
    from appliance.vision.examine import open_examiner

    manifest = models.load_manifest()
    own = manifest.embedder(embedder).threshold
    people = list(photos_by_person(folder).values())
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("pictures", total=sum(map(len, people)))
        vectors, refs = faces.embed_people(
            people,
            functools.partial(open_examiner, manifest, detector, embedder, provider),
            progress=lambda done: progress.update(task, completed=done),
        )
    result = faces.measure(
        vectors, watchlist_size, threshold=own if threshold is None else threshold, draws=draws, seed=seed
    ).model_copy(update={"models": refs})
    if as_json:
        typer.echo(result.model_dump_json())
        return
    console = Console(highlight=False)
    refused = ", ".join(f"{count} {kind}" for kind, count in result.refused_for.items())
    console.print(
        f"{result.people} people, {result.pictures} pictures ({result.pictures_without_face} without a face, "
        f"{result.pictures_refused} that enrolment refuses{': ' if refused else ''}{refused}); "
        f"{draws} watchlists of {watchlist_size}: {result.mated_people} people on the list and "
        f"{result.non_mated_people} not on it pass each."
    )
    table = Table(
        "false alerts a face", "threshold", "found", "95 % interval", "measured false alerts", "95 % interval"
    )
    rows = [*result.wanted.items(), ("at the threshold", result.at_threshold)]
    for name, point in rows:
        if point is None:
            table.add_row(name, "too few strangers to tell", *[""] * 4)
            continue
        low, high = point.tpir_interval
        least, most = point.fpir_interval
        table.add_row(
            name, f"{point.threshold:.3f}", f"{point.tpir:.1%}", f"{low:.1%} to {high:.1%}", f"{point.fpir:.3%}",
            f"{least:.3%} to {most:.3%}",
        )  # fmt: skip
    console.print(table)


@app.command()
def street(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One folder a person, several pictures in some.")],
    people: Annotated[int, typer.Option(min=1, max=5000, help="How many pass.")] = 30,
    listed: Annotated[
        int | None, typer.Option(min=0, help="How many of them are on the list; default: a third.")
    ] = None,
    strangers: Annotated[int, typer.Option(min=0, help="People on the list who do not pass.")] = 0,
    seed: Annotated[int, typer.Option(help="Whole number; another one is another day.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Recognition through the whole appliance: people of known names pass a simulated camera, some on the list.

    People with several pictures are enrolled with the first and pass with the last. Counted over passes: who was found,
    and how many alerts were for somebody else.
    """
    import dataclasses
    import json

    from rich.console import Console
    from rich.markup import escape

    from appliance.lab.accuracy.street import evaluate_street

    listed = people // 3 if listed is None else min(listed, people)
    with Console(stderr=True).status("preparing") as spinner:
        found = evaluate_street(
            folder, people=people, listed=listed, strangers=strangers, seed=seed, said=lambda text: spinner.update(text)
        )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found)))
        return
    out = Console(highlight=False)
    low, high = found.tpir_interval
    least, most = found.false_alert_interval
    out.print(f"{found.passes} people passed, {found.mated_passes} of them on a list of {found.watchlist_entries}.")
    out.print(
        f"Found: {found.found} of {found.mated_passes}, {found.tpir:.1%} (95 % interval {low:.1%} to {high:.1%})."
    )
    out.print(
        f"Alerts for somebody else: {found.false_alerts}, {found.false_alert_rate:.2%} of people seen "
        f"(95 % interval {least:.2%} to {most:.2%})."
    )
    out.print(f"From entering the picture to the alert: {found.seconds_to_alert:.1f} s (median).")
    if found.refused:
        refused = escape(", ".join(found.refused))
        out.print(f"Enrolment refused the photos of {refused}: they count as missed where they pass.")
    if found.missed:
        out.print(f"[dim]Missed: {escape(', '.join(found.missed))}[/]")
