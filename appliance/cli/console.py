"""`lfr console` and `lfr users`."""

from __future__ import annotations

import json
import sys
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from appliance.core.errors import SecretError

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]

users_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the console: add, list, remove.")


def console(config: ConfigOption) -> None:
    """The officer's console alone, also on another machine; runs until it is stopped."""
    from rich.console import Console
    from rich.markup import escape

    from appliance.config.live import load
    from appliance.console.server import serve
    from appliance.console.settings import ConsoleSettings
    from appliance.console.users import UserFile

    settings = ConsoleSettings.from_config(load(config))
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    if not UserFile(settings.users_file).all():
        add_one = f"lfr users add NAME --role operator -c {escape(str(config))}"
        screen.print(f"Nobody can sign in yet. Add somebody: {add_one}")
    serve(settings, lambda: screen.print(f"The console is at [bold]{escape(settings.url)}[/]  (Ctrl+C ends it)"))


@users_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the person signs in with, and what stands beside every decision.")],
    config: ConfigOption,
    role: Annotated[str, typer.Option(help="operator, engagement, supervisor or viewer.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change the role and password of a user there is.")
    ] = False,
) -> None:
    """Add one user; asks for the password twice and keeps an argon2id hash of it."""
    from appliance.config.live import load
    from appliance.console.user_changes import add_user
    from appliance.console.users import MAX_PASSWORD_CHARACTERS, ROLES, clean_name

    read = load(config)
    clean_name(name)
    if role not in ROLES:
        raise SecretError(f"{role!r} is not a role.", f"Choose one of {', '.join(ROLES)}.")
    if password_stdin:
        password = sys.stdin.readline(MAX_PASSWORD_CHARACTERS + 2).rstrip("\r\n")
    else:
        password = typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True)
    user = add_user(read, name, role, password, by=getuser(), replace=replace)
    typer.echo(f"{user.name} may sign in as {user.role}.")


@users_app.command("list")
def list_users(
    config: ConfigOption, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False
) -> None:
    """Everybody who may sign in."""
    from appliance.config.live import load
    from appliance.console.users import UserFile

    users = list(UserFile(load(config).users_file).all().values())
    if as_json:
        typer.echo(json.dumps([{"name": u.name, "role": u.role, "added_at": u.added_at} for u in users]))
        return
    if not users:
        typer.echo(f"Nobody yet. Add somebody: lfr users add NAME --role operator -c {config}")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "role", "since")
    for user in users:
        table.add_row(user.name, user.role, user.added_at)
    Console().print(table)


@users_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Who may no longer sign in.")], config: ConfigOption) -> None:
    """Take one user away; their open pages end within a second."""
    from appliance.config.live import load
    from appliance.console.user_changes import remove_user

    typer.echo(f"{remove_user(load(config), name, by=getuser())} may no longer sign in.")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(console)
    app.add_typer(users_app, name="users")
