from __future__ import annotations

from pathlib import Path

import pytest

from appliance.core.errors import LfrError
from appliance.lab.people import photos_by_person


def test_people_and_photos_come_sorted_and_what_is_no_photo_is_left_out(tmp_path: Path) -> None:
    for name in ("Bo/2.JPG", "Bo/1.png", "Ann/x.webp", "Ann/notes.txt", "Cy/notes.txt", "loose.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = photos_by_person(tmp_path)
    assert list(found) == ["Ann", "Bo"]
    assert [photo.name for photo in found["Bo"]] == ["1.png", "2.JPG"]
    assert [photo.name for photo in found["Ann"]] == ["x.webp"]


def test_a_folder_without_people_is_refused_with_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(LfrError, match="one folder of photos a person"):
        photos_by_person(tmp_path / "none")
    (tmp_path / "a").mkdir()
    with pytest.raises(LfrError, match="no folders with pictures"):
        photos_by_person(tmp_path)
