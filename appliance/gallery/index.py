"""Comparing probes with a watchlist: an HNSW graph, checked against the exact search before it is used.

A graph search that misses falls on weak genuine matches, the ones that matter. So the graph is built generously, its
recall is measured at every load on probes that are hard for it, and below the wanted recall the exact search is used
and says so. The choice is visible in `kind` and `recall`.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Literal

import hnswlib
import numpy as np

from appliance.core.errors import WatchlistError
from appliance.core.types import Float32, Int32, Matches
from appliance.gallery.watchlist.sealed import Watchlist

M = 48
EF_CONSTRUCTION = 200
EF_SEARCH = 400
SEED = 1
CHECK_PROBES = 400
RECALL_WANTED = 0.995
_BLOCK_PROBES = 256


def _check(embeddings: Float32, dimension: int) -> Float32:
    if embeddings.ndim != 2 or embeddings.shape[1] != dimension:
        raise WatchlistError(f"Probes must have shape (n, {dimension}), not {embeddings.shape}.")
    if not np.isfinite(embeddings).all():
        raise WatchlistError("A probe holds NaN or infinity; the embedder or its provider is broken.")
    return np.ascontiguousarray(embeddings, np.float32)


def _no_matches(n: int, k: int) -> Matches:
    return Matches(np.full((n, k), -1, np.int32), np.full((n, k), -1, np.int32), np.full((n, k), -1, np.float32))


def _best_per_entry(templates: Int32, scores: Float32, owners: Int32, k: int) -> Matches:
    """Candidates sorted best first, of shape `(n, m)` with template −1 for none, to the best k distinct entries."""
    n, m = templates.shape
    result = _no_matches(n, k)
    if not m:
        return result
    entries = np.where(templates >= 0, owners[templates], -1)
    first = entries >= 0
    for column in range(1, m):
        first[:, column] &= (entries[:, :column] != entries[:, column : column + 1]).all(axis=1)
    rank = np.cumsum(first, axis=1) - 1
    rows, columns = np.nonzero(first & (rank < k))
    place = rank[rows, columns]
    result.entries[rows, place] = entries[rows, columns]
    result.templates[rows, place] = templates[rows, columns]
    result.scores[rows, place] = np.clip(scores[rows, columns], -1, 1)
    return result


class ExactIndex:
    """Every probe with every template, in one matrix product: the oracle, and the fallback.

    Parameters
    ----------
    templates
        An array of shape `(t, d)`, float32: unit vectors; not copied.
    entry_of_template
        An array of shape `(t,)`, int32.

    Attributes
    ----------
    recall
        1; where it stands in for a graph (`open_index`), that graph's, so that the reason is told.
    """

    kind: Literal["exact"] = "exact"

    def __init__(self, templates: Float32, entry_of_template: Int32) -> None:
        self._templates, self._owners = templates, entry_of_template
        self.recall = 1.0
        self.entries = len(np.unique(entry_of_template))
        self._most = int(np.bincount(entry_of_template).max()) if len(entry_of_template) else 0

    def __len__(self) -> int:
        return self.entries

    def search(self, embeddings: Float32, k: int) -> Matches:
        """Probes of shape `(n, d)`, unit vectors, to their best k entries; k is clamped to the number of entries.

        Raises
        ------
        WatchlistError
            A probe has another dimension or holds NaN.
        """
        probes = _check(embeddings, self._templates.shape[1])
        k = max(0, min(k, self.entries))
        if not k or not len(probes):
            return _no_matches(len(probes), k)
        # k entries have at most k times the most templates of one entry before the k-th entry's first
        m = min(len(self._templates), (k - 1) * self._most + 1)
        parts = [self._block(probes[at : at + _BLOCK_PROBES], m, k) for at in range(0, len(probes), _BLOCK_PROBES)]
        return Matches(
            np.concatenate([part.entries for part in parts]),
            np.concatenate([part.templates for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def _block(self, probes: Float32, m: int, k: int) -> Matches:
        scores = probes @ self._templates.T
        if m < scores.shape[1]:
            nearest = np.argpartition(scores, -m, axis=1)[:, -m:]
        else:
            nearest = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        found = np.take_along_axis(scores, nearest, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        templates = np.take_along_axis(nearest, order, axis=1).astype(np.int32)
        return _best_per_entry(templates, np.take_along_axis(found, order, axis=1), self._owners, k)

    def wipe(self) -> None:
        """Nothing of its own: the templates are the watchlist's, which wipes them."""


