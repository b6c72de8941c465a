"""The demo judges itself by the street's truth, and leaves nothing that a deployment must not leave."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alerts_material import alert

from appliance.alerts.event import Event
from appliance.alerts.messages import CameraState, Status
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.lab import demo
from appliance.lab.demo import LISTED, NOT_LISTED, Verdict


class Clock:
    """Time that passes only while somebody waits for the stream."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


class Stream:
    """Stands in for the subscription: gives what it was handed, then nothing."""

    clock = Clock()

    def __init__(self, *_: Any) -> None:
        self.items: list[Any] = []
        self.closed = False

    def start(self) -> "Stream":
        return self

    def get(self, timeout_s: float) -> Any:
        if self.items:
            return self.items.pop(0)
        self.clock.now_s += timeout_s
        return None

    def close(self) -> None:
        self.closed = True


class Truth:
    """Stands in for the street: the alert's media time says who it was."""

    def __init__(self, _source: str) -> None:
        pass

    def who(self, media_s: float, *_: Any) -> str | None:
        return {1.0: LISTED, 2.0: NOT_LISTED}.get(media_s)


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> demo.Watcher:
    monkeypatch.setattr(demo, "time", Stream.clock)
    monkeypatch.setattr(demo, "Subscriber", Stream)
    monkeypatch.setattr(demo, "GroundTruth", Truth)
    prepared = demo.Demo(tmp_path, tmp_path / "lfr.yaml", "", "token", "tcp://p", "tcp://r", "street:")
    return demo.Watcher(prepared)


def items_of(watcher: demo.Watcher) -> list[Any]:
    stream: Any = watcher._stream
    found: list[Any] = stream.items
    return found


def came(seq: int, media_s: float) -> Event:
    header = alert(at=utc_now() - timedelta(seconds=1), seq=seq, media_s=media_s)
    return Event("alert", header, pictures=(b"scene", b"face", b"photo"))


def status(people: int, state: str) -> Status:
    camera = CameraState.model_validate({"name": "street", "state": state, "since": utc_now()})
    return Status(at=utc_now(), people_seen=people, cameras=[camera])


def running(ends: bool = False) -> Any:
    return SimpleNamespace(running=not ends)


@pytest.mark.parametrize(
    ("verdict", "success"),
    [
        (Verdict(mated=1, people_seen=2), True),
        (Verdict(mated=1, people_seen=1), False),
        (Verdict(mated=0, people_seen=9), False),
        (Verdict(mated=3, false=1, people_seen=9), False),
        (Verdict(mated=3, people_seen=9, problem="It ended."), False),
    ],
)
def test_it_succeeds_only_if_the_listed_person_and_nobody_else_was_alerted(verdict: Verdict, success: bool) -> None:
    assert verdict.success == success


def test_alerts_are_judged_by_the_truth_and_their_pictures_are_kept(watcher: demo.Watcher, tmp_path: Path) -> None:
    items_of(watcher).extend([came(1, 1.0), came(2, 2.0), came(3, 9.0)])
    assert watcher.look(0.05)
    assert (watcher.verdict.mated, watcher.verdict.false) == (1, 2)
    assert [one.who for one in watcher.alerts] == [LISTED, NOT_LISTED, "nobody"]
    assert all(1 <= one.latency_s < 30 for one in watcher.alerts)
    assert (tmp_path / "alerts" / "001-scene.jpg").read_bytes() == b"scene"
    assert not watcher.look(0.01)


def test_waiting_ends_when_a_camera_is_live_or_somebody_stops(watcher: demo.Watcher) -> None:
    items_of(watcher).extend([status(0, "starting"), status(0, "live")])
    demo.wait_until_live(watcher, running(), lambda: False)
    watcher.status = None
    demo.wait_until_live(watcher, running(ends=True), lambda: True)


def test_an_appliance_that_does_not_start_is_said(watcher: demo.Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LfrError, match="did not start"):
        demo.wait_until_live(watcher, running(ends=True), lambda: False)
    monkeypatch.setattr(demo, "START_TIMEOUT_S", 0.0)
    with pytest.raises(LfrError, match="was not ready within 0 s"):
        demo.wait_until_live(watcher, running(), lambda: False)


def test_each_alert_is_told_once(watcher: demo.Watcher) -> None:
    items_of(watcher).append(came(1, 1.0))
    turns = demo.follow(watcher, running(), None, lambda: len(watcher.alerts) == 2)
    assert [one.alert.seq for one in next(turns)] == [1]
    items_of(watcher).append(came(2, 2.0))
    assert [one.alert.seq for fresh in turns for one in fresh] == [2]
    assert watcher.verdict.problem == ""


def test_it_ends_when_the_time_is_over(watcher: demo.Watcher) -> None:
    assert [one for fresh in demo.follow(watcher, running(), 0.01, lambda: False) for one in fresh] == []
    assert watcher.verdict.problem == ""


def test_an_appliance_that_ends_by_itself_is_a_problem_and_one_that_is_stopped_is_none(watcher: demo.Watcher) -> None:
    assert list(demo.follow(watcher, running(ends=True), None, lambda: True)) == []
    assert watcher.verdict.problem == ""
    assert list(demo.follow(watcher, running(ends=True), None, lambda: False)) == []
    assert "ended by itself" in watcher.verdict.problem


def test_afterwards_keys_list_and_journal_are_gone_also_when_something_went_wrong(
    watcher: demo.Watcher, tmp_path: Path
) -> None:
    for name in ("keys/seal.key", "state/journal.db", "list.lfrw", "list.lfrw.cache", "alerts/001-face.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(RuntimeError), demo.running(watcher.demo) as (_, appliance):  # its configuration is missing
        raise RuntimeError
    assert not appliance.running
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alerts", "run.log"]


def test_a_folder_that_holds_something_is_not_used(tmp_path: Path) -> None:
    assert demo.require_folder(tmp_path / "new").is_dir()
    (tmp_path / "new" / "mine").touch()
    with pytest.raises(LfrError, match="is not empty"):
        demo.require_folder(tmp_path / "new")


def test_latencies_in_words() -> None:
    assert demo.latency_text([]) == "–"
    assert demo.latency_text([0.1, 0.2, 0.9]) == "200 ms (median), 900 ms (longest)"
