"""Frames are checked against limits and forms, and the refusal says what is wrong."""

import pytest
from alerts_material import picture

from appliance.alerts.messages import MAX_HEADER_BYTES, MAX_PICTURE_BYTES
from appliance.stream.wire import (
    REPLAY_LIMIT,
    ActRequest,
    FetchRequest,
    MessageRefused,
    ReplayRequest,
    body_of,
    check_camera,
    check_pictures,
    parse,
    request_id,
)


def test_a_request_goes_over_the_wire_under_the_names_of_the_contract() -> None:
    sent = body_of(ReplayRequest(from_seq=7), by_alias=True)
    assert b'"from":7' in sent
    assert parse(ReplayRequest, sent) == ReplayRequest(from_seq=7, limit=REPLAY_LIMIT, pictures=True)
    assert parse(ReplayRequest, b"{}").from_seq == 1


def test_keys_of_later_versions_are_passed_over() -> None:
    assert parse(FetchRequest, b'{"id": "a", "colour": "red"}').id == "a"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Malformed: the JSON"),
        (b"[]", "Malformed: the JSON"),
        (b'{"from": -1}', "Malformed: from"),
        (b'{"from": "x", "limit": 0}', "from: .*; limit: "),
        (b'{"limit": 501}', "Malformed: limit"),
        (b"\xff", "Malformed"),
    ],
)
def test_a_malformed_request_names_the_fields_and_never_repeats_what_it_held(body: bytes, said: str) -> None:
    with pytest.raises(MessageRefused, match=said) as refused:
        parse(ReplayRequest, body)
    assert refused.value.code == "bad_request"


def test_what_was_sent_is_not_said_back() -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(ActRequest, b'{"act": 5, "by": {"secret": 1}}')
    assert "secret" not in str(refused.value)


def test_json_at_the_limit_is_read_and_beyond_it_is_not() -> None:
    body = b'{"id": "a"}'.ljust(MAX_HEADER_BYTES)
    assert parse(FetchRequest, body).id == "a"
    with pytest.raises(MessageRefused, match="are allowed") as refused:
        parse(FetchRequest, body + b" ")
    assert refused.value.code == "too_large"


def test_pictures_are_counted_measured_and_looked_at() -> None:
    largest = picture(size=MAX_PICTURE_BYTES - 4)
    assert len(largest) == MAX_PICTURE_BYTES
    check_pictures([], 0)
    check_pictures([largest, bytearray(picture())], 2)
    with pytest.raises(MessageRefused, match="1 pictures belong"):
        check_pictures([], 1)
    with pytest.raises(MessageRefused) as refused:
        check_pictures([largest + b"x"], 1)
    assert refused.value.code == "too_large"
    with pytest.raises(MessageRefused, match="not a JPEG"):
        check_pictures([b""], 1)


@pytest.mark.parametrize("name", ["north", "a", "9-lives_2", "x" * 32])
def test_a_camera_name_that_can_be_a_topic(name: str) -> None:
    check_camera(name)


@pytest.mark.parametrize("name", ["", "North", "x" * 33, "-a", "a.b", "a/b", "a\n"])
def test_a_camera_name_that_cannot(name: str) -> None:
    with pytest.raises(MessageRefused):
        check_camera(name)


def test_no_two_requests_have_one_id() -> None:
    assert len({request_id() for _ in range(100)}) == 100
    assert len(request_id()) <= 64
