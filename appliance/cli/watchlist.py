"""`lfr watchlist`: build, look at, approve and check a sealed watchlist."""

from __future__ import annotations

import json
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
    from appliance.enrolment.build_request import BuildRequest
    from appliance.gallery.watchlist.container import Container
    from appliance.gallery.watchlist.policy import WatchlistPolicy

app = typer.Typer(no_args_is_help=True, help="Build a watchlist from photos, look at it, approve it, check it.")

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
    from appliance.enrolment.build_request import BuildRequest

    request = BuildRequest(
        source=source,
        output=output,
        to=to,
        sign=sign,
        passphrase_file=passphrase_file,
        deployment=deployment,
        expires=_moment(expires) if expires else None,
        sequence=sequence,
        max_entries=max_entries,
        category=category,
        response=response,
        detector=detector,
        embedder=embedder,
        workers=workers,
        cache=cache,
    )
    _build(request, _load(config), report=report, strict=strict, as_json=as_json)


def _build(request: BuildRequest, settings: Config | None, *, report: bool, strict: bool, as_json: bool) -> None:
    from appliance.cli.build_result import build_with_progress, show
    from appliance.enrolment import quality_report

    result = build_with_progress(request.job(settings))
    pages = quality_report.write(result) if report else ()
    if as_json:
        print(json.dumps(quality_report.as_json(result), ensure_ascii=False))  # noqa: T201
    else:
        show(result, pages, settings.watchlist.approvals if settings else None)
    left_out = len(result.outcomes) - len(result.listed)
    if strict and left_out:
        raise WatchlistError(f"{left_out} people have no usable photo and are not on the list.", "See the report.")


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
    from appliance.core.clock import utc_now
    from appliance.gallery.watchlist import container
    from appliance.security import keys

    signer = keys.load_signer(key, keys.read_passphrase(passphrase_file))
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
    from appliance.gallery.watchlist.policy import WatchlistPolicy
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
