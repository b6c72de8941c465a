"""A graph is used only where it finds what the exact search finds; where it does not, that is told."""

import numpy as np
import pytest
from gallery_material import make_templates, unit

from appliance.gallery import hnsw
from appliance.gallery.exact import ExactSearch
from appliance.gallery.hnsw import HnswSearch
from appliance.gallery.limits import RECALL_WANTED
from appliance.gallery.recall import RecallCheck, check_recall, choose_engine, make_probes
from appliance.gallery.templates import Templates


@pytest.fixture
def poor_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw, "M", 2)
    monkeypatch.setattr(hnsw, "EF_CONSTRUCTION", 2)
    monkeypatch.setattr(HnswSearch.__init__, "__kwdefaults__", {"ef": 1})


def test_a_good_graph_is_used_and_its_recall_told() -> None:
    engine, recall = choose_engine(make_templates([1] * 500))
    assert engine.kind == "hnsw"
    assert recall >= RECALL_WANTED


def test_a_graph_with_poor_recall_is_replaced_by_the_exact_search(poor_graphs: None) -> None:
    templates = Templates(
        unit(2000, 128), np.arange(2000, dtype=np.int32), np.array([str(i) for i in range(2000)], object)
    )
    measured = check_recall(HnswSearch(templates), ExactSearch(templates), templates)
    assert measured.recall < 0.9, "the graph must be poor for this test to mean anything"
    engine, recall = choose_engine(templates)
    assert engine.kind == "exact"
    assert recall < 0.9, "what the graph missed is what the metric and the status tell"
    assert len(engine) == 2000, "letting the graph go must not take the people along"
    assert engine.search(templates.vectors[:1], 1).row(0)[0][0] == "0"


def test_less_may_be_asked_of_a_graph(poor_graphs: None) -> None:
    engine, _ = choose_engine(make_templates([1] * 300), recall_wanted=0.0)
    assert engine.kind == "hnsw"


def test_nobody_needs_no_graph() -> None:
    engine, recall = choose_engine(Templates.none(64))
    assert (engine.kind, recall, len(engine)) == ("exact", 1.0, 0)


def test_one_person_is_enough_for_a_check() -> None:
    engine, recall = choose_engine(make_templates([1]))
    assert (engine.kind, recall) == ("hnsw", 1.0)


def test_a_graph_is_judged_by_the_worse_of_its_recalls() -> None:
    assert RecallCheck(0.99, 0.9, 1, 1).worst == 0.9
    assert RecallCheck(0.9, 0.99, 1, 1).worst == 0.9


def test_check_probes_hold_strong_and_weak_genuine_ones_and_strangers() -> None:
    templates = unit(300)
    probes, weak = make_probes(templates, 100)
    best = (probes @ templates.T).max(axis=1)
    assert probes.shape == (100, 64)
    assert best[~weak].min() > 0.45
    assert best[weak].mean() < best[~weak].mean()
    np.testing.assert_allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)


def test_check_probes_are_the_same_at_every_load() -> None:
    one, other = make_probes(unit(50), 20)[0], make_probes(unit(50), 20)[0]
    np.testing.assert_array_equal(one, other)
