"""A worker's line to its supervisor: says how it is, hears what is wanted, waits for nobody."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from alerts_material import short_folder
from present import present

from appliance.core import heartbeat
from appliance.core.heartbeat import Heartbeat, HeartbeatSender, Instructions


@pytest.fixture
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


class Ear:
    """The supervisor's end."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.last = b""

    def hear(self, timeout_ms: int = 30_000) -> Heartbeat | None:
        if not self.socket.poll(timeout_ms):
            return None
        self.last, verb, body = self.socket.recv_multipart()
        assert verb == b"beat"
        return Heartbeat.model_validate_json(body)

    def tell(self, verb: bytes, wanted: Instructions) -> None:
        self.socket.send_multipart([self.last, verb, wanted.model_dump_json().encode()])


@pytest.fixture
def supervisor(runtime: Path) -> Iterator[Ear]:
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(f"ipc://{runtime}/supervisor")
    yield Ear(socket)
    context.destroy(linger=0)


@pytest.fixture
def sender(runtime: Path) -> Iterator[HeartbeatSender]:
    made = HeartbeatSender(runtime, "camera/north")
    yield made
    made.close()


def test_a_beat_tells_state_facts_and_counters(supervisor: Ear, sender: HeartbeatSender) -> None:
    sender.meter.count("lfr_frames_total", 3, camera="north")
    sender.beat("live", detail="all is well", fps=25.0)
    beat = supervisor.hear()
    assert beat is not None
    assert (beat.process, beat.state, beat.detail, beat.fps) == ("camera/north", "live", "all is well", 25.0)
    assert [(sample.name, sample.value) for sample in beat.samples] == [("lfr_frames_total", 3)]
    assert beat.since_utc.endswith("Z")


def test_a_beat_is_sent_when_it_is_due_when_the_state_changes_and_when_asked(
    supervisor: Ear, sender: HeartbeatSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_EVERY_S", 3600.0)
    sender.beat("live")
    sender.beat("live")
    sender.beat("reconnecting")
    sender.beat("reconnecting", now=True)
    states = [present(supervisor.hear()) for _ in range(3)]
    assert supervisor.hear(300) is None, "no fourth"
    assert [beat.state for beat in states] == ["live", "reconnecting", "reconnecting"]
    assert len({beat.incarnation for beat in states}) == 1
    assert states[1].since_utc == states[2].since_utc


def test_every_start_of_a_worker_is_another_incarnation(supervisor: Ear, runtime: Path) -> None:
    seen = set()
    for _ in range(2):
        made = HeartbeatSender(runtime, "hub")
        made.beat("ready")
        beat = supervisor.hear()
        assert beat is not None
        seen.add(beat.incarnation)
        made.close()
    assert len(seen) == 2


def test_the_newest_instructions_are_taken_and_what_is_none_is_passed_over(
    supervisor: Ear, sender: HeartbeatSender
) -> None:
    sender.beat("live")
    assert supervisor.hear() is not None
    for verb, wanted in (
        (b"instructions", Instructions(watchlist="old")),
        (b"gossip", Instructions(stop=True)),
        (b"instructions", Instructions(watchlist="new", watchlist_min_sequence=7)),
    ):
        supervisor.tell(verb, wanted)
    until_s = time.monotonic() + 30
    while sender.instructions.watchlist != "new" and time.monotonic() < until_s:
        sender.beat("live")
    assert sender.instructions == Instructions(watchlist="new", watchlist_min_sequence=7)


def test_a_supervisor_that_is_absent_or_takes_nothing_holds_up_nobody(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "LAST_WORD_MS", 0)
    made = HeartbeatSender(runtime, "hub")

    def work() -> None:
        for _ in range(200):
            made.beat("ready", now=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    made.close()


def test_without_a_supervisor_beats_go_nowhere() -> None:
    made = HeartbeatSender(None, "console")
    made.beat("ready", now=True)
    assert made.instructions == Instructions()
    made.close()
