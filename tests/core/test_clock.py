"""The time is written in one way: UTC, milliseconds, and never without a zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel, ValidationError

from appliance.core.clock import Moment, utc_now, utc_text


class Message(BaseModel):
    at: Moment


def test_now_is_aware_and_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 21, 10, 31, 7, 412_900, tzinfo=UTC), "2026-11-21T10:31:07.412Z"),
        (datetime(2026, 11, 21, 10, 31, 7, tzinfo=UTC), "2026-11-21T10:31:07.000Z"),
        (datetime(2026, 6, 21, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026-06-20T23:30:00.000Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert utc_text(moment) == text
    assert Message(at=moment).model_dump(mode="json") == {"at": text}


def test_a_moment_that_was_written_is_read_again() -> None:
    at = datetime(2026, 11, 21, 10, 31, 7, 412_000, tzinfo=UTC)
    assert Message.model_validate_json(Message(at=at).model_dump_json()).at == at


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Message.model_validate({"at": "2026-11-21T10:31:07"})