class HnswIndex:
    """A navigable small-world graph over the templates (Malkov and Yashunin 2018), built by one thread from one seed.

    One thread and one seed make the same graph every time, so that the same recording gives the same alerts.
    """

    kind: Literal["hnsw"] = "hnsw"

    def __init__(self, templates: Float32, entry_of_template: Int32, *, ef: int = EF_SEARCH) -> None:
        self._owners = entry_of_template
        self._dimension = templates.shape[1]
        self.entries = len(np.unique(entry_of_template))
        self._most = int(np.bincount(entry_of_template).max()) if len(entry_of_template) else 0
        self.recall = 0.0
        self._ef = ef
        self._graph = hnswlib.Index(space="ip", dim=self._dimension)
        self._graph.init_index(
            max_elements=max(1, len(templates)), ef_construction=EF_CONSTRUCTION, M=M, random_seed=SEED
        )
        self._graph.set_num_threads(1)
        for at in range(0, len(templates), 256):  # in pieces: a camera's other threads go on in between
            part = np.ascontiguousarray(templates[at : at + 256], np.float32)
            self._graph.add_items(part, np.arange(at, at + len(part)), num_threads=1)
        self._graph.set_ef(ef)

    def __len__(self) -> int:
        return self.entries

    def search(self, embeddings: Float32, k: int) -> Matches:
        """As `ExactIndex.search`; a candidate may be missed with probability 1 − `recall`.

        Raises
        ------
        WatchlistError
            A probe has another dimension or holds NaN.
        """
        probes = _check(embeddings, self._dimension)
        k = max(0, min(k, self.entries))
        if not k or not len(probes):
            return _no_matches(len(probes), k)
        m = min(len(self._owners), (k - 1) * self._most + 1)
        if m > self._ef:  # ef below the number asked for is undefined behaviour in hnswlib
            self._ef = m
            self._graph.set_ef(m)
        labels, distances = self._graph.knn_query(probes, k=m, num_threads=1)
        return _best_per_entry(labels.astype(np.int32), (1 - distances).astype(np.float32), self._owners, k)

    def wipe(self) -> None:
        """Let the graph go and hand its memory back to the system, which clears it. The index is empty afterwards.

        hnswlib has no way to overwrite its vectors in place in useful time (updating a vector repairs the graph around
        it: minutes for a long list). Freed blocks of that size go back to the kernel; `malloc_trim` sends the rest.
        """
        self._owners = np.zeros(0, np.int32)
        self.entries = 0
        self._graph = hnswlib.Index(space="ip", dim=self._dimension)
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


Index = ExactIndex | HnswIndex


@dataclass(frozen=True, slots=True)
class RecallCheck:
    """How often the graph finds the exact search's best entry, and what both cost.

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


def check_probes(templates: Float32, count: int, seed: int = SEED) -> tuple[Float32, np.typing.NDArray[np.bool_]]:
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


def check_recall(graph: HnswIndex, exact: ExactIndex, templates: Float32, probes: int = CHECK_PROBES) -> RecallCheck:
    """Compare the graph with the exact search, one probe at a time as a camera asks."""
    queries, weak = check_probes(templates, probes)
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


def open_index(watchlist: Watchlist, recall_wanted: float = RECALL_WANTED) -> Index:
    """The index of an opened list: the graph, or the exact search when the graph's recall falls short.

    Takes a thread for as long as it builds, and lets others run. The caller reads `kind` and `recall` and tells of
    them: an exact index whose `recall` is below 1 stands in for a graph that found no more than that. An empty list
    gives an index that finds nobody.

    Parameters
    ----------
    recall_wanted
        The smallest share of check probes whose best entry the graph must find, over all and over the weak ones.
    """
    exact = ExactIndex(watchlist.templates, watchlist.entry_of_template)
    if not len(watchlist.templates):
        return exact
    graph = HnswIndex(watchlist.templates, watchlist.entry_of_template)
    found = check_recall(graph, exact, watchlist.templates)
    graph.recall = min(found.recall, found.weak_recall)
    if graph.recall < recall_wanted:
        graph.wipe()
        exact.recall = graph.recall
        return exact
    return graph
