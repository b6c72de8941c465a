"""A camera keeps each alert until the hub has it, never waits for the hub, and says what was lost."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from alerts_material import alert, picture, pictures, running, settings, short_folder, sighting
from waiting import until

from appliance.alerts.journal import Journal
from appliance.alerts.messages import PreviewHeader
from appliance.core.clock import utc_now
from appliance.core.errors import StreamError
from appliance.core.telemetry import Meter
from appliance.stream.outbox import Outbox


@pytest.fixture
def folder() -> Iterator[Any]:
    with short_folder() as made:
        yield made


@pytest.fixture
def meter() -> Any:
    return Meter()


@pytest.fixture
def outbox(folder: Path, meter: Any) -> Iterator[Any]:
    with Outbox(settings(folder).cameras, "north", meter, resend_s=0.2) as made:
        yield made


def test_pictures_are_overwritten_once_the_hub_has_the_alert(folder: Path, outbox: Any) -> None:
    own = pictures()
    outbox.send_alert(alert(), own)
    assert own[0].startswith(b"\xff\xd8")
    with running(settings(folder)):
        assert outbox.drained(30)
    assert all(set(one) == {0} for one in own)
    with Journal.open_reader(folder / "state") as journal:
        assert journal.stored(1, 1)[0].pictures == tuple(bytes(one) for one in pictures())


def test_without_a_hub_nothing_blocks_and_everything_is_kept(folder: Path, outbox: Any, meter: Any) -> None:
    started = time.monotonic()
    made = [alert() for _ in range(20)]
    for one in made:
        outbox.send_alert(one, pictures())
        outbox.pump()
    outbox.send_sighting(sighting())
    assert not outbox.send_preview(PreviewHeader(camera="north", at=utc_now()), picture())
    assert meter.value("lfr_previews_dropped_total", camera="north") == 1
    assert time.monotonic() - started < 10
    assert outbox.pending == 21
    assert not outbox.drained(0.2)
    with running(settings(folder)):
        assert outbox.drained(30)
    with Journal.open_reader(folder / "state") as journal:
        assert [event.header.id for event in journal.events()][:20] == [one.id for one in made]
    assert outbox.lost == 0


def test_alerts_go_on_through_a_hub_that_was_away(folder: Path, outbox: Any) -> None:
    for _ in range(3):
        with running(settings(folder)):
            outbox.send_alert(alert(), pictures())
            assert outbox.drained(30)
        outbox.send_alert(alert(), pictures())
    with running(settings(folder)):
        assert outbox.drained(30)
    with Journal.open_reader(folder / "state") as journal:
        assert journal.tally().alerts_total == 6


def test_a_full_outbox_gives_up_the_oldest_and_says_so(folder: Path, meter: Any) -> None:
    with Outbox(settings(folder).cameras, "north", meter, capacity=2) as outbox:
        kept = [pictures() for _ in range(3)]
        for own in kept:
            outbox.send_alert(alert(), own)
        assert (outbox.pending, outbox.lost) == (2, 1)
        assert meter.value("lfr_outbox_lost_total", camera="north") == 1
        assert set(kept[0][0]) == {0}


def test_what_is_left_at_the_end_is_wiped_counted_and_said(folder: Path, meter: Any) -> None:
    outbox = Outbox(settings(folder).cameras, "north", meter)
    own = pictures()
    outbox.send_alert(alert(), own)
    outbox.close()
    assert set(own[0]) == {0}
    assert (outbox.lost, outbox.pending) == (1, 0)
    assert meter.value("lfr_outbox_lost_total", camera="north") == 1


def test_an_alert_that_can_never_be_taken_is_refused_before_it_is_kept(outbox: Any) -> None:
    with pytest.raises(StreamError, match="not a JPEG"):
        outbox.send_alert(alert(), [b"GIF89a"] * 3)
    with pytest.raises(StreamError, match="3 pictures"):
        outbox.send_alert(alert(), [picture()])
    assert outbox.pending == 0


def test_a_refusal_for_good_ends_the_trying_and_is_said(folder: Path, outbox: Any, meter: Any) -> None:
    with running(settings(folder)):
        outbox.send_alert(alert(camera="Nowhere!"), pictures())
        assert outbox.drained(30)
    assert outbox.lost == 1
    assert meter.value("lfr_outbox_lost_total", camera="north") == 1


@pytest.mark.parametrize("changes", [{"capacity": 0}, {"resend_s": 0}])
def test_nonsense_is_refused(folder: Path, changes: Any) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Outbox(settings(folder).cameras, "north", Meter(), **changes)


def test_an_answer_that_never_comes_is_asked_for_again_and_a_strange_one_is_harmless(
    folder: Path, outbox: Any, meter: Any
) -> None:
    context = zmq.Context()
    hub = context.socket(zmq.ROUTER)
    hub.setsockopt(zmq.LINGER, 0)
    hub.bind(settings(folder).cameras)
    try:
        made = alert()
        outbox.send_alert(made, pictures())
        until(lambda: (outbox.pump(0.1), hub.poll(0))[1])
        camera, *frames = hub.recv_multipart()
        assert frames[0] == b"alert"
        for strange in (
            [b"ack"],
            [b"ack", b"\xff", b"1"],
            [b"nack", b"", b"what"],
            [b"later", b"unknown", b"no"],
            [b"later", made.id.encode(), b"\xff"],
        ):
            hub.send_multipart([camera, *strange])
        until(lambda: (outbox.pump(0.1), hub.poll(0))[1])
        assert hub.recv_multipart()[1:] == frames
        hub.send_multipart([camera, b"ack", made.id.encode(), b"1"])
        assert outbox.drained(30)
        assert meter.value("lfr_outbox_resent_total", camera="north") >= 1
    finally:
        context.destroy(linger=0)
