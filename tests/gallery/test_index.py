from __future__ import annotations

import numpy as np
import pytest

from appliance.core.errors import WatchlistError
from appliance.gallery import index
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.sealed import Watchlist


def unit(rows: int, dimension: int = 64, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def watchlist(templates: np.ndarray, owners: np.ndarray) -> Watchlist:
    from datetime import UTC, datetime

    n = int(owners.max()) + 1 if len(owners) else 0
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Watchlist(
        entries=tuple(Entry(id=f"N-{i}") for i in range(n)),
        templates=templates,
        entry_of_template=owners,
        portraits=[bytearray() for _ in owners],
        embedder="x@0",
        deployment="",
        sequence=1,
        built_at=moment,
        expires_at=moment,
        builder="b",
        approvals=(),
        digest="",
    )


KINDS = [index.HnswIndex, index.ExactIndex]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_list_finds_nobody(kind: type) -> None:
    empty = kind(np.zeros((0, 64), np.float32), np.zeros(0, np.int32))
    found = empty.search(unit(3), 5)
    assert found.entries.shape[0] == 3
    assert len(empty) == 0


def test_opening_an_empty_list_gives_an_index_that_finds_nobody() -> None:
    opened = index.open_index(watchlist(np.zeros((0, 64), np.float32), np.zeros(0, np.int32)))
    assert opened.search(unit(2), 1).entries.shape == (2, 0)
    assert opened.recall == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_k_is_clamped_and_no_probes_are_no_error(kind: type) -> None:
    made = kind(unit(4), np.arange(4, dtype=np.int32))
    assert made.search(unit(2, seed=1), 99).entries.shape == (2, 4)
    assert made.search(unit(0), 3).entries.shape == (0, 3)
    assert made.search(unit(2, seed=1), 0).scores.shape == (2, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probe_that_is_no_number_is_refused(kind: type, bad: float) -> None:
    made = kind(unit(4), np.arange(4, dtype=np.int32))
    probe = unit(1)
    probe[0, 3] = bad
    with pytest.raises(WatchlistError, match="NaN"):
        made.search(probe, 1)
    with pytest.raises(WatchlistError, match="shape"):
        made.search(unit(1, 32), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_appears_once_with_its_best_template(kind: type) -> None:
    templates = unit(12)
    owners = np.repeat(np.arange(4, dtype=np.int32), 3)
    probe = templates[4:5] * 0.9 + unit(1, seed=5) * 0.1
    probe /= np.linalg.norm(probe)
    found = kind(templates, owners).search(probe, 4)
    assert found.entries[0, 0] == 1
    assert found.templates[0, 0] == 4
    assert sorted(found.entries[0]) == [0, 1, 2, 3]
    best = [float((templates[owners == entry] @ probe[0]).max()) for entry in found.entries[0]]
    np.testing.assert_allclose(found.scores[0], best, atol=1e-6)
    assert np.all(np.diff(found.scores[0]) <= 0)


def test_the_graph_agrees_with_the_exact_search() -> None:
    templates = unit(600)
    owners = np.arange(600, dtype=np.int32)
    probes = unit(50, seed=3)
    graph = index.HnswIndex(templates, owners).search(probes, 3)
    exact = index.ExactIndex(templates, owners).search(probes, 3)
    assert (graph.entries[:, 0] == exact.entries[:, 0]).mean() > 0.98


def test_the_same_list_gives_the_same_graph() -> None:
    templates, owners, probes = unit(800), np.arange(800, dtype=np.int32), unit(200, seed=9)
    one, other = (index.HnswIndex(templates, owners, ef=8).search(probes, 1) for _ in range(2))
    np.testing.assert_array_equal(one.entries, other.entries)
    np.testing.assert_array_equal(one.scores, other.scores)


def test_opening_uses_the_graph_and_says_its_recall() -> None:
    opened = index.open_index(watchlist(unit(500), np.arange(500, dtype=np.int32)))
    assert opened.kind == "hnsw"
    assert opened.recall >= 0.995


def test_a_graph_with_poor_recall_is_replaced_by_the_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "M", 2)
    monkeypatch.setattr(index, "EF_CONSTRUCTION", 2)
    monkeypatch.setattr(index, "EF_SEARCH", 1)
    made = watchlist(unit(2000, 128), np.arange(2000, dtype=np.int32))
    graph = index.HnswIndex(made.templates, made.entry_of_template, ef=1)
    measured = index.check_recall(graph, index.ExactIndex(made.templates, made.entry_of_template), made.templates)
    assert measured.recall < 0.9, "the graph must be poor for this test to mean anything"
    opened = index.open_index(made)
    assert opened.kind == "exact"
    assert opened.recall < 0.9, "what the graph missed is what the metric and the status tell"


def test_check_probes_hold_strong_and_weak_genuine_ones_and_strangers() -> None:
    templates = unit(300)
    probes, weak = index.check_probes(templates, 100)
    best = (probes @ templates.T).max(axis=1)
    assert probes.shape == (100, 64)
    assert best[~weak].min() > 0.45
    assert best[weak].mean() < best[~weak].mean()
    np.testing.assert_allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)


def test_a_wiped_index_finds_nobody() -> None:
    graph = index.HnswIndex(unit(20), np.arange(20, dtype=np.int32))
    graph.wipe()
    graph.wipe()
    assert graph.search(unit(1), 1).entries.shape == (1, 0)
