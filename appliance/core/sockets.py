"""ZeroMQ sockets: the only place that makes one, so that no option is forgotten at any of them.

It lies in `core` because the heartbeat of every worker needs it as much as the stream does.
"""

from __future__ import annotations

import errno
import os
import socket as plain_socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zmq

from appliance.core.errors import StreamError

MAX_SOCKET_PATH_BYTES = 107
"""A Unix socket's path, without the byte that ends it (unix(7))."""
MAX_FRAMES = 8
"""A message of more frames is refused; the longest allowed one has five."""
RECONNECT_MS, RECONNECT_MAX_MS = 50, 500
HEARTBEAT_EVERY_MS, HEARTBEAT_LOST_MS = 5_000, 15_000
"""A connection over a network whose other end says nothing for so long is given up; a Unix socket's end is known."""

Frames = list[bytes]


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a socket and its other end meet. Keys that prove who is there belong to this value.

    Attributes
    ----------
    endpoint
        `tcp://HOST:PORT` (an IPv6 address in brackets) or `ipc://PATH`.
    """

    endpoint: str

    @property
    def socket_file(self) -> Path | None:
        """The Unix socket's path; None over a network, and for a name that is in the kernel only (`ipc://@…`)."""
        scheme, _, path = self.endpoint.partition("://")
        return Path(path) if scheme == "ipc" and not path.startswith("@") else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a socket holds before it refuses or drops.

    Attributes
    ----------
    outgoing
        Messages that wait to be sent to one peer. Beyond, `send` is False; a PUB socket drops in silence.
    incoming
        Messages of one peer that wait to be taken. Beyond, the peer has to wait.
    max_bytes
        Of one frame: a peer that sends a longer one is cut off. -1: no limit, for what comes from this machine's own
        processes.
    linger_ms
        How long the end waits for what is not yet sent.
    queue_when_away
        Whether messages wait for a peer that is not (yet) there; otherwise `send` is False until it is.
    """

    outgoing: int = 64
    incoming: int = 1024
    max_bytes: int = -1
    linger_ms: int = 0
    queue_when_away: bool = False


def listen(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, peer: Peer, limits: Limits, what: str
) -> zmq.Socket[bytes]:
    """A socket that others connect to; a Unix socket's file is for its owner alone.

    Never at a place that somebody else uses; a socket file that a killed process left is replaced. A ROUTER says when
    a receiver is gone or its way is full (see `send`), instead of dropping.

    Parameters
    ----------
    what
        What it is for, as a user knows it: a key of the configuration.

    Raises
    ------
    StreamError
        The port or file is taken, or cannot be used.
    """
    socket = _make(context, kind, peer, limits)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    umask = os.umask(0o077)
    try:
        if peer.socket_file is not None:
            _check_socket_file(peer.socket_file, what)
        socket.bind(peer.endpoint)
    except zmq.ZMQError as error:
        socket.close()
        if error.errno == errno.EADDRINUSE:
            raise _taken(peer.endpoint, what) from None
        raise StreamError(f"{peer.endpoint} cannot be opened for {what}: {error.strerror}.") from None
    except StreamError:
        socket.close()
        raise
    finally:
        os.umask(umask)
    return socket


def connect(context: zmq.Context[zmq.Socket[bytes]], kind: int, peer: Peer, limits: Limits) -> zmq.Socket[bytes]:
    """A socket that connects to a listening one, now or as soon as it is there; again whenever it was away.

    Raises
    ------
    StreamError
        The endpoint is not an address.
    """
    socket = _make(context, kind, peer, limits)
    socket.setsockopt(zmq.IMMEDIATE, int(not limits.queue_when_away))
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    try:
        socket.connect(peer.endpoint)
    except zmq.ZMQError as error:
        socket.close()
        raise StreamError(f"{peer.endpoint} is not an address: {error.strerror}.") from None
    return socket


def receive(socket: zmq.Socket[bytes], max_frames: int = MAX_FRAMES + 1) -> Frames | None:
    """One waiting message without blocking; None when none waits. Frames beyond `max_frames` are let go at once.

    With the identity that a ROUTER puts first, a message of too many frames comes back `max_frames` + 1 long.
    """
    try:
        frames = [socket.recv(zmq.NOBLOCK)]
    except zmq.Again:
        return None
    while socket.getsockopt(zmq.RCVMORE):
        frame = socket.recv()
        if len(frames) <= max_frames:
            frames.append(frame)
    return frames


def send(socket: zmq.Socket[bytes], frames: Sequence[bytes | bytearray]) -> bool | None:
    """Send without blocking: True when it left, False when the way is full, None when the receiver is gone."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno != errno.EHOSTUNREACH:
            raise
        return None
    return True


def _make(context: zmq.Context[zmq.Socket[bytes]], kind: int, peer: Peer, limits: Limits) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.LINGER, limits.linger_ms)
    socket.setsockopt(zmq.SNDHWM, limits.outgoing)
    socket.setsockopt(zmq.RCVHWM, limits.incoming)
    socket.setsockopt(zmq.MAXMSGSIZE, limits.max_bytes)
    if peer.endpoint.startswith("tcp://"):
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_EVERY_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_LOST_MS)
    return socket


def _check_socket_file(path: Path, what: str) -> None:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise StreamError(
            f"The socket's path {path} is too long.", f"Choose one of at most {MAX_SOCKET_PATH_BYTES} bytes."
        )
    if not path.exists():
        return
    if not path.is_socket():
        raise StreamError(f"{path} is in the way of the socket for {what}.", "Remove it or choose another path.")
    with plain_socket.socket(plain_socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return  # nobody listens: left by a process that was killed
        except OSError as error:
            raise StreamError(f"The socket {path} cannot be used for {what}: {error.strerror}.") from None
    raise _taken(f"ipc://{path}", what)


def _taken(endpoint: str, what: str) -> StreamError:
    return StreamError(
        f"{endpoint} ({what}) is taken by another process.", "Is an lfr run going on already? Else change the address."
    )
