"""Sockets are made in one place: bounded, for their owner alone, and never waiting for who is away."""

import re
import socket as plain_socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from alerts_material import short_folder

import appliance
from appliance.core.errors import StreamError
from appliance.core.sockets import MAX_FRAMES, MAX_SOCKET_PATH_BYTES, Limits, Peer, connect, listen, receive, send

PATIENCE_MS = 30_000


class Ends:
    """Makes sockets of one context, and closes them in the end."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.made: list[zmq.Socket[bytes]] = []

    def router(self, peer: Peer, limits: Limits | None = None) -> zmq.Socket[bytes]:
        self.made.append(listen(self.context, zmq.ROUTER, peer, limits or Limits(), "the test"))
        return self.made[-1]

    def dealer(self, peer: Peer, limits: Limits | None = None) -> zmq.Socket[bytes]:
        self.made.append(connect(self.context, zmq.DEALER, peer, limits or Limits()))
        return self.made[-1]


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.context.destroy(linger=0)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with short_folder() as folder:
        yield Peer(f"ipc://{folder}/socket")


def sent(socket: zmq.Socket[bytes], *frames: bytes) -> None:
    """Send as soon as the other end is there."""
    assert socket.poll(PATIENCE_MS, zmq.POLLOUT)
    assert send(socket, frames)


def bound(socket: zmq.Socket[bytes]) -> Peer:
    """Where a socket listens that was given `*` for a port: one that is only looked up may be taken by then."""
    return Peer(str(socket.getsockopt_string(zmq.LAST_ENDPOINT)))


def test_nobody_else_makes_a_socket() -> None:
    root = Path(appliance.__file__).parent
    makes = re.compile(r"\.socket\(zmq\.|setsockopt\(zmq\.(?!SUBSCRIBE)|\.(bind|connect)\((f?\"(ipc|tcp):|endpoint)")
    found = [path.name for path in root.rglob("*.py") if makes.search(path.read_text()) and path.name != "sockets.py"]
    assert not [name for name in found if name != "hub.py"]


class TestListening:
    def test_the_file_of_a_socket_is_for_its_owner_alone(self, ends: Ends, peer: Peer) -> None:
        ends.router(peer)
        assert peer.socket_file is not None
        assert stat.S_IMODE(peer.socket_file.stat().st_mode) == 0o700

    def test_what_is_in_use_is_left_alone_and_said(self, ends: Ends, peer: Peer) -> None:
        ends.router(peer)
        with pytest.raises(StreamError, match=r"\(the test\) is taken by another process"):
            ends.router(peer)
        port = bound(ends.router(Peer("tcp://127.0.0.1:*")))
        with pytest.raises(StreamError, match="taken by another process"):
            ends.router(port)

    def test_a_file_that_a_killed_process_left_is_replaced_and_any_other_is_not(self, ends: Ends, peer: Peer) -> None:
        assert peer.socket_file is not None
        with plain_socket.socket(plain_socket.AF_UNIX) as left:
            left.bind(str(peer.socket_file))
        made = ends.router(peer)
        sent(ends.dealer(peer), b"hello")
        assert made.poll(PATIENCE_MS)
        other = peer.socket_file.with_name("file")
        other.write_text("somebody's")
        with pytest.raises(StreamError, match="in the way"):
            ends.router(Peer(f"ipc://{other}"))
        assert other.read_text() == "somebody's"

    def test_an_address_that_is_not_of_this_machine_or_too_long_is_said(self, ends: Ends, peer: Peer) -> None:
        with pytest.raises(StreamError, match=r"tcp://192\.0\.2\.1:5556 cannot be opened for the test"):
            ends.router(Peer("tcp://192.0.2.1:5556"))
        with pytest.raises(StreamError, match=f"at most {MAX_SOCKET_PATH_BYTES} bytes"):
            ends.router(Peer("ipc:///tmp/" + "x" * MAX_SOCKET_PATH_BYTES))

    @pytest.mark.skipif(not plain_socket.has_ipv6, reason="this machine has no IPv6")
    def test_an_ipv6_address_works(self, ends: Ends) -> None:
        try:
            made = ends.router(Peer("tcp://[::1]:*"))
        except StreamError:
            pytest.skip("this machine has no IPv6 loopback")
        sent(ends.dealer(bound(made)), b"hello")
        assert made.poll(PATIENCE_MS)


class TestConnecting:
    def test_nothing_queues_for_a_peer_that_is_away_unless_that_is_wanted(self, ends: Ends, peer: Peer) -> None:
        assert send(ends.dealer(peer), [b"alert"]) is False
        assert send(ends.dealer(peer, Limits(queue_when_away=True)), [b"beat"])
        made = ends.router(peer)
        assert made.poll(PATIENCE_MS)
        frames = receive(made)
        assert frames is not None
        assert frames[1:] == [b"beat"]

    def test_no_address_is_said(self, ends: Ends) -> None:
        with pytest.raises(StreamError, match="nowhere is not an address"):
            ends.dealer(Peer("nowhere"))

    def test_a_full_way_is_false_and_a_receiver_that_is_gone_is_none(self, ends: Ends, peer: Peer) -> None:
        made = ends.router(peer, Limits(outgoing=2))
        asking = ends.dealer(peer, Limits(incoming=1))
        sent(asking, b"hello")
        assert made.poll(PATIENCE_MS)
        frames = receive(made)
        assert frames is not None
        answers = [send(made, [frames[0], b"x" * 100_000]) for _ in range(200)]
        assert answers[0] is True
        assert answers[-1] is False
        assert send(made, [b"nobody", b"x"]) is None

    def test_a_frame_that_is_too_long_cuts_its_sender_off(self, ends: Ends, peer: Peer) -> None:
        made = ends.router(peer, Limits(max_bytes=1000))
        sent(ends.dealer(peer), b"x" * 1001)
        assert not made.poll(300)
        sent(ends.dealer(peer), b"x" * 1000)
        assert made.poll(PATIENCE_MS)
        frames = receive(made)
        assert frames is not None
        assert frames[1:] == [b"x" * 1000], "the long one was not only late"


class TestReceiving:
    def test_nothing_waiting_is_none(self, ends: Ends, peer: Peer) -> None:
        assert receive(ends.router(peer)) is None

    def test_frames_beyond_the_limit_are_let_go(self, ends: Ends, peer: Peer) -> None:
        made, asking = ends.router(peer), ends.dealer(peer)
        sent(asking, *[b"frame"] * 50)
        sent(asking, b"next")
        assert made.poll(PATIENCE_MS)
        frames = receive(made)
        assert frames is not None
        assert len(frames) == MAX_FRAMES + 2
        assert made.poll(PATIENCE_MS)
        frames = receive(made)
        assert frames is not None
        assert frames[1:] == [b"next"]


@pytest.mark.parametrize(
    ("endpoint", "file"), [("ipc:///a/b", Path("/a/b")), ("ipc://@name", None), ("tcp://127.0.0.1:1", None)]
)
def test_a_peer_knows_its_file(endpoint: str, file: Path | None) -> None:
    assert Peer(endpoint).socket_file == file
