"""The graph is the same at every build, finds what the exact search finds, and is gone when it is wiped."""

import weakref

import numpy as np
from gallery_material import make_templates, unit

from appliance.gallery.exact import ExactSearch
from appliance.gallery.hnsw import HnswSearch


def test_the_same_list_gives_the_same_graph() -> None:
    templates, probes = make_templates([1] * 800), unit(200, seed=9)
    # a search that looks at few templates shows every difference of the graph
    one, other = (HnswSearch(templates, ef=8).search(probes, 1) for _ in range(2))
    assert one.ids.tolist() == other.ids.tolist()
    np.testing.assert_array_equal(one.scores, other.scores)


def test_it_agrees_with_the_exact_search_on_probes_that_resemble_nobody() -> None:
    templates, probes = make_templates([1] * 600), unit(50, seed=3)
    graph, exact = HnswSearch(templates).search(probes, 3), ExactSearch(templates).search(probes, 3)
    assert (graph.ids[:, 0] == exact.ids[:, 0]).mean() > 0.98


def test_more_candidates_than_it_keeps_in_view_are_found_all_the_same() -> None:
    templates, probes = make_templates([1] * 300), unit(5, seed=3)
    found = HnswSearch(templates, ef=10).search(probes, 250)
    assert all(len(found.row(row)) == 250 for row in range(5))


def test_the_graph_has_a_copy_of_its_own_which_a_wipe_lets_go() -> None:
    templates = make_templates([1] * 20)
    made, probe = HnswSearch(templates), templates.vectors[3:4].copy()
    templates.vectors.fill(0)
    assert made.search(probe, 1).row(0)[0][0] == "N-3"
    graph = weakref.ref(made._graph)
    made.wipe()
    assert graph() is None, "nobody keeps the vectors"
    assert made.search(probe, 1).ids.shape == (1, 0)
