"""Replays are sent in slices, so that neither a long one nor a reader that takes nothing holds up anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from alerts_material import alert, pictures

from appliance.alerts.journal import Journal
from appliance.core.errors import JournalError
from appliance.core.telemetry import Meter
from appliance.stream import replays as module
from appliance.stream.replays import STREAMS_OF_A_CLIENT, Replays
from appliance.stream.wire import End, MessageRefused, Refusal, ReplayRequest

Sent = list[list[bytes]]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "state") as made:
        for _ in range(20):
            made.append_alert(alert(), pictures())
        yield made


class Ways:
    """Stands in for `send`: keeps what was sent, except on ways that are full (False) or gone (None)."""

    def __init__(self) -> None:
        self.sent: Sent = []
        self.state: dict[bytes, bool | None] = {}

    def __call__(self, _: object, frames: list[bytes]) -> bool | None:
        state = self.state.get(frames[0], True)
        if state:
            self.sent.append(frames)
        return state


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    made = Ways()
    monkeypatch.setattr(module, "send", made)
    return made


@pytest.fixture
def replays(journal: Journal) -> Iterator[Replays]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    yield Replays(socket, journal, Meter())
    socket.close()
    context.term()


def test_a_long_replay_lets_others_in_between(replays: Replays, ways: Ways) -> None:
    replays.add(b"one", b"1", ReplayRequest(from_seq=1))
    replays.step()
    first = len(ways.sent)
    assert 0 < first < 20
    replays.add(b"two", b"2", ReplayRequest(from_seq=20))
    replays.step()
    assert b"two" in {frames[0] for frames in ways.sent}
    while len(replays):
        replays.step()
    end = End.model_validate_json([frames for frames in ways.sent if frames[0] == b"one"][-1][3])
    assert (end.newest, end.next) == (20, 21)
    assert [frames[1] for frames in ways.sent if frames[0] == b"one"] == [b"event"] * 20 + [b"end"]


def test_the_end_says_where_to_go_on(replays: Replays, ways: Ways) -> None:
    replays.add(b"one", b"1", ReplayRequest(from_seq=3, limit=4, pictures=False))
    while len(replays):
        replays.step()
    assert [len(frames) for frames in ways.sent[:-1]] == [5] * 4, "without pictures"
    assert End.model_validate_json(ways.sent[-1][3]).next == 7


def test_beyond_the_newest_there_is_only_the_end(replays: Replays, ways: Ways) -> None:
    replays.add(b"one", b"1", ReplayRequest(from_seq=99))
    replays.step()
    assert [frames[1] for frames in ways.sent] == [b"end"]
    assert not len(replays)


def test_a_reader_that_takes_nothing_is_waited_for_and_then_given_up(
    replays: Replays, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways.state[b"slow"] = False
    replays.add(b"slow", b"1", ReplayRequest(from_seq=1))
    replays.step()
    assert (len(replays), replays.blocked) == (1, True)
    ways.state[b"slow"] = True
    replays.step()
    assert not replays.blocked
    ways.state[b"slow"] = False
    monkeypatch.setattr(module, "_STUCK_S", -1.0)
    replays.step()
    assert len(replays) == 0
    assert replays._meter.value("lfr_hub_readers_given_up_total", reason="stuck") == 1


def test_a_reader_that_is_gone_is_given_up_at_once(replays: Replays, ways: Ways) -> None:
    ways.state[b"gone"] = None
    replays.add(b"gone", b"1", ReplayRequest(from_seq=1))
    replays.step()
    assert len(replays) == 0
    assert replays._meter.value("lfr_hub_readers_given_up_total", reason="gone") == 1


def test_one_reader_has_so_many_at_a_time_and_another_is_not_held_up_by_it(replays: Replays) -> None:
    for number in range(STREAMS_OF_A_CLIENT):
        replays.add(b"greedy", b"%d" % number, ReplayRequest(from_seq=1))
    with pytest.raises(MessageRefused) as refused:
        replays.add(b"greedy", b"9", ReplayRequest(from_seq=1))
    assert refused.value.code == "unavailable"
    replays.add(b"modest", b"1", ReplayRequest(from_seq=1))


def test_a_journal_that_cannot_be_read_is_said_to_the_reader(
    replays: Replays, ways: Ways, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise JournalError("The disk fails.")

    monkeypatch.setattr(journal, "stored", broken)
    replays.add(b"one", b"1", ReplayRequest(from_seq=1))
    replays.step()
    assert len(replays) == 0
    assert ways.sent[0][:3] == [b"one", b"error", b"1"]
    assert Refusal.model_validate_json(ways.sent[0][3]).code == "unavailable"


def test_nothing_asked_for_is_nothing_to_wait_for(replays: Replays) -> None:
    replays.step()
    assert len(replays) == 0
