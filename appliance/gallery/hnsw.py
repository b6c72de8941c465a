"""A graph over the templates, which a probe is led through to its nearest ones without meeting the others."""

from __future__ import annotations

import ctypes
import threading
from typing import Literal

import hnswlib
import numpy as np

from appliance.core.types import Float32
from appliance.gallery.port import Candidates, check_probes
from appliance.gallery.templates import Templates

M = 48
EF_CONSTRUCTION = 200
EF_SEARCH = 400
SEED = 1
_BLOCK_TEMPLATES = 256


class HnswSearch:
    """A navigable small-world graph (Malkov and Yashunin 2018), built by one thread from one seed.

    A `gallery.port.SearchEngine` that may miss: `gallery.recall` tells how often. One thread and one seed make the same
    graph every time, so that the same recording gives the same alerts.

    Parameters
    ----------
    templates
        Copied into the graph.
    ef
        How many near templates a search keeps in view; more misses less and takes longer.
    """

    kind: Literal["hnsw"] = "hnsw"

    def __init__(self, templates: Templates, *, ef: int = EF_SEARCH) -> None:
        self._templates = templates
        self._dimension = templates.dimension
        self._ef = ef
        self._ef_lock = threading.Lock()
        vectors = templates.vectors
        self._graph = hnswlib.Index(space="ip", dim=self._dimension)
        self._graph.init_index(
            max_elements=max(1, len(vectors)), ef_construction=EF_CONSTRUCTION, M=M, random_seed=SEED
        )
        self._graph.set_num_threads(1)
        for at in range(0, len(vectors), _BLOCK_TEMPLATES):  # in pieces: a camera's other threads go on in between
            part = np.ascontiguousarray(vectors[at : at + _BLOCK_TEMPLATES], np.float32)
            self._graph.add_items(part, np.arange(at, at + len(part)), num_threads=1)
        self._graph.set_ef(ef)

    def __len__(self) -> int:
        return self._templates.people

    def search(self, embeddings: Float32, k: int) -> Candidates:
        """As `SearchEngine.search`."""
        templates = self._templates
        probes = check_probes(embeddings, self._dimension)
        k = max(0, min(k, templates.people))
        if not k or not len(probes):
            return Candidates.none(len(probes), k)
        m = templates.needed(k)
        if m > self._ef:  # ef below the number asked for is undefined behaviour in hnswlib
            with self._ef_lock:
                self._ef = max(self._ef, m)
                self._graph.set_ef(self._ef)
        labels, distances = self._graph.knn_query(probes, k=m, num_threads=1)
        return templates.candidates(labels.astype(np.int32), (1 - distances).astype(np.float32), k)

    def wipe(self) -> None:
        """Let the graph go and hand its memory back to the system, which clears it.

        hnswlib has no way to overwrite its vectors in place in useful time (updating a vector repairs the graph around
        it: minutes for a long list). Freed blocks of that size go back to the kernel; `malloc_trim` sends the rest.
        """
        self._templates = Templates.none(self._dimension)
        self._graph = hnswlib.Index(space="ip", dim=self._dimension)
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)
