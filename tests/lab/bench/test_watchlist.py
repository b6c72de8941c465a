"""Figures of a list: every one is measured, and none is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.core.errors import LfrError
from appliance.lab.bench.watchlist import BuildFigures, as_json, made_up, measure_build, measure_load
from appliance.vision.install import ensure_picture


def test_a_made_up_list_is_of_nobody_and_the_same_each_time() -> None:
    payload = made_up(30, 16, portrait_bytes=50)
    assert (len(payload.entries), payload.templates.shape) == (30, (30, 16))
    assert {len(portrait) for portrait in payload.portraits} == {50}
    np.testing.assert_allclose(np.linalg.norm(payload.templates, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(payload.templates, made_up(30, 16, portrait_bytes=50).templates)


def test_a_list_is_opened_searched_and_measured() -> None:
    found = measure_load(300)
    assert found.entries == 300
    assert found.file_mib > 3, "300 portraits of 12 kB"
    assert min(found.open_s, found.index_s, found.hnsw_ms, found.exact_ms) > 0
    assert found.recall > 0.9


def test_a_build_is_measured_with_and_without_its_cache() -> None:
    photos = [ensure_picture("hopper"), ensure_picture("astronaut")]
    found = measure_build(photos, processes=(1,))
    assert (found.photos, list(found.build)) == (2, [1])
    assert min(found.bare_models, found.build[1], found.bare_cpu_ms, found.build_cpu_ms) > 0
    assert found.rebuild > 0, "photos that the cache knew"


def test_photos_that_cannot_be_taken_end_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(LfrError, match="No photo could be taken"):
        measure_build([tmp_path / "a.jpg"], processes=(1,))


def test_the_figures_are_rounded_for_a_reader() -> None:
    figures = BuildFigures(2, 12.34567, 30.5, 40.0, {1: 10.04, 2: 19.96}, 900.12345)
    assert as_json(figures)["build"] == {"1": 10.0, "2": 20.0}
    assert as_json(figures)["rebuild"] == 900.123
