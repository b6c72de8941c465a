"""Alerts are counted over people who pass, by who stood where: found once a pass, false when on somebody else."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from appliance.alerts.messages import Alert, EntryRef, ModelRefs, TrackRef, new_id
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.lab.accuracy import street as module
from appliance.lab.accuracy.street import evaluate_street
from appliance.lab.simulation.ground_truth import list_passes
from appliance.lab.simulation.street import open_street
from appliance.vision.install import ensure_picture

SOURCE = "street:?order=hopper,astronaut,hopper&size=640x360&fps=6&gap=1&seed=4&extras=0"
ENTRIES = {"E0": "hopper"}


def alerts_on(person: str, pass_index: int, count: int = 1) -> list[Alert]:
    """Alerts for E0 on the face of a person in one of their passes."""
    reader = open_street(SOURCE)
    reader.open()
    made: list[Alert] = []
    while len(made) < count and reader.advance():
        for one in reader.in_view():
            if (one.person, one.pass_index) == (person, pass_index) and one.visible > 0.9:
                left, top, right, bottom = (int(value) for value in np.round(one.box_xyxy))
                now = utc_now()
                made.append(
                    Alert(
                        id=new_id(), deployment="x", camera="street", captured_at=now, media_s=reader.media_s,
                        entry=EntryRef(id="E0", category="test", response="amber"), score=0.9, threshold=0.55,
                        track=TrackRef(id=1, first_seen=now - timedelta(seconds=1), frames=3),
                        face_xyxy=(left, top, right, bottom), scene_wh=(640, 360),
                        models=ModelRefs(detector="d", embedder="e"),
                    )
                )  # fmt: skip
    return made


def count(alerts: list[Alert]) -> module.StreetFigures:
    return module._count(SOURCE, ENTRIES, {"hopper", "astronaut"}, alerts)


def test_without_alerts_everybody_on_the_list_is_missed() -> None:
    found = count([])
    assert (found.passes, found.mated_passes, found.found, found.tpir) == (3, 2, 0, 0)
    assert found.missed == ("hopper", "hopper")
    assert (found.false_alerts, found.false_alert_rate, found.seconds_to_alert) == (0, 0, 0)


def test_a_pass_is_found_once_however_many_alerts_and_only_by_its_own() -> None:
    found = count(alerts_on("hopper", 0, 3))
    assert (found.alerts, found.found, found.false_alerts) == (3, 1, 0)
    assert found.missed == ("hopper",)
    assert found.tpir == 0.5
    assert 0 < found.seconds_to_alert < list_passes(SOURCE)[0].leave_s
    assert count(alerts_on("hopper", 0) + alerts_on("hopper", 2)).missed == ()


def test_an_alert_on_somebody_else_is_false_whatever_its_score() -> None:
    found = count(alerts_on("astronaut", 1))
    assert (found.found, found.false_alerts) == (0, 1)
    assert found.false_alert_rate == pytest.approx(1 / 3)
    assert found.false_alert_interval[0] < 1 / 3 < found.false_alert_interval[1]


def test_those_with_several_photos_come_first_and_more_than_there_are_cannot_come(tmp_path: Path) -> None:
    for name, photos in (("a", 1), ("b", 2), ("c", 2), ("d", 1)):
        (tmp_path / name).mkdir()
        for number in range(photos):
            (tmp_path / name / f"{number}.jpg").touch()
    assert set(module._choose(tmp_path, 2, 1)) == {"b", "c"}
    assert len(set(module._choose(tmp_path, 4, 1))) == 4
    with pytest.raises(LfrError, match="holds 4 people; 5 are wanted"):
        module._choose(tmp_path, 5, 1)


@pytest.mark.timeout(150)
def test_a_whole_street_is_walked_counted_and_whose_photo_was_refused_is_told(tmp_path: Path) -> None:
    for name in ("hopper", "astronaut"):
        picture = ensure_picture(name)
        (tmp_path / name).mkdir()
        for number in (1, 2):
            shutil.copyfile(picture, tmp_path / name / f"{number}{picture.suffix}")
    (tmp_path / "grey").mkdir()
    (tmp_path / "grey" / "1.jpg").write_bytes(b"not a picture")
    said: list[str] = []
    found = evaluate_street(tmp_path, people=2, listed=2, strangers=1, seed=3, said=said.append)
    assert said == ["enrolling 3 people", "2 people pass"]
    assert (found.people, found.passes, found.mated_passes, found.watchlist_entries) == (2, 2, 2, 3)
    assert found.refused == ("grey",)
    assert (found.found, found.false_alerts, found.missed) == (2, 0, ())
