"""What cameras send is read and checked before anything is done with it."""

import pytest
from alerts_material import alert, picture, pictures, sighting

from appliance.alerts.messages import PreviewHeader, Status
from appliance.core.clock import utc_now
from appliance.core.sockets import MAX_FRAMES
from appliance.stream.arrivals import Arrival, View, read, refused_id
from appliance.stream.wire import MessageRefused, body_of


def test_an_alert_carries_its_sender_and_three_pictures() -> None:
    made, jpgs = alert(), [bytes(jpg) for jpg in pictures()]
    found = read([b"camera", b"alert", body_of(made), *jpgs])
    assert isinstance(found, Arrival)
    assert (found.sender, body_of(found.header), found.pictures) == (b"camera", body_of(made), jpgs)


def test_a_sighting_has_no_pictures() -> None:
    made = sighting()
    found = read([b"camera", b"sighting", body_of(made)])
    assert isinstance(found, Arrival)
    assert (body_of(found.header), found.pictures) == (body_of(made), [])
    with pytest.raises(MessageRefused, match="0 pictures"):
        read([b"camera", b"sighting", body_of(made), picture()])


def test_a_view_has_one_picture_and_a_status_none() -> None:
    header = PreviewHeader(camera="north", at=utc_now())
    view = read([b"camera", b"preview", body_of(header), picture()])
    assert isinstance(view, View)
    assert (view.header.camera, view.picture) == ("north", picture())
    assert isinstance(read([b"supervisor", b"status", body_of(Status(at=utc_now()))]), Status)
    with pytest.raises(MessageRefused, match="0 pictures"):
        read([b"supervisor", b"status", body_of(Status(at=utc_now())), picture()])


@pytest.mark.parametrize(
    "frames", [[], [b"camera"], [b"camera", b"alert"], [b"camera", b"alarm", b"{}"], [b"camera", b"", b""]]
)
def test_what_is_no_message_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(MessageRefused, match="neither alert"):
        read(frames or [b""])


def test_too_many_frames_are_refused_as_too_large() -> None:
    with pytest.raises(MessageRefused) as refused:
        read([b"camera", b"alert", *[b"x"] * MAX_FRAMES])
    assert refused.value.code == "too_large"


def test_a_camera_whose_name_cannot_be_a_topic_is_refused() -> None:
    with pytest.raises(MessageRefused, match="camera's name"):
        read([b"camera", b"preview", body_of(PreviewHeader(camera="../n", at=utc_now())), picture()])


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([b"c", b"alert", b'{"id": "a-1"}'], b"a-1"),
        ([b"c", b"sighting", b'{"id": "s-1"}'], b"s-1"),
        ([b"c", b"alert", b'{"id": 7}'], b""),
        ([b"c", b"alert", b"no JSON"], b""),
        ([b"c", b"alert", b"[" * 30_000], b""),
        ([b"c", b"alert"], b""),
        ([b"c", b"alert", b'{"id": "' + b"x" * 100 + b'"}'], b"x" * 64),
        ([b"c", b"preview", b'{"id": "a-1"}'], None),
        ([b"c"], None),
    ],
)
def test_the_id_that_a_refusal_answers_is_found_as_far_as_there_is_one(
    frames: list[bytes], found: bytes | None
) -> None:
    assert refused_id(frames) == found
