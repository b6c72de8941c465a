"""`lfr end`, `report`, `audit`, `blue`, `extend`, `revoke` and `purge`: the life of a deployment from a terminal."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from appliance.config.live import Config
    from appliance.deployment.end import Ended

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="the configuration file", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="for machines")]
By = Annotated[str, typer.Option("--by", help="who does this; default: the user signed in here", show_default=False)]

audit = typer.Typer(no_args_is_help=True, help="The record of every act: check it, show it.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(end)
    app.command()(report)
    app.add_typer(audit, name="audit")
    app.command()(blue)
    app.command()(extend)
    app.command()(revoke)
    app.command()(purge)


def _load(path: Path) -> Config:
    from appliance.config import live

    return live.load(path)


def _consoles() -> tuple[Console, Console]:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)


def _step(to: Console) -> Callable[[str], None]:
    from rich.markup import escape

    return lambda what: to.print(f"[dim]· {escape(what)}[/]")


def _moment(text: str, option: str) -> datetime:
    from appliance.core.errors import LfrError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise LfrError(f"{option} {text!r} is not a moment with a time zone.", "Write 2026-11-21T17:30:00+00:00.")
    return moment


def end(
    config: ConfigFile,
    by: By = "",
    reason: Annotated[str, typer.Option(help="why it ends now")] = "ended by hand",
    *,
    as_json: AsJson = False,
) -> None:
    """End the deployment: stop, destroy watchlist and key, certify, report. Harmless when it has ended already."""
    from appliance.deployment.end import end

    out, err = _consoles()
    done = end(_load(config), by or getpass.getuser(), reason, step=_step(err))
    _tell_end(done, out, err, as_json=as_json)


def _tell_end(done: Ended, out: Console, err: Console, *, as_json: bool) -> None:
    from rich.markup import escape

    from appliance.deployment.pages import day_and_time

    kept = done.kept_until
    if as_json:
        document = {
            "deployment": done.deployment, "ended_at": done.ended_at.isoformat(), "already": done.already,
            "complete": done.complete, "problems": list(done.problems), "notes": list(done.notes),
            "alerts_kept_until": kept.isoformat() if kept else None, "files": [str(path) for path in done.files],
        }  # fmt: skip
        typer.echo(json.dumps(document))
    else:
        when = day_and_time(done.ended_at)
        if done.already:
            out.print(f"{escape(done.deployment)} had ended already, on {when}.")
        elif done.complete:
            out.print(f"[bold green]{escape(done.deployment)} has ended.[/] Key and watchlist are destroyed.")
        for note in done.notes:
            out.print(escape(note))
        out.print(f"Alerts are kept until {day_and_time(kept)}." if kept else "No alerts are kept.")
        for path in done.files:
            out.print(f"  {escape(str(path))}")
        if not done.complete:
            err.print("[bold red]Not everything is destroyed:[/]")
        for problem in done.problems:
            err.print(f"  {escape(problem)}")
    if not done.complete:
        raise typer.Exit(1)


def report(
    config: ConfigFile,
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", help="folder; default: state_dir", show_default=False)
    ] = None,
    by: By = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the page to publish as JSON")] = False,
) -> None:
    """The record of the deployment: one page to publish, and the full one for the force (HTML and JSON)."""
    from rich.markup import escape

    from appliance.deployment.report import report as reports

    files = reports.write(_load(config), folder, by=by or getpass.getuser())
    if as_json:
        typer.echo(next(path for path in files if path.name == "report-public.json").read_text(encoding="utf-8"))
        return
    out, _ = _consoles()
    out.print("To publish:")
    for path in files[:2]:
        out.print(f"  {escape(str(path))}")
    out.print("For the force only:")
    for path in files[2:]:
        out.print(f"  {escape(str(path))}")


@audit.command("verify")
def audit_verify(
    config: ConfigFile,
    head: Annotated[
        str | None,
        typer.Option("--head", help="a hash from a certificate or report that must be part of it", show_default=False),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find any change, removal or reordering of the audit record; exit code 1 when there is one."""
    from rich.markup import escape

    from appliance.deployment.store import Store

    found = Store(_load(config).alerts.state_dir).verify(anchor=head)
    if as_json:
        document = {"ok": found.ok, "acts": found.count, "head": found.head}
        typer.echo(json.dumps({**document, "problems": list(found.problems), "notices": list(found.notices)}))
    else:
        out, err = _consoles()
        for notice in found.notices:
            out.print(f"[yellow]Note:[/] {escape(notice)}")
        for problem in found.problems:
            err.print(f"[bold red]Wrong:[/] {escape(problem)}")
        if found.ok:
            out.print(f"[green]The record is whole:[/] {found.count} acts, the newest has the hash {found.head}.")
            if head is None:
                out.print("[dim]A cut or remade record shows only against a hash kept elsewhere: --head HASH.[/]")
    if not found.ok:
        raise typer.Exit(1)


