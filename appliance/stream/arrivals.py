"""What arrives on the hub's socket for cameras, read and checked.

The contract for cameras (`ipc://RUNTIME/hub`, ROUTER; see `outbox`)
--------------------------------------------------------------------
`[alert, header, scene, face, photo]` and `[sighting, header]` are answered by `[ack, id, seq]`, a repetition with the
number that it has already, or by `[nack, id, reason]`; a reason that starts with `retry:` says to keep the alert and
send it again, any other that it will never be taken. `[preview, header, picture]` and the supervisor's
`[status, Status]` are not answered.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from appliance.alerts.journal import PICTURES_OF_AN_ALERT
from appliance.alerts.messages import MAX_HEADER_BYTES, Alert, PreviewHeader, Sighting, Status
from appliance.core.sockets import MAX_FRAMES, Frames
from appliance.stream.wire import MessageRefused, check_camera, check_pictures, parse

_MAX_STATUS_BYTES = 8 * MAX_HEADER_BYTES


class Arrival(NamedTuple):
    """Something for the journal, and the camera that waits for an answer."""

    sender: bytes
    header: Alert | Sighting
    pictures: Frames


class View(NamedTuple):
    """What a camera sees, redacted (JPEG); not journaled."""

    header: PreviewHeader
    picture: bytes


def read(frames: Frames) -> Arrival | View | Status:
    """The message in the frames that a ROUTER received, the sender's identity first.

    Raises
    ------
    MessageRefused
        It is not of the contract.
    """
    sender, verb, *rest = frames if len(frames) > 1 else (*frames, b"")
    if len(frames) > MAX_FRAMES:
        raise MessageRefused("A message of too many frames.", "too_large")
    if verb not in (b"alert", b"sighting", b"preview", b"status") or not rest:
        raise MessageRefused("A message that is neither alert, sighting, preview nor status.")
    body, *pictures = rest
    if verb == b"status":
        check_pictures(pictures, 0)
        return parse(Status, body, _MAX_STATUS_BYTES)
    header: Alert | Sighting | PreviewHeader
    if verb == b"alert":
        header, expected = parse(Alert, body), PICTURES_OF_AN_ALERT
    elif verb == b"sighting":
        header, expected = parse(Sighting, body), 0
    else:
        header, expected = parse(PreviewHeader, body), 1
    check_camera(header.camera)
    check_pictures(pictures, expected)
    return View(header, pictures[0]) if isinstance(header, PreviewHeader) else Arrival(sender, header, pictures)


def refused_id(frames: Frames) -> bytes | None:
    """The id in the header of a refused alert or sighting, empty if it has none; None for what is not answered."""
    if frames[1:2] not in ([b"alert"], [b"sighting"]):
        return None
    try:
        found = json.loads(frames[2][:MAX_HEADER_BYTES])["id"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return b""
    return found.encode("utf-8", "replace")[:64] if isinstance(found, str) else b""
