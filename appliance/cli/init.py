"""`lfr init`: a folder with keys and a configuration, to try the appliance out with one camera."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from appliance.core.credentials import mask_credentials


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not hold a configuration yet.")],
    source: Annotated[
        str, typer.Option(help="rtsp://…, /dev/video0, a video or GIF file, a folder of images, test: or street:")
    ] = "test:",
    fast: Annotated[bool, typer.Option("--fast", help="Files only: take every frame, as fast as possible.")] = False,
) -> None:
    """Make a folder for a trial: configuration, keys, and a place for the photos of the people to look for.

    The trial's window is the next 12 hours. A real deployment needs a real record and two approvers: start from
    config/van.yaml.
    """
    from appliance.lab import trial

    made = trial.make(folder, source, getpass.getuser(), fast=fast)
    typer.echo(
        f"Made {made.config}, {made.keys} and {made.photos} for {mask_credentials(made.source)}.\n\n"
        f"Next:\n"
        f"  put photos into {made.photos}, one folder a person: {made.photos / 'jane' / '1.jpg'}\n"
        f"  lfr watchlist build {made.photos} -o {folder / 'list.lfrw'} --to {made.keys / 'seal.pub'}"
        f" -c {made.config}\n"
        f"  lfr doctor -c {made.config}\n"
        f"  lfr run -c {made.config}"
    )
