"""Recognition through the whole appliance: people of known names pass a simulated camera, some of them on the list.

Runs `lfr run` as a process of its own on a deployment of its own; the truth is that of the simulation. Terms of
ISO/IEC 19795-1, counted over recognition opportunities (one passing person is one).
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from appliance.alerts.journal import Journal
from appliance.alerts.messages import Alert
from appliance.core.binomial import interval
from appliance.core.errors import LfrError
from appliance.core.ports import free_port
from appliance.lab.people import photos_by_person
from appliance.lab.simulation import ground_truth, scenario

TIMEOUT_S = 3600.0
STREET = "gap=1.5&fps=12.5"


@dataclass(frozen=True, slots=True)
class StreetFigures:
    """What came of one street.

    Attributes
    ----------
    passes, mated_passes
        People who passed, and of these how many were on the watchlist.
    found
        Passes of people on the watchlist with an alert for them.
    false_alerts
        Alerts for somebody else than the person in the alert's box.
    tpir, tpir_interval, false_alert_rate, false_alert_interval
        Shares with their 95 % confidence intervals (Clopper and Pearson, 1934).
    missed
        Names of those on the list who passed without an alert.
    seconds_to_alert
        Median of entering the picture to the alert's frame, seconds of the recording.
    refused
        Names of those who should be on the list and whose photo enrolment refused: nobody can find them, and where
        they pass they count among the missed.
    """

    people: int
    watchlist_entries: int
    passes: int
    mated_passes: int
    found: int
    tpir: float
    tpir_interval: tuple[float, float]
    alerts: int
    false_alerts: int
    false_alert_rate: float
    false_alert_interval: tuple[float, float]
    missed: tuple[str, ...]
    seconds_to_alert: float
    source: str
    refused: tuple[str, ...] = ()


def evaluate_street(
    faces: Path,
    *,
    people: int,
    listed: int,
    strangers: int = 0,
    seed: int = 1,
    said: Callable[[str], None] = lambda _: None,
) -> StreetFigures:
    """Let people pass and count.

    Parameters
    ----------
    faces
        Folder with one folder of photos a person. People with several photos are taken first: they are enrolled with
        the first and pass with the last.
    people, listed
        How many pass, and how many of these are on the watchlist.
    strangers
        How many more are on the watchlist who do not pass.
    said
        Told in a few words what is being done.

    Raises
    ------
    LfrError
        There are too few people, or the appliance did not run.
    """
    names = _choose(faces, people + strangers, seed)
    passing = names[:people]
    on_list = [*passing[:listed], *names[people:]]
    random.Random(seed).shuffle(passing)  # noqa: S311
    folder = Path(tempfile.mkdtemp(prefix="lfr-street-"))
    try:
        (folder / "order.txt").write_text("\n".join(passing), encoding="utf-8")
        source = f"street:?faces={faces.resolve()}&order=@{folder / 'order.txt'}&photo=last&seed={seed}&{STREET}"
        camera = {"name": "street", "source": source, "pace": "fast", "preview_fps": 0}
        document = scenario.document(folder, [camera], metrics={"listen": f"127.0.0.1:{free_port()}"})
        known = photos_by_person(faces)
        entries = {f"E{i:05d}": name for i, name in enumerate(on_list)}
        said(f"enrolling {len(entries)} people")
        config = scenario.prepare(folder, document)
        listed_people = [scenario.Person(id_, (known[name][0],), label=name[:100]) for id_, name in entries.items()]
        built = scenario.build(folder, config, listed_people, workers=0)
        refused = tuple(entries[outcome.entry.id] for outcome in built.outcomes if not outcome.taken)
        said(f"{people} people pass")
        _run(folder)
        with Journal.open_reader(config.alerts.state_dir) as journal:
            alerts = list(journal.alerts())
        return replace(_count(source, entries, set(passing), alerts), refused=refused)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _choose(faces: Path, count: int, seed: int) -> list[str]:
    known = photos_by_person(faces)
    if count > len(known):
        raise LfrError(f"{faces} holds {len(known)} people; {count} are wanted.", "Ask for fewer.")
    rng = random.Random(seed)  # noqa: S311
    several = sorted(name for name, photos in known.items() if len(photos) > 1)
    single = sorted(name for name, photos in known.items() if len(photos) == 1)
    rng.shuffle(several)
    rng.shuffle(single)
    return [*several, *single][:count]


def _run(folder: Path) -> None:
    with (folder / "run.log").open("w+", encoding="utf-8") as log:
        done = subprocess.run(
            [sys.executable, "-m", "appliance", "run", "-c", str(folder / scenario.CONFIG_NAME)],
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["it said nothing"])[-1]
            raise LfrError(f"The appliance ended with code {done.returncode}: {last}")


def _count(source: str, entries: dict[str, str], passing: set[str], alerts: list[Alert]) -> StreetFigures:
    truth = ground_truth.GroundTruth(source)
    passes = ground_truth.list_passes(source)
    mated = [one for one in passes if one.person in set(entries.values()) & passing]
    found: dict[int, float] = {}
    false = 0
    for alert in alerts:
        media_s = alert.media_s or 0.0
        name = entries[alert.entry.id]
        if truth.who(media_s, alert.face_xyxy, alert.scene_wh) != name:
            false += 1
            continue
        for one in mated:
            if one.person == name and one.enter_s <= media_s <= one.leave_s:
                found[one.index] = media_s - one.enter_s
    return StreetFigures(
        people=len(passing),
        watchlist_entries=len(entries),
        passes=len(passes),
        mated_passes=len(mated),
        found=len(found),
        tpir=len(found) / len(mated) if mated else 0.0,
        tpir_interval=interval(len(found), len(mated)),
        alerts=len(alerts),
        false_alerts=false,
        false_alert_rate=false / len(passes) if passes else 0.0,
        false_alert_interval=interval(false, len(passes)),
        missed=tuple(one.person for one in mated if one.index not in found),
        seconds_to_alert=float(np.median(list(found.values()))) if found else 0.0,
        source=source,
    )