@audit.command("show")
def audit_show(
    config: ConfigFile,
    act: Annotated[str, typer.Option(help="only acts that begin so, e.g. decision")] = "",
    last: Annotated[int, typer.Option("-n", "--last", min=0, help="only the newest; 0 for all")] = 50,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="one act a line")] = False,
) -> None:
    """Show the acts, newest last."""
    from collections import deque

    from rich.markup import escape
    from rich.table import Table

    from appliance.audit.record import AuditRecord

    wanted = (one for one in AuditRecord(_load(config).alerts.state_dir).records() if one.act.startswith(act))
    shown = deque(wanted, maxlen=last or None)
    if as_json:
        for one in shown:
            row = {"n": one.n, "at": one.at, "by": one.by, "act": one.act, "details": one.details, "hash": one.hash}
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    table = Table("n", "when (UTC)", "who", "act", "details", box=None, header_style="bold")
    for one in shown:
        facts = ", ".join(f"{key} {_brief(value)}" for key, value in one.details.items() if _told(key, value))
        table.add_row(str(one.n), one.at[:19].replace("T", " "), escape(one.by), one.act, escape(facts))
    out, _ = _consoles()
    out.print(table)


def _told(key: str, value: Any) -> bool:
    return key != "state_sha256" and value not in ("", None, [], {})


def _brief(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def blue(
    config: ConfigFile,
    entry: Annotated[str, typer.Argument(help="the officer's entry on the blue list", show_default=False)],
    camera: Annotated[str, typer.Option(help="past which camera", show_default=False)],
    at: Annotated[str, typer.Option(help="when, with a time zone; default: now", show_default=False)] = "",
    by: By = "",
) -> None:
    """Record that a blue-list officer walks past a camera on purpose; the report gives the true recognition rate."""
    from rich.markup import escape

    from appliance.deployment import blue_list

    moment = _moment(at, "--at") if at else None
    walk = blue_list.record_walk(_load(config), entry, camera, by or getpass.getuser(), moment)
    out, _ = _consoles()
    out.print(
        f"Recorded: {escape(walk.entry)} walks past {walk.camera} at {walk.at:%H:%M:%S %Z}. "
        f"Found counts within {blue_list.WITHIN_S:.0f} s of it."
    )


def extend(
    config: ConfigFile,
    until: Annotated[str, typer.Option(help="the new end, with a time zone", show_default=False)],
    by: Annotated[str, typer.Option(help="who authorises it", show_default=False)],
    rank: Annotated[str, typer.Option(help="their rank", show_default=False)],
    reason: Annotated[str, typer.Option(help="why it is necessary and proportionate", show_default=False)],
) -> None:
    """Authorise a later end (24 hours from the start at most); a running appliance takes it up within seconds."""
    from appliance.deployment import authority
    from appliance.deployment.pages import day_and_time

    read = _load(config)
    state = authority.extend(read, _moment(until, "--until"), by, rank, reason)
    out, _ = _consoles()
    out.print(f"{read.deployment.id} now ends on {day_and_time(authority.window(read, state).ends)}.")


def revoke(
    config: ConfigFile,
    by: Annotated[str, typer.Option(help="who withdraws the authority", show_default=False)],
    reason: Annotated[str, typer.Option(help="why", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Withdraw the authority: recognition stops at once, watchlist and key are destroyed."""
    from appliance.deployment.withdraw import withdraw

    out, err = _consoles()
    _tell_end(withdraw(_load(config), by, reason, step=_step(err)), out, err, as_json=as_json)


def purge(
    config: ConfigFile,
    by: By = "",
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="all alerts of the ended deployment now, before their time")
    ] = False,
) -> None:
    """Do what is due: continue an interrupted end, delete alerts whose time is over. For a timer, and by hand."""
    from rich.markup import escape

    from appliance.deployment.overdue import catch_up

    out, err = _consoles()
    done = catch_up(_load(config), by or getpass.getuser(), everything=everything, step=_step(err))
    for sentence in done or ["Nothing was due."]:
        out.print(escape(sentence))
