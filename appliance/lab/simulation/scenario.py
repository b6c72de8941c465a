"""A whole deployment in a folder: keys, photos, a sealed and approved watchlist, a configuration.

For the demo, the evaluation and the tests; it goes the same way as an operator does, only without asking.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from appliance.config.live import Config, parse
from appliance.core.clock import utc_now
from appliance.enrolment import watchlist_build
from appliance.gallery.watchlist.container import append_approval
from appliance.security.keys import load_recipient, load_signer, new_appliance_keys, new_signer

CONFIG_NAME = "lfr.yaml"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is on the watchlist, and the photos they are enrolled with."""

    id: str
    photos: tuple[Path, ...]
    category: str = "test"
    response: str = "amber"
    label: str = ""


def prepare(folder: Path, document: Mapping[str, Any]) -> Config:
    """Make the deployment's folder with its configuration and keys, and no watchlist yet.

    Parameters
    ----------
    folder
        Where; relative paths of the configuration are relative to it.
    document
        The configuration, as YAML would give it.

    Raises
    ------
    ConfigError
        The document is no configuration.
    """
    path = folder / CONFIG_NAME
    config = parse(dict(document), path)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True), encoding="utf-8")
    if not config.watchlist.key.exists():
        new_appliance_keys(config.watchlist.key.parent, "Builder of this scenario")
        for name in ("first", "second"):
            new_signer(folder / "signers", name, f"The {name} approver", public_folder=config.watchlist.approvers_dir)
    return config


def make(folder: Path, document: Mapping[str, Any], people: Sequence[Person], *, workers: int = 1) -> Path:
    """Make the deployment's folder and everything in it.

    Parameters
    ----------
    folder, document
        As `prepare` takes them.
    people
        Who is on the watchlist.
    workers
        Processes that examine the photos.

    Returns
    -------
    The configuration's path.

    Raises
    ------
    ConfigError
        The document is no configuration.
    WatchlistError
        No photo could be taken.
    """
    build(folder, prepare(folder, document), people, workers=workers)
    return folder / CONFIG_NAME


def build(folder: Path, config: Config, people: Sequence[Person], *, workers: int = 1) -> watchlist_build.BuildResult:
    """Build, sign and approve the watchlist of a scenario that was made; again for one that changed."""
    photos = folder / "photos"
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir()
    with (photos / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["entry_id", "image", "category", "response", "label"])
        for person in people:
            for number, photo in enumerate(person.photos, 1):
                name = f"{person.id}-{number}{photo.suffix}"
                shutil.copyfile(photo, photos / name)
                writer.writerow([person.id, name, person.category, person.response, person.label])
    keys = config.watchlist.key.parent
    result = watchlist_build.build(
        watchlist_build.Job(
            source=photos,
            output=config.watchlist.file,
            recipient=load_recipient(keys / "seal.pub"),
            signer=load_signer(keys / "builder.key"),
            expires=max(config.deployment.ends, utc_now() + timedelta(hours=1)),
            deployment=config.deployment.id,
            workers=workers,
            cache=False,
        )
    )
    for name in ("first", "second")[: config.watchlist.approvals]:
        append_approval(config.watchlist.file, load_signer(folder / "signers" / f"{name}.key"), utc_now())
    return result


def document(folder: Path, cameras: Sequence[Mapping[str, Any]], **sections: Mapping[str, Any]) -> dict[str, Any]:
    """A complete configuration for a run now, with sockets in `folder` and everything else at its default.

    Parameters
    ----------
    folder
        Short, since the path of a socket has at most 107 bytes.
    cameras
        As in the configuration; a purpose is added where there is none.
    sections
        Replace or extend sections: `matching={"cooldown_s": 0}`.
    """
    now = utc_now().replace(microsecond=0)
    earlier = now - timedelta(minutes=1)
    made: dict[str, Any] = {
        "deployment": {
            "id": "scenario",
            "location": "A simulated street",
            "purpose": "To measure the recognition on simulated passers-by and recordings",
            "legal_basis": "None is needed; nobody real passes these cameras",
            "necessity": "Figures about the recognition have to be measured before it is relied on",
            "proportionality": "Recordings and simulated people stand in for passers-by; no person is observed",
            "authorised_by": {"name": "Whoever runs the evaluation", "rank": "evaluator", "at": earlier},
            "signs": {"posted": True, "checked_by": "Whoever runs the evaluation", "at": earlier},
            "starts": earlier,
            "ends": now + timedelta(hours=2),
        },
        "watchlist": {"file": "list.lfrw", "key": "keys/seal.key"},
        "cameras": [{"purpose": "A simulated street or a recording, for evaluation", **camera} for camera in cameras],
        "alerts": {
            "state_dir": "state",
            "publish": f"ipc://{folder}/publish",
            "replay": f"ipc://{folder}/replay",
        },
        "metrics": {"listen": "127.0.0.1:9100"},
    }
    for name, section in sections.items():
        made[name] = {**made.get(name, {}), **section}
    return made
