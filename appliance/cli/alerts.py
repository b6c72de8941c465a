"""`lfr alerts` and `lfr decide`: the stream and the journal from a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from appliance.alerts.event import Event
    from appliance.alerts.messages import Alert, Decision
    from appliance.config.live import Config

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="the configuration file", show_default=False)]

_COLOURS = {"red": "bold red", "amber": "bold yellow", "green": "bold green", "blue": "bold blue"}
_PLAIN_WIDTH = 240


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("alerts")(alerts)
    app.command("decide")(decide)


def alerts(
    config: ConfigFile,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="one event a line, as the stream's headers")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what happens next, until Ctrl-C")] = False,
    since: Annotated[int, typer.Option("--since", min=0, help="only what came after this sequence number")] = 0,
) -> None:
    """Alerts and decisions, from the journal and (with --follow) from the stream."""
    from rich.console import Console

    from appliance.config import live as configuration
    from appliance.stream import history

    read = configuration.load(config)
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)
    if follow:
        _follow(read, since, console, as_json=as_json)
        return
    events = list(history.so_far(read))
    if as_json:
        for event in events:
            if event.seq > since:
                print(_line(event))  # noqa: T201
        return
    console.print(_table(events, since))


def _follow(config: Config, since: int, console: Console, *, as_json: bool) -> None:
    from rich.console import Console

    from appliance.alerts.event import Event
    from appliance.stream import history
    from appliance.stream.subscriber import Connection, Reset

    people = Console(stderr=True, highlight=False)
    for item in history.and_on(config, since):
        if isinstance(item, Event):
            if as_json:
                print(_line(item), flush=True)  # noqa: T201
            else:
                console.print(_sentence(item), soft_wrap=True)
        elif isinstance(item, Connection):
            people.print("connected" if item.connected else "the hub does not answer; waiting for it", style="dim")
        elif isinstance(item, Reset):
            people.print("the journal was begun anew; from its start:", style="dim")
        else:
            people.print(f"{item} Waiting for the hub.", style="dim")


def _line(event: Event) -> str:
    return json.dumps({"topic": event.topic, **event.header.model_dump(mode="json")}, ensure_ascii=False)


def _table(events: list[Event], since: int) -> Table:
    from rich.table import Table

    from appliance.alerts.messages import Alert, Decision

    decisions: dict[str, list[Decision]] = {}
    for event in events:
        if isinstance(event.header, Decision):
            decisions.setdefault(event.header.alert_id, []).append(event.header)
    shown = [event.header for event in events if isinstance(event.header, Alert) and event.seq > since]
    sightings = sum(event.topic == "sighting" and event.seq > since for event in events)
    caption = f"alerts: {len(shown)}" + (f", sightings of the blue list: {sightings}" if sightings else "")
    table = Table(caption=caption, caption_justify="left")
    for name in ("seq", "time", "camera", "category", "person", "score / threshold", "state", "id"):
        table.add_column(name, justify="right" if name == "seq" else "left", no_wrap=name in ("seq", "time", "id"))
    for alert in shown:
        table.add_row(
            str(alert.seq),
            f"{alert.captured_at.astimezone():%d %b %H:%M:%S}",
            alert.camera,
            _category(alert),
            _person(alert),
            f"{alert.score:.2f} / {alert.threshold:.2f}",
            _state(decisions.get(alert.id, [])),
            alert.id,
        )
    return table


def _category(alert: Alert) -> str:
    from rich.markup import escape

    colour = _COLOURS[alert.entry.response]
    return f"[{colour}]● {alert.entry.response.upper()}[/] {escape(alert.entry.category)}"


def _person(alert: Alert) -> str:
    from rich.markup import escape

    warnings = f" [bold]⚠ {escape(', '.join(alert.entry.warnings))}[/]" if alert.entry.warnings else ""
    return f"{escape(alert.entry.label)} ({escape(alert.entry.id)}){warnings}".strip()


def _state(decisions: list[Decision]) -> str:
    from rich.markup import escape

    from appliance.alerts.decisions import standing_of

    made = standing_of(decisions).tells_most
    return f"{made.value.replace('_', ' ')} by {escape(made.by)}" if made else "[bold]undecided[/]"


def _sentence(event: Event) -> str:
    """One event as one line."""
    from rich.markup import escape

    from appliance.alerts.messages import Alert, Decision

    header = event.header
    if isinstance(header, Alert):
        return (
            f"{header.seq:>5}  {header.captured_at.astimezone():%H:%M:%S}  {header.camera:<10}  {_category(header)}  "
            f"{_person(header)}  {header.score:.2f} / {header.threshold:.2f}  {header.id}"
        )
    if isinstance(header, Decision):
        reason = f": {escape(header.reason or header.note)}" if header.reason or header.note else ""
        return (
            f"{header.seq:>5}  {header.at.astimezone():%H:%M:%S}  decision    {header.value.replace('_', ' ')} "
            f"({header.kind.replace('_', ' ')}) by {escape(header.by)}{reason}  on {header.alert_id}"
        )
    return (
        f"{header.seq:>5}  {header.captured_at.astimezone():%H:%M:%S}  {header.camera:<10}  "
        f"[{_COLOURS['blue']}]● BLUE[/] list: {escape(header.entry_id)} seen  "
        f"{header.score:.2f} / {header.threshold:.2f}"
    )


def decide(
    config: ConfigFile,
    alert: Annotated[str, typer.Argument(help="the alert's id, or its sequence number", show_default=False)],
    *,
    match: Annotated[bool, typer.Option("--match", help="operator: it is the person")] = False,
    no_match: Annotated[bool, typer.Option("--no-match", help="operator: it is not")] = False,
    cannot_tell: Annotated[bool, typer.Option("--cannot-tell", help="operator: nobody could say")] = False,
    taken: Annotated[bool, typer.Option("--taken", help="somebody is looking at it")] = False,
    pass_on: Annotated[bool, typer.Option("--pass-on", help="to the engagement officers")] = False,
    engage: Annotated[bool, typer.Option("--engage", help="engagement officer: speak to the person")] = False,
    do_not_engage: Annotated[bool, typer.Option("--do-not-engage", help="engagement officer: do not")] = False,
    outcome: Annotated[
        str, typer.Option(help="confirmed, not_the_person, lost, arrested, no_action or other", show_default=False)
    ] = "",
    undo: Annotated[
        str, typer.Option(help="take back: taken, operator, passed_on, engagement or outcome", show_default=False)
    ] = "",
    by: Annotated[str, typer.Option("--by", help="who decides", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="why", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="the decision as it was journaled")] = False,
) -> None:
    """Record what a person decided on an alert. Exactly one decision; a decision that stands must be undone first."""
    from rich.console import Console
    from rich.markup import escape

    from appliance.config import live as configuration
    from appliance.stream.client import HubClient
    from appliance.stream.decide import decide

    chosen = [
        (kind, value)
        for given, kind, value in (
            (match, "operator", "match"),
            (no_match, "operator", "no_match"),
            (cannot_tell, "operator", "cannot_tell"),
            (taken, "taken", "taken"),
            (pass_on, "passed_on", "passed_on"),
            (engage, "engagement", "engage"),
            (do_not_engage, "engagement", "do_not_engage"),
            (outcome, "outcome", outcome.replace("-", "_")),
            (undo, "undo", undo.replace("-", "_")),
        )
        if given
    ]
    if len(chosen) != 1:
        raise typer.BadParameter("Give exactly one decision: --match, --no-match, --cannot-tell, --outcome …, --undo …")
    kind, value = chosen[0]
    read = configuration.load(config)
    with HubClient(read.alerts.replay) as hub:
        made = decide(hub, alert, kind, value, by.strip(), reason.strip())
    if as_json:
        print(made.model_dump_json())  # noqa: T201
        return
    said = f"undone: {value.replace('_', ' ')}" if kind == "undo" else value.replace("_", " ")
    Console(highlight=False).print(
        f"{escape(said)}, by {escape(made.by)}: recorded as number {made.seq}.", soft_wrap=True
    )
