"""A folder to try the appliance out in, with one camera: keys, a configuration, and a place for photos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

import yaml

from appliance.core.errors import ConfigError, LfrError
from appliance.security.keys import new_appliance_keys

TRIAL_HOURS: Final = 12


@dataclass(frozen=True, slots=True)
class Trial:
    """What was made, and the source that its camera looks at."""

    config: Path
    keys: Path
    photos: Path
    source: str


def make(folder: Path, source: str, who: str, *, fast: bool = False) -> Trial:
    """Make the folder; its window is the next `TRIAL_HOURS` hours.

    Parameters
    ----------
    source
        As in a configuration; a relative path is one of the current folder.
    who
        Builds the trial's lists and authorises it.
    fast
        Files only: take every frame, as fast as possible.

    Raises
    ------
    ConfigError
        The folder holds a configuration already, or the source is empty.
    LfrError
        The folder cannot be written.
    """
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
        who=yaml.safe_dump(who).splitlines()[0],
        starts=_text(made),
        ends=_text(made + timedelta(hours=TRIAL_HOURS)),
        source=yaml.safe_dump(source, width=10_000).splitlines()[0],
        pace="fast" if fast else "realtime",
    )
    trial = Trial(path, folder / "keys", folder / "photos", source)
    try:
        trial.photos.mkdir(parents=True, exist_ok=True)
        new_appliance_keys(trial.keys, who)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    except OSError as error:
        raise LfrError(f"{folder} cannot be prepared: {error}.") from None
    return trial


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
