"""What may travel on the stream's sockets: limits, requests and refusals, and how frames are taken and checked."""

from __future__ import annotations

import errno
import os
import re
import socket as plain_socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import zmq
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from appliance.alerts.messages import MAX_HEADER_BYTES, MAX_PICTURE_BYTES, Decision, new_id
from appliance.core.errors import StreamError

MAX_FRAMES = 8
"""A message of more frames is refused; the longest allowed one has five."""
REPLAY_LIMIT = 500
"""Most events that one replay request may ask for."""
MAX_REQUEST_BYTES = 65_536
MAX_SOCKET_BYTES = 107
"""A Unix socket's path, without the byte that ends it (unix(7))."""

RefusalCode = Literal["unknown_alert", "conflict", "bad_request", "too_large", "unavailable"]
Frames = list[bytes]

_CAMERA = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_M = TypeVar("_M", bound=BaseModel)


class ReplayRequest(BaseModel):
    """`replay`: events from a sequence number on."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    from_seq: int = Field(1, alias="from", ge=0, le=1 << 62, description="the first sequence number that is wanted")
    limit: int = Field(REPLAY_LIMIT, ge=1, le=REPLAY_LIMIT, description="most events in this answer")
    pictures: bool = Field(True, description="whether the alerts' pictures come along")


class FetchRequest(BaseModel):
    """`fetch`: one alert with its pictures."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=64, description="the alert's id")


class ActRequest(BaseModel):
    """`record`: an act of a reader that is no decision (a view, an export, a sign-in), as `audit.acts` knows it."""

    model_config = ConfigDict(extra="ignore")

    act: str = Field(min_length=1, max_length=64, description="what was done: `view.alert`, `user.signin`, …")
    by: str = Field(min_length=1, max_length=64, description="who did it")
    details: dict[str, JsonValue] = Field(default_factory=dict, description="what belongs to it; ids, never pictures")


class End(BaseModel):
    """The last frame of a replay: `next` is where to ask from; above `newest` when nothing is left to ask for."""

    model_config = ConfigDict(extra="ignore")

    epoch: str = Field(description="names the journal; another one means: start again from 1")
    newest: int = Field(description="the newest sequence number of the journal")
    next: int = Field(description="where to ask from; above `newest`: you have everything")


class Refusal(BaseModel):
    """The body of an `error`."""

    model_config = ConfigDict(extra="ignore")

    code: RefusalCode = Field(description="what kind of refusal; see below")
    message: str = Field(description="one plain sentence, to be shown as it is")
    standing: Decision | None = Field(None, description="with `conflict`: the decision that stands")


class MessageRefused(StreamError):
    """A message that is not taken, and why."""

    def __init__(self, problem: str, code: RefusalCode = "bad_request", standing: Decision | None = None) -> None:
        super().__init__(problem)
        self.code: RefusalCode = code
        self.standing = standing


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


def parse(model: type[_M], body: bytes, limit_bytes: int = MAX_HEADER_BYTES) -> _M:
    """The checked JSON of one frame.

    Raises
    ------
    MessageRefused
        Too long, not JSON, or not of the model's form; the message names the fields.
    """
    if len(body) > limit_bytes:
        raise MessageRefused(f"The JSON has {len(body)} bytes; {limit_bytes} are allowed.", "too_large")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'the JSON'}: {item['msg']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:4]
        )
        raise MessageRefused(f"Malformed: {wrong}") from None


def check_pictures(pictures: Sequence[bytes | bytearray], expected: int) -> None:
    """Refuse (`MessageRefused`) another number of pictures, an oversized one, and one that is no JPEG."""
    if len(pictures) != expected:
        raise MessageRefused(f"{expected} pictures belong to this message, not {len(pictures)}.")
    for picture in pictures:
        if len(picture) > MAX_PICTURE_BYTES:
            raise MessageRefused(f"A picture has {len(picture)} bytes; {MAX_PICTURE_BYTES} are allowed.", "too_large")
        if bytes(picture[:3]) != b"\xff\xd8\xff":
            raise MessageRefused("A picture is not a JPEG.")


def check_camera(name: str) -> None:
    """Refuse (`MessageRefused`) a camera name that cannot be part of a topic."""
    if not _CAMERA.fullmatch(name):
        raise MessageRefused("The camera's name must be lower-case letters, digits, - and _.")


def bind(socket: zmq.Socket[bytes], endpoint: str, what: str) -> None:
    """Bind, but never to a place that somebody else uses; a socket file that a killed process left is replaced.

    Raises
    ------
    StreamError
        The port or file is taken, or cannot be used.
    """
    if endpoint.startswith("ipc://"):
        _check_socket_file(Path(endpoint.removeprefix("ipc://")), what)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            raise _taken(endpoint, what) from None
        raise StreamError(f"The hub cannot open {endpoint} for {what}: {error.strerror}.") from None


def _check_socket_file(path: Path, what: str) -> None:
    if len(os.fsencode(path)) > MAX_SOCKET_BYTES:
        raise StreamError(f"The socket's path {path} is too long.", f"Choose one of at most {MAX_SOCKET_BYTES} bytes.")
    if not path.exists():
        return
    if not path.is_socket():
        raise StreamError(f"{path} is in the way of the hub's socket for {what}.", "Remove it or choose another path.")
    with plain_socket.socket(plain_socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return  # nobody listens: left by a process that was killed
        except OSError as error:
            raise StreamError(f"The hub cannot use the socket {path} for {what}: {error.strerror}.") from None
    raise _taken(f"ipc://{path}", what)


def _taken(endpoint: str, what: str) -> StreamError:
    return StreamError(
        f"{endpoint} ({what}) is taken by another process.", "Is an lfr run going on already? Else change the address."
    )


def options(socket: zmq.Socket[bytes], **values: int) -> None:
    """Set several socket options by their lower-case names."""
    socket.setsockopt(zmq.LINGER, 0)
    for name, value in values.items():
        socket.setsockopt(getattr(zmq, name.upper()), value)


def request_id() -> bytes:
    """Names one request among those of a client."""
    return new_id().encode()


def body_of(model: BaseModel, **kwargs: Any) -> bytes:
    """A model as the frame that carries it."""
    return model.model_dump_json(**kwargs).encode()
