"""`lfr watchlist`: build, look at, approve and check a sealed watchlist."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from appliance.core.errors import WatchlistError

if TYPE_CHECKING:
    from appliance.config.live import Config
    from appliance.enrolment.watchlist_build import BuildResult
    from appliance.gallery.watchlist.container import Container
    from appliance.gallery.watchlist.sealed import WatchlistPolicy

app = typer.Typer(no_args_is_help=True, help="Build a watchlist from photos, look at it, approve it, check it.")

EXTENSION = timedelta(hours=12)
"""A list built for a deployment lives this much longer, so that an extension need not wait for a new one. The end of
the deployment destroys it all the same."""
DEFAULT_LIFE = timedelta(days=7)
_SHOWN = 15

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="the sealed watchlist (.lfrw)")]
ConfigOption = Annotated[Path | None, typer.Option("-c", "--config", help="the appliance's configuration")]
JsonOption = Annotated[bool, typer.Option("--json", help="for machines")]


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)


def _moment(text: str) -> datetime:
    """`2026-11-21T18:00+00:00`, or a day: its end in UTC."""
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WatchlistError(f"--expires {text!r} is no moment.", "Write 2026-11-21 or 2026-11-21T18:00Z.") from None
    if moment.tzinfo is None:
        raise WatchlistError(f"--expires {text!r} names no time zone.", "Write 2026-11-21T18:00Z.")
    return moment


def _load(config: Path | None) -> Config | None:
    from appliance.config.live import load

    return load(config) if config else None


@app.command()
def build(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="folder or zip with manifest.csv, or with one folder a person")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="the sealed file to write (.lfrw)")],
    to: Annotated[Path, typer.Option(help="the appliance's public key, seal.pub")],
    sign: Annotated[
        Path | None, typer.Option(help="the builder's secret key; default: builder.key beside seal.pub")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="of the builder's key (mode 0600)")] = None,
    config: ConfigOption = None,
    deployment: Annotated[
        str | None, typer.Option(help="id of the deployment; default: the configuration's; without: for trials only")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="day or moment; default: 12 h after the deployment's end, or in 7 days")
    ] = None,
    sequence: Annotated[
        int | None, typer.Option(help="default: seconds since 1970, above the list in -o", min=0)
    ] = None,
    max_entries: Annotated[int, typer.Option(min=1, max=10_000, help="more people are refused")] = 10_000,
    category: Annotated[str, typer.Option(help="of entries that name none")] = "unspecified",
    response: Annotated[str, typer.Option(help="of entries that name none: red, amber, green or blue")] = "amber",
    detector: Annotated[str | None, typer.Option(help="default: the configuration's")] = None,
    embedder: Annotated[str | None, typer.Option(help="default: the configuration's")] = None,
    workers: Annotated[int, typer.Option(min=0, max=256, help="processes; 0: one a core")] = 0,
    cache: Annotated[bool, typer.Option(help="keep what was worked out, encrypted, in FILE.cache")] = True,
    report: Annotated[bool, typer.Option(help="write FILE.report.html and FILE.report.json")] = True,
    strict: Annotated[bool, typer.Option(help="fail when somebody has no usable photo (the list is written)")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a sealed watchlist of photos, with a reason for every photo that was not taken.

    manifest.csv: entry_id and image in every row (several rows for several photos); category, label, response
    (red, amber, green; blue for seeded officers), warnings (separated by ;), source, legal_basis, requested_by,
    review_date, under_18, under_18_rationale, expires as far as there are.
    """
    from appliance.cli.keys import read_passphrase
    from appliance.core.clock import utc_now
    from appliance.enrolment import quality_report as reports
    from appliance.enrolment import watchlist_build
    from appliance.gallery.watchlist.container import MAX_FILE_BYTES
    from appliance.gallery.watchlist.entry import RESPONSES
    from appliance.security import keys

    settings = _load(config)
    if response not in RESPONSES:
        raise WatchlistError(f"--response {response!r} is unknown.", f"Use one of {', '.join(RESPONSES)}.")
    if not output.resolve().parent.is_dir() or output.is_dir():
        raise WatchlistError(f"{output} cannot be written.", "Name a file in a folder that is there.")
    if output.exists() and output.stat().st_size <= MAX_FILE_BYTES:
        with output.open("rb") as file:
            if file.read(8) not in (b"", b"LFRWLIST"):
                raise WatchlistError(f"{output} is something else than a watchlist.", "Name another file with -o.")
    recipient = keys.load_recipient(to)
    key = sign or to.parent / "builder.key"
    if sign is None and not key.exists():
        raise WatchlistError(f"A list is signed, and {key} does not exist.", "Name the builder's key with --sign KEY.")
    if expires:
        until = _moment(expires)
    else:
        until = settings.deployment.ends + EXTENSION if settings else utc_now() + DEFAULT_LIFE
    named = deployment if deployment is not None else settings.deployment.id if settings else ""
    job = watchlist_build.Job(
        source=source,
        output=output,
        recipient=recipient,
        signer=keys.load_signer(key, read_passphrase(passphrase_file)),
        expires=until,
        deployment=named,
        sequence=sequence,
        max_entries=min(max_entries, settings.watchlist.max_entries if settings else max_entries),
        category=category,
        response=response,
        models_dir=settings.models.dir if settings else None,
        detector=detector or (settings.models.detector if settings else "centerface"),
        embedder=embedder or (settings.models.embedder if settings else "mobilefacenet"),
        workers=workers,
        cache=cache,
    )
    result = _with_progress(job)
    pages = reports.write(result) if report else ()
    if as_json:
        print(json.dumps(reports.as_json(result), ensure_ascii=False))  # noqa: T201
    else:
        _show(result, pages, settings.watchlist.approvals if settings else None)
    left_out = len(result.outcomes) - len(result.listed)
    if strict and left_out:
        raise WatchlistError(f"{left_out} people have no usable photo and are not on the list.", "See the report.")


