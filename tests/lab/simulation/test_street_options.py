"""A street is what its source says, and one that cannot be says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.core.errors import SourceUnusable
from appliance.lab.simulation.street_options import ALLOWED, StreetSettings


def test_a_street_without_options_has_two_people_and_the_usual_camera() -> None:
    street = StreetSettings.parse("street:")
    assert [name for name, _ in street.people] == ["astronaut", "hopper"]
    assert (street.view.size_wh, street.fps, street.seed, street.loop, street.quality) == (
        (1280, 720),
        25,
        1,
        False,
        80,
    )


def test_every_option_is_read() -> None:
    said = "people=3&seed=7&gap=1.5&loop=1&seconds=40&extras=0&fps=10&size=320x180&noise=0&quality=100"
    street = StreetSettings.parse(f"street:?{said}")
    assert len(street.people) == 3
    assert (street.seed, street.gap_s, street.loop, street.seconds, street.extras) == (7, 1.5, True, 40, 0)
    assert (street.fps, street.view.size_wh, street.noise, street.quality) == (10, (320, 180), 0, 100)
    assert {part.partition("=")[0] for part in said.split("&")} | {"faces", "order", "photo"} == ALLOWED.keys()


def test_people_are_drawn_from_a_folder_by_the_seed(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "1.jpg").touch()
    drawn = {seed: StreetSettings.parse(f"street:?faces={tmp_path}&people=5&seed={seed}").people for seed in (1, 2)}
    assert drawn[1] == StreetSettings.parse(f"street:?faces={tmp_path}&people=5&seed=1").people
    assert drawn[1] != drawn[2]
    assert len({name for name, _ in drawn[1]}) == 5
    with pytest.raises(SourceUnusable, match="holds 20 people, not 21"):
        StreetSettings.parse(f"street:?faces={tmp_path}&people=21")


def test_another_kind_of_source_is_no_street() -> None:
    with pytest.raises(SourceUnusable, match="is not a street"):
        StreetSettings.parse("test:?size=10x10")


def test_people_come_from_a_folder_in_the_order_and_with_the_photo_that_is_asked_for(tmp_path: Path) -> None:
    for name in ("hopper", "astronaut"):
        (tmp_path / name).mkdir()
        for number in (1, 2):
            (tmp_path / name / f"{name}_{number}.png").touch()
    (tmp_path / "nobody").mkdir()
    source = f"street:?faces={tmp_path}&order=hopper,astronaut,hopper"
    people = StreetSettings.parse(source).people
    assert [name for name, _ in people] == ["hopper", "astronaut", "hopper"]
    assert {photo.name for _, photo in people} == {"hopper_2.png", "astronaut_2.png"}
    assert StreetSettings.parse(f"{source}&photo=first").people[0][1].name == "hopper_1.png"
    names = tmp_path / "names.txt"
    names.write_text("astronaut\n\nhopper\n")
    told = StreetSettings.parse(f"street:?faces={tmp_path}&order=@{names}").people
    assert [name for name, _ in told] == ["astronaut", "hopper"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("faces=/no/such/folder", "/no/such/folder cannot be read"),
        ("order=nemo", "nobody is called nemo"),
        ("peeple=3", "no option 'peeple'.*people=how many pass"),
        ("photo=best", "must be first or last or random"),
        ("people=0", "a number from 1"),
        ("order=@/no/such/file", "cannot be read as a list"),
    ],
)
def test_a_street_that_cannot_be_says_why(options: str, said: str) -> None:
    with pytest.raises(SourceUnusable, match=said):
        StreetSettings.parse(f"street:?{options}")
