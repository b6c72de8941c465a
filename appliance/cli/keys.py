"""`lfr keys`: the appliance's sealing pair, and the signing pairs of builders and approvers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from appliance.core.errors import SecretError

app = typer.Typer(no_args_is_help=True, help="Make keys. A secret key file has mode 0600 and is never overwritten.")


def _print(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text)


def _escape(path: Path) -> str:
    return str(path).replace("[", r"\[")


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="where the keys go; made if it is not there")],
    name: Annotated[str, typer.Option(help="who builds lists with builder.key")] = "Builder",
) -> None:
    """Make what an appliance and its first watchlist need: sealing pair and a builder's pair.

    seal.key opens watchlists and stays on the appliance; seal.pub goes to whoever builds them. builder.key signs
    lists; builders/builder.pub makes the appliance take them. Put approvers' .pub files into approvers/.
    """
    from appliance.security.keys import new_appliance_keys

    made = new_appliance_keys(folder, name)
    for path, what in zip(
        made,
        (
            "secret: opens watchlists; stays on the appliance",
            "public: build watchlists for it with --to",
            f"secret: signs watchlists as {name}",
            "public: lists signed with builder.key are taken",
        ),
        strict=True,
    ):
        _print(f"{_escape(path)}  [dim]{what}[/]")
    _print(
        "[dim]Approvers: each makes a pair (lfr keys signer) and gives you the .pub, which goes into "
        f"{_escape(folder)}/approvers/[/]"
    )


@app.command()
def signer(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="where the secret key goes")],
    name: Annotated[str, typer.Option(help='the person, as in records: "A. Smith"')],
    into: Annotated[
        Path | None, typer.Option(help="where the public key goes (an appliance's approvers/ or builders/)")
    ] = None,
    file: Annotated[str | None, typer.Option(help="name of the files; default: made of the person's name")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="protect the secret key with the passphrase in this file (0600)")
    ] = None,
) -> None:
    """Make one person's signing pair, for approving or building watchlists."""
    from appliance.security.keys import new_signer, read_passphrase, signer_stem

    stem = file or signer_stem(name)
    if "/" in stem or stem.startswith("."):
        raise SecretError(f"{stem!r} cannot be a file's name.", "Use letters, digits and dashes.")
    secret, public = new_signer(folder, stem, name, public_folder=into, passphrase=read_passphrase(passphrase_file))
    _print(f"{_escape(secret)}  [dim]secret: signs as {name.strip()}; nobody else may have it[/]")
    _print(f"{_escape(public)}  [dim]public: belongs in the appliance's approvers/ or builders/[/]")
