"""Heartbeats come in and are answered, nonsense is passed over, and the hub is never waited for."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from alerts_material import short_folder
from present import present

from appliance.alerts.messages import Status
from appliance.core.clock import utc_now
from appliance.core.heartbeat import Heartbeat, HeartbeatSender, Instructions
from appliance.core.sockets import Limits, Peer, connect
from appliance.supervision.channel import SupervisorChannel


@pytest.fixture
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def channel(runtime: Path) -> Iterator[SupervisorChannel]:
    made = SupervisorChannel(runtime)
    yield made
    made.close()


def heard(channel: SupervisorChannel, wanted: Instructions | None = None) -> list[Heartbeat]:
    return list(channel.beats(20_000, lambda _: wanted or Instructions()))


def test_nobody_is_heard_in_silence(channel: SupervisorChannel) -> None:
    assert list(channel.beats(0, lambda _: Instructions())) == []


def test_a_worker_is_heard_and_learns_what_is_wanted(channel: SupervisorChannel, runtime: Path) -> None:
    reporter = HeartbeatSender(runtime, "camera/north")
    try:
        reporter.beat("live", fps=12.5)
        (beat,) = heard(channel, Instructions(watchlist="abc", stop=True))
        assert (beat.process, beat.state, beat.fps) == ("camera/north", "live", 12.5)
        deadline = time.monotonic() + 20
        while not reporter.instructions.stop and time.monotonic() < deadline:
            reporter.beat("live")
        assert (reporter.instructions.watchlist, reporter.instructions.stop) == ("abc", True)
    finally:
        reporter.close()


def test_the_last_word_of_a_process_that_leaves_at_once_arrives(channel: SupervisorChannel, runtime: Path) -> None:
    reporter = HeartbeatSender(runtime, "hub")
    reporter.beat("failed", now=True, detail="The disk is full.")
    reporter.close()
    assert [(beat.state, beat.detail) for beat in heard(channel)] == [("failed", "The disk is full.")]


IN_A_HURRY = """
import os, sys
from pathlib import Path
from appliance.core import heartbeat
heartbeat.LAST_WORD_MS = 60_000
sender = heartbeat.HeartbeatSender(Path(sys.argv[1]), "hub")
sender.beat("failed", detail="The disk is full.")
print("said", flush=True)
sender.close()
os._exit(1)
"""


def test_a_process_does_not_end_before_its_last_word_has_left(runtime: Path) -> None:
    command = [sys.executable, "-c", IN_A_HURRY, str(runtime)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert present(process.stdout).readline() == b"said\n"
        late = SupervisorChannel(runtime)  # as one that was busy when the worker called
        try:
            assert [beat.detail for beat in heard(late)] == ["The disk is full."]
        finally:
            process.kill()
            late.close()


def test_nonsense_is_passed_over(channel: SupervisorChannel, runtime: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    limits = Limits(queue_when_away=True)
    stranger = connect(context, zmq.DEALER, Peer(f"ipc://{runtime}/supervisor"), limits)
    try:
        good = Heartbeat(process="hub", incarnation="a", pid=1, at_monotonic_s=0.0)
        for frames in ([b"beat"], [b"beat", b"{}"], [b"hello", b"you"], [b"x"] * 100):
            stranger.send_multipart(frames)
        stranger.send_multipart([b"beat", good.model_dump_json().encode()])
        deadline = time.monotonic() + 20
        found: list[Heartbeat] = []
        while not found and time.monotonic() < deadline:
            found = heard(channel)
        assert [beat.process for beat in found] == ["hub"]
    finally:
        context.destroy(linger=0)


def test_a_hub_that_is_away_is_not_waited_for(channel: SupervisorChannel) -> None:
    status = Status(at=utc_now())
    told = [channel.tell_hub(status) for _ in range(20)]
    assert told[0]
    assert not told[-1]
