"""The reference page is made from the models: every key with type, limits, default, unit and meaning."""

from typing import ClassVar, Literal

import pytest
from pydantic import Field

from appliance.config import live, reference
from appliance.config.sections import Root, Section

KEYS = dict(reference.keys(live.Config))
NUMBERS = {path: field for path, field in KEYS.items() if field.annotation in (int, float, float | None)} | {
    path: field for path, field in KEYS.items() if path.endswith("threshold")
}
ENDINGS = {
    "_s": "seconds",
    "_px": "pixels",
    "_fps": "pictures a second",
    "_hours": "hours",
    "_minutes": "minutes",
}


@pytest.mark.parametrize("path", KEYS)
def test_every_key_says_what_it_means(path: str) -> None:
    assert KEYS[path].description


@pytest.mark.parametrize("path", NUMBERS)
def test_every_number_has_a_unit_that_agrees_with_its_name(path: str) -> None:
    unit = reference.unit(KEYS[path])
    assert unit
    for ending, wanted in ENDINGS.items():
        assert not path.endswith(ending) or unit == wanted


def test_every_key_stands_in_the_page_under_its_section() -> None:
    page = reference.page(live.Config)
    for path in KEYS:
        section, _, name = path.rpartition(".")
        heading = f"## `{section}`" if section else "## The file"
        part = page.split(f"{heading}\n")[1].split("\n## ")[0]
        assert f"\n| `{name}` |" in part


class Part(Section):
    """A part."""

    share: float = Field(0.5, gt=0, le=1, description="how much", json_schema_extra={"unit": "share"})
    kind: Literal["a", "b"] = Field("a", description="a or b|c")
    on: bool = Field(True, description="whether")


class Whole(Root):
    """The whole."""

    EXAMPLE: ClassVar[str] = ""

    parts: tuple[Part, ...] = Field(min_length=1, description="its parts")


def test_a_row_gives_type_limits_default_unit_and_meaning() -> None:
    page = reference.page(Whole)
    assert "| `parts` | list of sections | at least 1 | **required** |  | its parts |" in page
    assert "## `parts[]`\n\nA part." in page
    assert "| `share` | number | > 0, ≤ 1 | `0.5` | share | how much |" in page
    assert "| `kind` | one of | `a`, `b` | `a` |  | a or b\\|c |" in page
    assert "| `on` | true or false |  | `true` |  | whether |" in page


def test_a_key_without_a_meaning_makes_no_page() -> None:
    class Mute(Root):
        """Says nothing."""

        EXAMPLE: ClassVar[str] = ""

        key: str = "x"

    with pytest.raises(ValueError, match="the key key has no description"):
        reference.page(Mute)


def test_addresses_are_shown_as_they_are_written() -> None:
    page = reference.page(live.Config)
    assert "| `publish` | text | `tcp://127.0.0.1:PORT` or `ipc://PATH` | `tcp://127.0.0.1:5556` |" in page
    assert "| `listen` | text | `HOST:PORT` | `127.0.0.1:9100` |" in page
