"""An event is what the hub's frames say, or it is refused."""

from typing import Any

import pytest
from alerts_material import alert, decision, sighting

from appliance.alerts.event import parse_event
from appliance.core.errors import StreamError


@pytest.mark.parametrize(
    ("topic", "header"), [("alert", alert()), ("decision", decision("a")), ("sighting", sighting())]
)
def test_each_topic_has_a_header_of_its_own_form(topic: str, header: Any) -> None:
    told = header.model_copy(update={"seq": 7, "epoch": "e"})
    event = parse_event(topic.encode(), told.model_dump_json(), (b"1", b"2", b"3"))
    assert (event.topic, event.seq, event.pictures) == (topic, 7, (b"1", b"2", b"3"))
    assert event.header.model_dump(mode="json") == told.model_dump(mode="json")
    assert type(event.header) is type(header)


def test_keys_of_a_later_version_are_ignored() -> None:
    text = sighting().model_dump_json().replace("{", '{"added_later": 1, ', 1)
    assert parse_event("sighting", text).header.seq == 0


@pytest.mark.parametrize("topic", ["status", "", "alerts", b"\xff\xfe", "x" * 1000])
def test_an_unknown_topic_is_refused_in_a_short_sentence(topic: bytes | str) -> None:
    with pytest.raises(StreamError, match="does not know") as told:
        parse_event(topic, "{}")
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"id": 1}', b"\xff"])
def test_a_malformed_header_is_refused_without_repeating_it(text: bytes | str) -> None:
    with pytest.raises(StreamError, match=r"malformed alert: \d+ fields"):
        parse_event("alert", text)


def test_a_picture_is_in_no_log_line_by_accident() -> None:
    assert "secret" not in repr(parse_event("alert", alert().model_dump_json(), (b"secret",)))
