"""Whose a template is stays right whatever else is in the list, and a list that contradicts itself is refused."""

import numpy as np
import pytest
from gallery_material import ids_of, make_templates, owners_of, unit

from appliance.gallery.templates import Templates


def test_counts() -> None:
    made = make_templates([2, 1, 3])
    assert (len(made), made.people, made.dimension) == (6, 3, 64)


def test_nobody_is_valid() -> None:
    nobody = Templates.none(64)
    assert (len(nobody), nobody.people, nobody.dimension) == (0, 0, 64)


@pytest.mark.parametrize(("k", "needed"), [(1, 1), (2, 4), (3, 6)])
def test_so_many_of_the_nearest_are_needed_that_one_person_cannot_hide_the_next(k: int, needed: int) -> None:
    assert make_templates([2, 1, 3]).needed(k) == needed


def test_photos_are_numbered_within_each_person() -> None:
    made = make_templates([2, 1, 3])
    found = made.candidates(np.array([[5, 3, 2, 0, 1, 4]], np.int32), np.linspace(1, 0, 6, dtype=np.float32)[None], 3)
    assert [candidate[:2] for candidate in found.row(0)] == [("N-2", 3), ("N-1", 1), ("N-0", 1)]
    np.testing.assert_allclose(found.scores[0], [1, 0.6, 0.4], atol=1e-6)


def test_fewer_people_than_asked_for_leave_the_rest_of_the_row_empty() -> None:
    found = make_templates([2, 1]).candidates(np.array([[0, 1]], np.int32), np.array([[0.9, 0.8]], np.float32), 2)
    assert [candidate[:2] for candidate in found.row(0)] == [("N-0", 1)]
    assert (found.ids[0, 1], found.photos[0, 1], found.scores[0, 1]) == ("", 0, -1)


def test_a_similarity_that_rounding_pushed_beyond_one_is_one() -> None:
    found = make_templates([1]).candidates(np.zeros((1, 1), np.int32), np.array([[1.0000002]], np.float32), 1)
    assert found.scores[0, 0] == 1


@pytest.mark.parametrize(
    ("owners", "people", "said"),
    [
        ([0, 0], 2, "every person needs templates"),
        ([0, 2], 2, "every person needs templates"),
        ([1, 0], 2, "ascending"),
        ([0, 1, 1], 2, "shape"),
        ([0, 0], 0, "every person needs templates"),
    ],
)
def test_templates_of_nobody_and_people_without_templates_are_refused(
    owners: list[int], people: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Templates(unit(2), np.array(owners, np.int32), np.array(ids_of(people), object))


def test_other_types_than_agreed_are_refused() -> None:
    ids = np.array(ids_of(2), object)
    with pytest.raises(ValueError, match="float32"):
        Templates(unit(2).astype(np.float64), owners_of([1, 1]), ids)
    with pytest.raises(ValueError, match="int32"):
        Templates(unit(2), owners_of([1, 1]).astype(np.int64), ids)


def test_the_vectors_are_not_copied() -> None:
    vectors = unit(2)
    assert Templates(vectors, owners_of([1, 1]), np.array(ids_of(2), object)).vectors is vectors
