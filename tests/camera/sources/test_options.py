"""Options after a source's `?` are checked one by one, and an error lists what is allowed without showing secrets."""

from typing import Any

import pytest

from appliance.camera.sources.options import SourceOptions
from appliance.core.errors import SourceUnusable

ALLOWED = {"fps": "frames a second", "size": "WIDTHxHEIGHT", "loop": "1 for again and again", "name": "a name"}


def options(query: str) -> SourceOptions:
    return SourceOptions("test:", query, ALLOWED)


def test_what_is_not_given_is_the_default() -> None:
    none = options("")
    assert none.text("name", "x") == "x"
    assert none.number("fps", 25, 1, 100) == 25
    assert none.whole("fps", 25, 1, 100) == 25
    assert none.size("size", (640, 480)) == (640, 480)
    assert none.flag("loop") is False


def test_what_is_given_is_taken() -> None:
    given = options("fps=12.5&size=1280x720&loop=1&name=a%20b")
    assert given.number("fps", 25, 1, 100) == 12.5
    assert given.size("size", (640, 480)) == (1280, 720)
    assert given.flag("loop") is True
    assert given.text("name") == "a b"
    assert options("name=").text("name", "x") == "", "given empty is given"


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SourceUnusable, match=r"no option 'zoom' here\. Allowed: fps=frames a second; size="):
        options("zoom=2")
    with pytest.raises(SourceUnusable, match=r"Allowed: none\."):
        SourceOptions("x.gif", "zoom=2", {})


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(SourceUnusable, match="'fps' is given twice"):
        options("fps=1&fps=2")


@pytest.mark.parametrize("value", ["1", "100", "1e1"])
def test_a_number_at_its_bounds_is_taken(value: str) -> None:
    assert options(f"fps={value}").number("fps", 25, 1, 100) == float(value)


@pytest.mark.parametrize("value", ["0.9", "100.1", "", "fast", "nan", "inf", "-5"])
def test_a_number_beyond_its_bounds_is_refused(value: str) -> None:
    with pytest.raises(SourceUnusable, match="it must be a number from 1 to 100"):
        options(f"fps={value}").number("fps", 25, 1, 100)


def test_half_of_a_whole_number_is_refused() -> None:
    assert options("fps=2.0").whole("fps", 1, 1, 100) == 2
    with pytest.raises(SourceUnusable, match="a whole number from 1 to 100"):
        options("fps=2.5").whole("fps", 1, 1, 100)


@pytest.mark.parametrize("value", ["640", "640x", "640X480", "641x480", "62x64", "7682x64", "64x99999", "-64x64"])
def test_a_size_is_even_and_within_reason(value: str) -> None:
    with pytest.raises(SourceUnusable, match="in even pixels from 64 to 7680"):
        options(f"size={value}").size("size", (640, 480))


@pytest.mark.parametrize("value", ["64x64", "7680x7680"])
def test_the_smallest_and_the_largest_size_are_taken(value: str) -> None:
    width, _, height = value.partition("x")
    assert options(f"size={value}").size("size", (640, 480)) == (int(width), int(height))


def test_a_word_is_one_of_a_few() -> None:
    assert options("name=last").choice("name", "first", ("first", "last")) == "last"
    with pytest.raises(SourceUnusable, match="name=best is not allowed; it must be first or last"):
        options("name=best").choice("name", "first", ("first", "last"))


@pytest.mark.parametrize("value", ["yes", "2", ""])
def test_a_flag_is_one_or_nought(value: Any) -> None:
    with pytest.raises(SourceUnusable, match="0 or 1"):
        options(f"loop={value}").flag("loop")


def test_a_value_that_holds_an_address_is_shown_without_its_password() -> None:
    with pytest.raises(SourceUnusable) as caught:
        options("loop=rtsp://van:s3cret@cam/1").flag("loop")
    assert "s3cret" not in str(caught.value)
