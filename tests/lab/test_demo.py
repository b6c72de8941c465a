"""The demo judges itself by the street's ground truth, and leaves nothing that a deployment must not leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from appliance.alerts.messages import Alert, EntryRef, ModelRefs, TrackRef, new_id
from appliance.config.live import load
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.core.ports import free_port
from appliance.gallery.watchlist.companions import companions
from appliance.lab import demo
from appliance.lab.simulation.street import open_street

SOURCE = "street:?people=2&size=640x360&fps=6&gap=1&seed=4&extras=0"


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[demo.Watcher]:
    publish, replay = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    watching = demo.Watcher(demo.Demo(tmp_path, tmp_path / "lfr.yaml", "", "", publish, replay, SOURCE))
    yield watching
    watching.close()


def alert_on(person: str, seq: int) -> Alert:
    """An alert for the listed person, on the face of `person` where the street shows it."""
    reader = open_street(SOURCE)
    reader.open()
    box, at = next(
        (one.box_xyxy, reader.media_s)
        for _ in iter(reader.advance, False)
        for one in reader.in_view()
        if one.person == person and one.visible > 0.9
    )
    now = utc_now()
    left, top, right, bottom = (int(value) for value in np.round(box))
    return Alert(
        id=new_id(), seq=seq, deployment="demo", camera="street", captured_at=now - timedelta(seconds=0.5), media_s=at,
        entry=EntryRef(id=f"DEMO-{demo.LISTED}", category="demo", response="amber"), score=0.9, threshold=0.55,
        track=TrackRef(id=1, first_seen=now, frames=3), face_xyxy=(left, top, right, bottom), scene_wh=(640, 360),
        models=ModelRefs(detector="d", embedder="e"),
    )  # fmt: skip


def test_an_alert_is_judged_by_who_stood_there_and_not_by_what_it_says(watcher: demo.Watcher, tmp_path: Path) -> None:
    watcher._judge(alert_on(demo.LISTED, 1), (b"scene", b"face", b"photo"))
    watcher._judge(alert_on(demo.NOT_LISTED, 2), (b"scene", b"face", b"photo"))
    assert (watcher.verdict.mated, watcher.verdict.false) == (1, 1)
    assert [who for _, who in watcher.alerts] == [demo.LISTED, demo.NOT_LISTED]
    assert min(watcher.verdict.latencies_s) >= 0.5
    assert (tmp_path / "alerts" / "001-face.jpg").read_bytes() == b"face"
    assert len(list((tmp_path / "alerts").iterdir())) == 6


def test_a_stream_on_which_nothing_comes_gives_nothing(watcher: demo.Watcher) -> None:
    assert watcher.look(0.1) is False
    assert (watcher.status, watcher.alerts) == (None, [])


@pytest.mark.parametrize(
    ("verdict", "success"),
    [
        (demo.Verdict(mated=1, people_seen=2), True),
        (demo.Verdict(mated=1, false=1, people_seen=2), False),
        (demo.Verdict(mated=0, people_seen=2), False),
        (demo.Verdict(mated=1, people_seen=1), False),
        (demo.Verdict(mated=1, people_seen=2, problem="it ended early"), False),
    ],
    ids=["as it should be", "a false alert", "nobody found", "one person seen", "a problem"],
)
def test_only_the_listed_person_and_nobody_else_is_a_success(verdict: demo.Verdict, success: bool) -> None:
    assert verdict.success is success


def test_a_demo_is_a_deployment_that_loads_and_what_it_must_not_leave_is_destroyed(tmp_path: Path) -> None:
    said: list[str] = []
    prepared = demo.prepare(tmp_path, console=False, said=said.append)
    config = load(prepared.config)
    assert said
    assert (config.console, prepared.console_url) == (None, "")
    assert (config.alerts.publish, config.cameras[0].source) == (prepared.publish, prepared.source)
    assert config.deployment.ends - config.deployment.starts == demo.WINDOW
    assert config.watchlist.file.exists()
    (tmp_path / "run.log").write_text("kept")
    demo.clean(prepared)
    assert companions(config.watchlist.file) == []
    assert not config.watchlist.key.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"lfr.yaml", "run.log"}


def test_a_folder_with_something_in_it_is_not_used(tmp_path: Path) -> None:
    assert demo.require_folder(tmp_path / "new").is_dir()
    (tmp_path / "new" / "file").touch()
    with pytest.raises(LfrError, match="is not empty"):
        demo.require_folder(tmp_path / "new")


def test_latencies_in_words() -> None:
    assert demo.latency_text([]) == "–"
    assert demo.latency_text([0.1, 0.2, 0.9]) == "200 ms (median), 900 ms (longest)"
