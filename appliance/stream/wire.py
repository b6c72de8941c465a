"""What may travel on the stream's sockets: limits, requests and refusals, and how their frames are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from appliance.alerts.messages import MAX_HEADER_BYTES, MAX_PICTURE_BYTES, Decision, new_id
from appliance.core.errors import StreamError

REPLAY_LIMIT = 500
"""Most events that one replay request may ask for."""
MAX_REQUEST_BYTES = 65_536

RefusalCode = Literal["unknown_alert", "conflict", "bad_request", "too_large", "unavailable"]

_CAMERA = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_M = TypeVar("_M", bound=BaseModel)


class ReplayRequest(BaseModel):
    """`replay`: events from a sequence number on."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    from_seq: int = Field(1, alias="from", ge=0, le=1 << 62)
    limit: int = Field(REPLAY_LIMIT, ge=1, le=REPLAY_LIMIT)
    pictures: bool = True


class FetchRequest(BaseModel):
    """`fetch`: one alert with its pictures."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=64)


class ActRequest(BaseModel):
    """`record`: something for the audit record that is no decision: a view, an export, a sign-in."""

    model_config = ConfigDict(extra="ignore")

    act: str = Field(min_length=1, max_length=64)
    by: str = Field(min_length=1, max_length=64)
    details: dict[str, JsonValue] = Field(default_factory=dict)


class End(BaseModel):
    """The last frame of a replay: `next` is where to ask from; above `newest` when nothing is left to ask for."""

    model_config = ConfigDict(extra="ignore")

    epoch: str
    newest: int
    next: int


class Refusal(BaseModel):
    """The body of an `error`."""

    model_config = ConfigDict(extra="ignore")

    code: RefusalCode
    message: str
    standing: Decision | None = None


class MessageRefused(StreamError):
    """A message that is not taken, and why."""

    def __init__(self, problem: str, code: RefusalCode = "bad_request") -> None:
        super().__init__(problem)
        self.code: RefusalCode = code


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


def request_id() -> bytes:
    """Names one request among those of a client."""
    return new_id().encode()


def body_of(model: BaseModel, **kwargs: Any) -> bytes:
    """A model as the frame that carries it."""
    return model.model_dump_json(**kwargs).encode()