def _with_progress(job: Any) -> BuildResult:
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


def _show(result: BuildResult, pages: tuple[Path, ...], approvals: int | None) -> None:
    out = _console()
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


@app.command()
def inspect(
    file: FileArgument,
    key: Annotated[Path | None, typer.Option(help="seal.key: shows the entries too")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a sealed list says about itself and, with the appliance's key, who is on it."""
    from appliance.core.clock import utc_now
    from appliance.gallery.watchlist import container, sealed

    opened = container.read(file)
    document = _describe(opened)
    if key:
        watchlist = sealed.open_container(opened, key, approvals=(), now=utc_now())
        counts = [0] * len(watchlist.entries)
        for owner in watchlist.entry_of_template:
            counts[owner] += 1
        document["people"] = [
            {**entry.to_json(), "photos": count} for entry, count in zip(watchlist.entries, counts, strict=True)
        ]
        document["expired_ids"] = list(watchlist.expired_ids)
        watchlist.wipe()
    if as_json:
        print(json.dumps(document, ensure_ascii=False))  # noqa: T201
        return
    out = _console()
    for name, value in document.items():
        if name not in ("people", "approvals", "expired_ids"):
            out.print(f"[dim]{name + ':':<14}[/]{escape(str(value)) or '[dim]none: for trials only[/]'}")
    for approval in document["approvals"]:
        out.print(f"[dim]{'approved by:':<14}[/]{escape(approval['name'])}, {approval['at']}")
    if not document["approvals"]:
        out.print(f"[dim]{'approved by:':<14}[/]nobody yet")
    out.print("[dim]Whether these keys are people whom the appliance trusts: lfr watchlist verify[/]")
    if key:
        table = Table("Entry", "Label", "Category", "Response", "Photos", "Warnings", "Expires")
        for person in document["people"]:
            cells = [person["id"], person["label"], person["category"], person["response"], str(person["photos"])]
            table.add_row(*map(escape, cells), escape("; ".join(person["warnings"])), person["expires"] or "")
        Console(highlight=False).print(table)
        if document["expired_ids"]:
            out.print(f"[yellow]Expired and left out:[/] {escape(', '.join(document['expired_ids']))}")


def _describe(opened: Container) -> dict[str, Any]:
    document: dict[str, Any] = {"file": str(opened.path), "sha256": opened.digest}
    document |= opened.header.model_dump(mode="json")
    document["approvals"] = [
        {"name": record.name, "key": record.key, "at": record.model_dump(mode="json")["at"]}
        for record in opened.approvals
    ]
    return document


@app.command()
def approve(
    file: FileArgument,
    key: Annotated[Path, typer.Option(help="the approver's secret key")],
    name: Annotated[str | None, typer.Option(help="must be the name in the key; a check against a mix-up")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="of the key (mode 0600)")] = None,
) -> None:
    """Add your approval, by name, to a sealed list that you have looked at."""
    from appliance.cli.keys import read_passphrase
    from appliance.core.clock import utc_now
    from appliance.gallery.watchlist import container
    from appliance.security import keys

    signer = keys.load_signer(key, read_passphrase(passphrase_file))
    if name is not None and not container.same_person(name, signer.name):
        raise WatchlistError(f"{key} is the key of {signer.name}, not of {name}.", "Use your own key.")
    opened = container.append_approval(file, signer, utc_now())
    names = ", ".join(record.name for record in opened.approvals)
    _console().print(f"{escape(str(file))} is approved by {escape(names)}; sha256 {opened.digest[:12]}…")


@app.command()
def verify(
    file: FileArgument,
    config: ConfigOption = None,
    builders: Annotated[Path | None, typer.Option(help="folder of builders' public keys")] = None,
    approvers: Annotated[Path | None, typer.Option(help="folder of approvers' public keys")] = None,
    approvals: Annotated[int | None, typer.Option(min=0, max=9, help="how many it needs; default 2")] = None,
    deployment: Annotated[str | None, typer.Option(help="id of the deployment that wants it")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check everything that an appliance checks before it uses a list; with -c also that its key opens it."""
    from appliance.gallery.watchlist import container, sealed

    settings = _load(config)
    opened = container.read(file)
    policy = _policy(opened, settings, builders, approvers, approvals, deployment)
    counted = sealed.check(opened, policy)
    people = opened.header.entries
    if settings is not None:
        watchlist = sealed.open_container(opened, settings.watchlist.key, approvals=counted, now=policy.now)
        people = len(watchlist)
        watchlist.wipe()
    names = [approval.name for approval in counted]
    if as_json:
        document = {"ok": True, "opened": settings is not None, "people": people, "approved_by": names}
        print(json.dumps(_describe(opened) | document, ensure_ascii=False))  # noqa: T201
        return
    what = "whole, trusted and opens" if settings is not None else "whole and trusted"
    who = ", ".join(names) or "nobody, and needs nobody"
    _console().print(f"[green]{escape(str(file))} is {what}[/]: {people} people, approved by {escape(who)}")


def _policy(
    opened: Container,
    settings: Config | None,
    builders: Path | None,
    approvers: Path | None,
    approvals: int | None,
    deployment: str | None,
) -> WatchlistPolicy:
    from dataclasses import replace

    from appliance.core.clock import utc_now
    from appliance.deployment.store import Store
    from appliance.gallery.watchlist.sealed import WatchlistPolicy
    from appliance.vision.models import load_manifest

    if settings is not None:
        ref = load_manifest(settings.models.dir).embedder(settings.models.embedder).ref
        newest = Store(settings.alerts.state_dir).newest_sequence(settings.deployment.id)
        policy = WatchlistPolicy.of(settings.watchlist, settings.deployment.id, embedder_ref=ref, min_sequence=newest)
    else:
        if builders is None:
            raise WatchlistError(
                "Whose lists count is not said.", "Give -c CONFIG, or --builders DIR and --approvers DIR."
            )
        if approvers is None and approvals != 0:
            raise WatchlistError("Whose approval counts is not said.", "Give --approvers DIR, or --approvals 0.")
        policy = WatchlistPolicy(builders, Path("/nonexistent"), 2, opened.header.deployment, utc_now())
    return replace(
        policy,
        builders_dir=builders or policy.builders_dir,
        approvers_dir=approvers or policy.approvers_dir,
        approvals=policy.approvals if approvals is None else approvals,
        deployment=deployment or policy.deployment,
    )
