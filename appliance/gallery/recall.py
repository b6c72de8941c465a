"""Whether a graph finds what the exact search finds, measured at every load; and which of the two is used.

A graph search that misses falls on weak genuine matches, the ones that matter. So the graph is built generously, its
recall is measured on probes that are hard for it, and below the wanted recall the exact search is used and says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from appliance.core.types import Float32
from appliance.gallery.exact import ExactSearch
from appliance.gallery.hnsw import HnswSearch
from appliance.gallery.limits import RECALL_WANTED
from appliance.gallery.port import SearchEngine
from appliance.gallery.templates import Templates

CHECK_PROBES = 400
_SEED = 1


@dataclass(frozen=True, slots=True)
class RecallCheck:
    """How often the graph finds the exact search's best candidate, and what both cost.

    Attributes
    ----------
    recall
        Over all probes, 0 to 1.
    weak_recall
        Over the probes that resemble nobody much: weak genuine matches and strangers.
    graph_ms, exact_ms
        A probe, one thread, one at a time.
    """

    recall: float
    weak_recall: float
    graph_ms: float
    exact_ms: float

    @property
    def worst(self) -> float:
        """The lower of the two recalls: what a graph is judged by."""
        return min(self.recall, self.weak_recall)


def make_probes(templates: Float32, count: int, seed: int = _SEED) -> tuple[Float32, np.typing.NDArray[np.bool_]]:
    """Probes that are hard for a graph, of shape `(count, d)`, and which of them are weak.

    Half are templates with noise added until the cosine similarity with the template is between 0.3 and 0.9: genuine
    probes from good to barely matching. Half are random directions inside the space that the templates span: weak
    matches with everybody.
    """
    rng = np.random.default_rng(seed)
    t, d = templates.shape
    near = templates[rng.choice(t, count - count // 2, replace=count > t)]
    cosine = rng.uniform(0.3, 0.9, (len(near), 1)).astype(np.float32)
    noise = rng.standard_normal((len(near), d), np.float32)
    noise -= (noise * near).sum(axis=1, keepdims=True) * near
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    near = (cosine * near + np.sqrt(1 - cosine**2) * noise).astype(np.float32)
    mixing = rng.standard_normal((count // 2, min(t, 64)), np.float32)
    far = mixing @ templates[rng.choice(t, mixing.shape[1], replace=False)] + 0.1 * rng.standard_normal(
        (count // 2, d), np.float32
    )
    probes = np.concatenate([near, far]).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    weak = np.concatenate([cosine[:, 0] < 0.5, np.ones(len(far), bool)])
    return probes, weak


def check_recall(
    graph: SearchEngine, exact: SearchEngine, templates: Templates, probes: int = CHECK_PROBES
) -> RecallCheck:
    """Compare the graph with the exact search, one probe at a time as a camera asks. There must be templates."""
    queries, weak = make_probes(templates.vectors, probes)
    hits = np.zeros(len(queries), bool)
    seconds = {"graph": 0.0, "exact": 0.0}
    for position, query in enumerate(queries):
        started = time.perf_counter()
        found = graph.search(query[None], 1)
        between = time.perf_counter()
        true = exact.search(query[None], 1)
        seconds["graph"] += between - started
        seconds["exact"] += time.perf_counter() - between
        # equal to the last float bits: the same picture may stand under two entries
        hits[position] = found.scores[0, 0] >= true.scores[0, 0] - 1e-5
    ms = {name: 1000 * value / len(queries) for name, value in seconds.items()}
    return RecallCheck(float(hits.mean()), float(hits[weak].mean()), ms["graph"], ms["exact"])


def choose_engine(templates: Templates, recall_wanted: float = RECALL_WANTED) -> tuple[SearchEngine, float]:
    """The graph, or the exact search when the graph's recall falls short; and the graph's recall.

    Takes a thread for as long as it builds, and lets others run. No templates need no graph: the exact search, 1.

    Parameters
    ----------
    recall_wanted
        The smallest share of check probes whose best entry the graph must find, over all and over the weak ones.
    """
    exact = ExactSearch(templates)
    if not len(templates):
        return exact, 1.0
    graph = HnswSearch(templates)
    recall = check_recall(graph, exact, templates).worst
    if recall >= recall_wanted:
        return graph, recall
    graph.wipe()
    return exact, recall
