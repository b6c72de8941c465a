"""What cannot be measured here is said before anything is started."""

from __future__ import annotations

import importlib.util
import io
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from appliance.alerts.messages import Alert
from appliance.core.errors import LfrError
from appliance.lab.bench import console
from appliance.stream.outbox import Outbox


def test_a_browser_that_is_not_there_is_named_with_its_remedy(tmp_path: Path) -> None:
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed, which would be said first")
    lacks = console.missing(str(tmp_path / "chromium"))
    assert lacks is not None
    assert (lacks.problem, lacks.remedy) == (f"{tmp_path / 'chromium'} is missing.", "apt install chromium")
    with pytest.raises(LfrError, match="is missing"):
        console.measure(chromium=str(tmp_path / "chromium"))


def test_playwright_that_is_not_there_is_said_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    lacks = console.missing(str(tmp_path / "chromium"))
    assert lacks is not None
    assert "playwright" in str(lacks)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_share_of_ordered_waits(share: float, value: float) -> None:
    assert console._share([1.0, 2.0, 3.0, 4.0], share) == value


def test_of_no_waits_there_is_no_share() -> None:
    assert console._share([], 0.5) != console._share([], 0.5), "not a number"


def test_a_made_up_picture_has_its_size_and_is_the_same_each_time() -> None:
    picture = console._picture((160, 90), 1)
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (90, 160, 3)
    assert console._picture((160, 90), 1) == picture != console._picture((160, 90), 2)


class Sent:
    """An outbox: takes alerts, and is rid of them only when it is pumped."""

    def __init__(self, lost: bool = False) -> None:
        self.alerts: list[Alert] = []
        self.pending = self.most = 0
        self.lost = lost

    def send_alert(self, alert: Alert, pictures: list[bytes]) -> None:
        assert pictures == [b"a", b"b", b"c"]
        self.alerts.append(alert)
        self.pending += 1
        self.most = max(self.most, self.pending)

    def pump(self, _timeout_s: float) -> None:
        self.pending = 0

    def drained(self, _timeout_s: float) -> bool:
        return not self.lost


def test_alerts_are_numbered_on_and_no_more_than_a_hundred_wait() -> None:
    outbox = Sent()
    console._send(cast("Outbox", outbox), 250, [b"a", b"b", b"c"], 0, 7)
    assert [alert.track.id for alert in outbox.alerts] == list(range(7, 257))
    assert len({alert.id for alert in outbox.alerts}) == 250
    assert outbox.most == 101


def test_alerts_that_the_hub_did_not_take_end_in_a_sentence() -> None:
    with pytest.raises(LfrError, match="did not take every alert"):
        console._send(cast("Outbox", Sent(lost=True)), 1, [b"a", b"b", b"c"], 0, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which somebody looked; each sleep is a moment long and takes no time."""
    now = [0.0]
    made = SimpleNamespace(monotonic=lambda: now[-1], sleep=lambda seconds: now.append(now[-1] + seconds))
    monkeypatch.setattr(console, "time", made)
    return now


def test_a_console_that_opens_late_is_waited_for(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        if len(asked) < 4:
            raise ConnectionRefusedError
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    console._wait_for("http://127.0.0.1:1/")
    assert asked == ["http://127.0.0.1:1/signin"] * 4


def test_a_console_that_never_opens_is_given_up_after_half_a_minute(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(_url: str, timeout: float) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(LfrError, match="did not open within 30 seconds"):
        console._wait_for("http://127.0.0.1:1/")
    assert clock[-1] == pytest.approx(30, abs=0.1)
