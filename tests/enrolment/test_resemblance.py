from __future__ import annotations

import numpy as np
import pytest

from appliance.enrolment import resemblance


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def crowd(people: int, seed: int = 0) -> np.ndarray:
    """Strangers as embedders give them: similarities around 0 with a standard deviation near 0.1."""
    return unit(np.random.default_rng(seed).standard_normal((people, 100)))


def near(vector: np.ndarray, cosine: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(len(vector))
    noise -= noise @ vector * vector
    mixed = unit((cosine * vector + np.sqrt(1 - cosine**2) * noise / np.linalg.norm(noise))[None])
    return np.asarray(mixed[0])


def test_the_same_person_under_two_entries_is_found_with_the_two_photos() -> None:
    templates = np.concatenate([crowd(100), crowd(1, seed=9)])
    owners = np.concatenate([np.arange(100), [100]]).astype(np.int32)
    templates[100] = near(templates[7], 0.7, 1)
    found = resemblance.compare(templates, owners, 0.55)
    (pair,) = found.duplicates
    assert (pair.first, pair.second, pair.first_template, pair.second_template) == (7, 100, 7, 100)
    assert pair.similarity == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("block", [1, 3, 512])
def test_blocks_do_not_change_what_is_found(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = crowd(60)
    templates[59] = near(templates[2], 0.8, 1)
    templates[31] = near(templates[30], 0.9, 2)
    owners = np.repeat(np.arange(30, dtype=np.int32), 2)
    monkeypatch.setattr(resemblance, "BLOCK_ENTRIES", block)
    found = resemblance.compare(templates, owners, 0.55)
    assert [(pair.first, pair.second) for pair in found.duplicates] == [(1, 29)]
    assert [(pair.first_template, pair.second_template) for pair in found.duplicates] == [(2, 59)]


def test_a_photo_of_somebody_else_in_an_entry_is_found_and_a_poor_one_of_the_same_is_not() -> None:
    people = crowd(100)
    templates = np.stack([*people[:98], people[98], near(people[98], 0.7, 1), near(people[98], 0.4, 2), people[99]])
    owners = np.array([*range(98), 98, 98, 98, 98], np.int32)
    found = resemblance.compare(templates, owners, 0.55)
    assert [misfit.template for misfit in found.misfits] == [101]


def test_of_two_photos_that_do_not_fit_both_are_shown() -> None:
    templates = crowd(60)
    owners = np.array([*range(58), 58, 58], np.int32)
    templates[59] -= templates[59] @ templates[58] * templates[58]
    templates = unit(templates)
    assert [m.template for m in resemblance.compare(templates, owners, 0.55).misfits] == [58, 59]


def test_an_entry_that_resembles_many_is_found_and_ordinary_ones_are_not() -> None:
    templates = crowd(300)
    owners = np.arange(300, dtype=np.int32)
    assert resemblance.compare(templates, owners, 0.55).hubs == []
    templates[17] = unit((templates[50:62].sum(axis=0))[None])[0]
    found = resemblance.compare(templates, owners, 0.55)
    assert [hub.entry for hub in found.hubs] == [17]
    assert found.hubs[0].neighbours > 2 * found.hubs[0].expected


@pytest.mark.parametrize("people", [0, 1, 2, 39])
def test_short_lists_raise_no_false_alarm(people: int) -> None:
    found = resemblance.compare(crowd(people) if people else np.zeros((0, 100), np.float32),
                                np.arange(people, dtype=np.int32), 0.55)  # fmt: skip
    assert (found.duplicates, found.misfits, found.hubs) == ([], [], [])
