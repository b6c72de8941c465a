"""The words and numbers of the pages that a deployment leaves behind."""

from datetime import UTC, datetime, timedelta, timezone

import jinja2
import pytest

from appliance.deployment import pages

MOMENT = datetime(2026, 11, 1, 10, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize("moment", [MOMENT, MOMENT.isoformat(), MOMENT.astimezone(timezone(timedelta(hours=-5)))])
def test_a_moment_is_told_in_utc_whatever_it_was_given_in(moment: datetime | str) -> None:
    assert pages.day_and_time(moment) == "1 November 2026, 10:31 UTC"
    assert pages.clock(moment) == "10:31:07"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_moment_is_a_dash(nothing: str | None) -> None:
    assert (pages.day_and_time(nothing), pages.clock(nothing)) == ("–", "–")


def test_a_span_names_the_day_once_unless_it_goes_over_midnight() -> None:
    assert pages.span(MOMENT, MOMENT + timedelta(hours=5)) == "1 November 2026, 10:31 to 15:31 UTC"
    assert (
        pages.span(MOMENT, MOMENT + timedelta(hours=14)) == "1 November 2026, 10:31 UTC to 2 November 2026, 00:31 UTC"
    )
    assert pages.span(MOMENT, None) == "1 November 2026, 10:31 UTC to now"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 times"), (1, "once"), (2, "twice"), (3, "3 times"), (1200, "1,200 times")]
)
def test_times_in_words(count: int, text: str) -> None:
    assert pages.times(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (100_000, "100 kB"),
        (1_400_000, "1.4 MB"),
        (2_000_000_000_000, "2,000 GB"),
    ],
)
def test_a_size_for_a_reader(count: int, text: str) -> None:
    assert pages.size(count) == text


def test_numbers_and_codes() -> None:
    assert (pages.number(None), pages.number(0), pages.number(1234567)) == ("–", "0", "1,234,567")
    assert pages.plain("not_the_person") == "not the person"


def test_a_value_that_a_template_wants_and_nobody_gives_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages.render("certificate.html")
