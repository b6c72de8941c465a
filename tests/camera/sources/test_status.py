"""How a source is, as others see it: state, drops, rate, and never a password."""

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from appliance.camera.sources import status as module
from appliance.camera.sources.status import SourceStatus
from appliance.core.types import Frame

SHAPE = (4, 6, 3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A monotonic clock that stands still until it is set."""

    class Clock:
        now_s = 100.0

        def monotonic(self) -> float:
            return self.now_s

    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_a_source_begins_with_nothing_known() -> None:
    status = SourceStatus(buffers=2, finite=True)
    assert (status.state, status.detail, status.finite) == ("starting", "", True)
    assert (status.dropped, status.frames, status.reconnects, status.buffers_held) == ({}, 0, 0, 0)
    assert (status.fps, status.last_frame_age_s, status.resolution_wh) == (0.0, None, None)


def test_the_rate_is_measured_over_the_last_seconds_only(clock: Any) -> None:
    status = SourceStatus(2, True)
    for at_s in (90.0, 99.0, 99.25, 99.5, 99.75):
        status._count_frame(at_s, (6, 4))
    assert status.fps == 4.0
    assert status.last_frame_age_s == 0.25
    clock.now_s = 110.0
    assert status.fps == 0.0
    assert status.last_frame_age_s == 10.25
    assert (status.frames, status.resolution_wh) == (5, (6, 4))


@pytest.mark.parametrize("stamps", [[99.0], [99.0, 99.0]])
def test_one_moment_gives_no_rate(clock: Any, stamps: list[float]) -> None:
    status = SourceStatus(2, True)
    for at_s in stamps:
        status._count_frame(at_s, (6, 4))
    assert status.fps == 0.0


def test_since_is_the_moment_of_the_last_change_not_of_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    status, moments = SourceStatus(2, True), iter([datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (12, 13)])
    monkeypatch.setattr(module, "utc_now", lambda: next(moments))
    status._set_state("reconnecting", "gone")
    began = status.since
    status._set_state("reconnecting", "still gone")
    assert (status.since, status.detail) == (began, "still gone")
    status._set_state("live")
    assert status.since > began
    assert status.detail == ""


def test_no_password_reaches_the_detail() -> None:
    status = SourceStatus(2, False)
    status._set_state("reconnecting", "rtsp://van:s3cret@cam/1 sends nothing.")
    assert "s3cret" not in status.detail
    assert "cam/1" in status.detail


def test_drops_are_counted_by_reason_and_a_readers_counts_are_absolute() -> None:
    status = SourceStatus(2, True)
    status._count_dropped("superseded")
    status._count_dropped("superseded", 2)
    status._set_dropped({"unreadable": 4})
    status._set_dropped({"unreadable": 5})
    status._set_dropped({})
    assert status.dropped == {"superseded": 3, "unreadable": 5}
    status.dropped["superseded"] = 0
    assert status.dropped["superseded"] == 3, "what was given is a copy"


def test_releasing_wipes_the_frame() -> None:
    status = SourceStatus(1, True)
    image = status._pool.take(SHAPE)
    assert image is not None
    image.fill(9)
    assert status.buffers_held == 1
    status.release(Frame(image, 0, datetime(2026, 11, 21, tzinfo=UTC), time.monotonic()))
    assert status.buffers_held == 0
    assert not np.any(image)
