"""Every probe with every template, in one matrix product: what a faster search is judged by, and replaced with."""

from __future__ import annotations

from typing import Literal

import numpy as np

from appliance.core.types import Float32, Int32
from appliance.gallery.port import Candidates, check_probes
from appliance.gallery.templates import Templates

_BLOCK_PROBES = 256


class ExactSearch:
    """Misses nobody. A `gallery.port.SearchEngine` on the templates as they are, without a copy of its own."""

    kind: Literal["exact"] = "exact"

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def __len__(self) -> int:
        return self._templates.people

    def search(self, embeddings: Float32, k: int) -> Candidates:
        """As `SearchEngine.search`."""
        templates = self._templates
        probes = check_probes(embeddings, templates.dimension)
        k = max(0, min(k, templates.people))
        if not k or not len(probes):
            return Candidates.none(len(probes), k)
        m = templates.needed(k)
        parts = [self._nearest(probes[at : at + _BLOCK_PROBES], m) for at in range(0, len(probes), _BLOCK_PROBES)]
        nearest, scores = parts[0] if len(parts) == 1 else (np.concatenate(part) for part in zip(*parts, strict=True))
        return templates.candidates(nearest, scores, k)

    def _nearest(self, probes: Float32, m: int) -> tuple[Int32, Float32]:
        """The m nearest templates of each probe, best first, and their similarities."""
        scores = probes @ self._templates.vectors.T
        if m < scores.shape[1]:
            nearest = np.argpartition(scores, -m, axis=1)[:, -m:]
        else:
            nearest = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        found = np.take_along_axis(scores, nearest, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        return (
            np.take_along_axis(nearest, order, axis=1).astype(np.int32),
            np.take_along_axis(found, order, axis=1),
        )

    def wipe(self) -> None:
        """Let the templates go; they belong to the watchlist, which overwrites them."""
        self._templates = Templates.none(self._templates.dimension)
