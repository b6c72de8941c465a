"""A folder of people for the lab: one folder of photos a person."""

from __future__ import annotations

from pathlib import Path

from appliance.core.errors import SourceUnusable
from appliance.enrolment.photo_sources import is_photo


def photos_by_person(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Names of people to their photos, both sorted; folders without photos are left out.

    Raises
    ------
    SourceUnusable
        The folder cannot be read, or holds no folders with pictures.
    """
    try:
        people = {
            person.name: tuple(sorted(photo for photo in person.iterdir() if is_photo(photo.name)))
            for person in sorted(folder.iterdir())
            if person.is_dir()
        }
    except OSError as error:
        raise SourceUnusable(
            f"{folder} cannot be read: {error.strerror}.", "Name a folder with one folder of photos a person."
        ) from None
    people = {name: photos for name, photos in people.items() if photos}
    if not people:
        raise SourceUnusable(
            f"{folder} holds no folders with pictures.", "Put each person's pictures in a folder of their own."
        )
    return people
