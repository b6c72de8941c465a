"""`lfr init`: a folder with keys and a configuration, to try the appliance out with one camera."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

import typer
import yaml

from appliance.core.credentials import mask_credentials
from appliance.core.errors import ConfigError, LfrError

TRIAL_HOURS = 12


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
    from appliance.security.keys import new_appliance_keys

    path = folder / "lfr.yaml"
    if path.exists():
        raise ConfigError(f"{path} exists already.", "Choose another folder; nothing was changed.")
    if not source.strip():
        raise ConfigError("The source is empty.", "Name a camera, a file or a folder; test: is a pattern.")
    if not re.match(r"^([a-z]+:|/)", source, re.IGNORECASE):
        source = str(Path(source).resolve())
    made = datetime.now(UTC).replace(microsecond=0)
    template = Template(resources.files("appliance").joinpath("data/trial.yaml").read_text(encoding="utf-8"))
    text = template.substitute(
        id=f"trial-{made:%Y-%m-%d}",
        made=_text(made),
        who=yaml.safe_dump(getpass.getuser()).splitlines()[0],
        starts=_text(made),
        ends=_text(made + timedelta(hours=TRIAL_HOURS)),
        source=yaml.safe_dump(source, width=10_000).splitlines()[0],
        pace="fast" if fast else "realtime",
    )
    try:
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        new_appliance_keys(folder / "keys", getpass.getuser())
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    except OSError as error:
        raise LfrError(f"{folder} cannot be prepared: {error}.") from None
    typer.echo(
        f"Made {path}, {folder / 'keys'} and {folder / 'photos'} for {mask_credentials(source)}.\n\n"
        f"Next:\n"
        f"  put photos into {folder / 'photos'}, one folder a person: {folder / 'photos' / 'jane' / '1.jpg'}\n"
        f"  lfr watchlist build {folder / 'photos'} -o {folder / 'list.lfrw'} --to {folder / 'keys' / 'seal.pub'}"
        f" -c {path}\n"
        f"  lfr doctor -c {path}\n"
        f"  lfr run -c {path}"
    )


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
