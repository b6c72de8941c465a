"""The pipeline is measured against the bare models on the same input, in turns, and the figures add up."""

from __future__ import annotations

import numpy as np
import pytest
from vision_networks import planted_network

from appliance.config.sections import Models
from appliance.lab.bench.frame import PairedSession, frames_of, measure_pipeline, strangers


def test_every_inference_is_done_once_more_bare_and_gives_the_caller_the_same() -> None:
    network = planted_network({"out": np.arange(4.0)[None]}, [1, 3, 8, 8])
    session = PairedSession(network, "cpu", golden_shape=(1, 3, 8, 8))
    for _ in range(3):
        (found,) = session.run(np.zeros((1, 3, 8, 8), np.float32))
        assert found.tolist() == [[0, 1, 2, 3]]
    assert (len(session.bare_s), session.rows) == (3, 3)
    assert min(session.bare_s) > 0


def test_strangers_are_as_many_unit_vectors_and_the_same_each_time() -> None:
    made = strangers(20, 16)
    assert (len(made.entries), made.templates.shape, len(made.portraits)) == (20, (20, 16), 20)
    np.testing.assert_allclose(np.linalg.norm(made.templates, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(made.templates, strangers(20, 16).templates)


def test_frames_are_kept_to_the_length_asked_for() -> None:
    frames = frames_of("street:?people=1&size=160x90&fps=5&extras=0", 1.0)
    assert [frame.media_s for frame in frames] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert all(frame.image_bgr.any() for frame in frames), "the source overwrites its own, not these"


def test_a_short_measurement_has_figures_that_add_up() -> None:
    found = measure_pipeline("street:?people=2&size=640x360&fps=2&gap=1&extras=0", 9.0, 50, Models(provider="cpu"), 40)
    assert (found.frame_wh, found.watchlist_entries) == ((640, 360), 50)
    assert found.frames > 5
    assert found.faces_found > 0
    assert 0 < found.frame_ms_p50 <= found.frame_ms_p99
    assert found.bare_detect_ms > 0
    assert set(found.stage_ms) == {"detect", "embed", "search", "everything else"}
    assert found.frames_a_second == pytest.approx(1000 / sum(found.stage_ms.values()), rel=0.001, abs=0.06)
    assert found.alerts == 0, "random templates are nobody"
