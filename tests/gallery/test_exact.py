"""The exact search works on the templates themselves, in blocks, and holds nothing of its own."""

import numpy as np
import pytest
from gallery_material import make_templates, near, unit

from appliance.gallery import exact
from appliance.gallery.exact import ExactSearch


def test_many_probes_are_searched_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    templates, probes = make_templates([1, 2] * 10), unit(23, seed=3)
    whole = ExactSearch(templates).search(probes, 3)
    monkeypatch.setattr(exact, "_BLOCK_PROBES", 5)
    parts = ExactSearch(templates).search(probes, 3)
    assert parts.ids.tolist() == whole.ids.tolist()
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)


def test_it_searches_the_templates_of_the_list_not_a_copy() -> None:
    templates = make_templates([1, 1])
    made, probe = ExactSearch(templates), templates.vectors[1:2].copy()
    assert made.search(probe, 1).scores[0, 0] == pytest.approx(1, abs=1e-6)
    templates.vectors.fill(0)
    assert made.search(probe, 1).scores[0, 0] == 0


def test_after_a_wipe_it_holds_no_templates_and_leaves_the_lists_own_alone() -> None:
    templates = make_templates([1, 1])
    made = ExactSearch(templates)
    made.wipe()
    assert made._templates.vectors is not templates.vectors
    assert templates.vectors.any(), "the watchlist overwrites its own"


def test_the_same_photo_under_two_people_gives_both() -> None:
    templates = make_templates([1, 1, 1])
    templates.vectors[2] = templates.vectors[0]
    found = ExactSearch(templates).search(near(templates.vectors[:1]), 2)
    assert sorted(id_ for id_, _, _ in found.row(0)) == ["N-0", "N-2"]
    assert found.scores[0, 0] == pytest.approx(found.scores[0, 1])
