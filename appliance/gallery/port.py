"""What others need of the people that a face is compared with, whatever holds and searches them.

A sealed list of a few thousand in memory and a store of millions answer the same questions: who resembles a probe
(`search`), what is known of somebody (`entry`), and what do they look like (`picture`). Everybody is named by the id of
their entry and each of their photos by its number within that entry, never by a position: a position means something
else as soon as one entry is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from appliance.core.errors import WatchlistError
from appliance.core.types import Float32, Int32
from appliance.gallery.watchlist.entry import Entry

Ids = npt.NDArray[Any]
"""An array of Python strings (dtype `object`): the strings are shared, not copied."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Whom each probe resembles most, best first; a struct of arrays, valid when empty, checked when made.

    One row a probe, `(n, k)`; a row with fewer than k candidates is filled up at its end.

    Attributes
    ----------
    ids
        Python strings: the id of the entry, each at most once in a row; empty where there is no candidate.
    photos
        int32: the number, from 1, of the photo of that entry that resembles the probe most; 0 where there is none.
    scores
        float32: cosine similarity of probe and photo, −1 to 1; −1 where there is none.
    """

    ids: Ids
    photos: Int32
    scores: Float32

    def __post_init__(self) -> None:
        for name, dtype in (("ids", np.object_), ("photos", np.int32), ("scores", np.float32)):
            array = getattr(self, name)
            if array.ndim != 2 or array.shape != self.scores.shape or array.dtype != dtype:
                wanted = f"{np.dtype(dtype)} of shape (n, k) like the others"
                raise ValueError(f"Candidates.{name} must be {wanted}, not {array.dtype} {array.shape}")
        if self.scores.size and not (self.scores.min() >= -1 and self.scores.max() <= 1):  # NaN fails too
            raise ValueError("Candidates.scores must be cosine similarities, −1 to 1")
        if (self.scores[:, 1:] > self.scores[:, :-1]).any():
            raise ValueError("Candidates must stand best first")
        if ((self.ids == "") != (self.photos < 1)).any():
            raise ValueError("every candidate needs an id and the number of a photo")

    @classmethod
    def none(cls, n: int, k: int) -> Candidates:
        """Nobody, for n probes."""
        return cls(np.full((n, k), "", object), np.zeros((n, k), np.int32), np.full((n, k), -1, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def row(self, probe: int) -> list[tuple[str, int, float]]:
        """Id, photo and score of the candidates of one probe, best first."""
        found = zip(self.ids[probe].tolist(), self.photos[probe].tolist(), self.scores[probe].tolist(), strict=True)
        return [candidate for candidate in found if candidate[0]]


class SearchEngine(Protocol):
    """Finds the people whose templates resemble a probe's.

    Safe from several threads at once, but for `wipe`, which is called when nobody searches any more.
    """

    @property
    def kind(self) -> str:
        """How it searches, in one word for status and metrics: `hnsw`, `exact`."""
        ...

    def __len__(self) -> int:
        """How many people can be found."""
        ...

    def search(self, embeddings: Float32, k: int) -> Candidates:
        """The best k people of each probe, of `(n, d)` unit vectors; n may be 0.

        The rows have `min(k, people)` columns. `embeddings` are the caller's: they are not kept, and not changed.

        Raises
        ------
        WatchlistError
            The probes have another dimension than the templates, or hold NaN or infinity.
        """
        ...

    def wipe(self) -> None:
        """Overwrite what this process holds, or hand it back to the system; nobody is found afterwards.

        Only memory is meant, and what is open: what is stored on a disk or elsewhere stays. A second time does nothing.
        """
        ...


class Gallery(SearchEngine, Protocol):
    """The people that a camera looks for."""

    @property
    def version(self) -> str:
        """Names what the gallery holds: of a sealed list, the SHA-256 of its file; another content has another."""
        ...

    @property
    def recall(self) -> float:
        """The share of the exact search's best candidates that the graph found when it was checked, 0 to 1.

        1 where there is no graph. Below `RECALL_WANTED`, `kind` tells whether the exact search stands in.
        """
        ...

    def entry(self, id_: str) -> Entry:
        """What is known of somebody.

        Raises
        ------
        WatchlistError
            There is nobody of that id.
        """
        ...

    def picture(self, id_: str, photo: int) -> bytes:
        """One photo of somebody as it goes into an alert: a JPEG, 256×256 pixels. A copy, so it outlives `wipe`.

        Parameters
        ----------
        photo
            As in `Candidates.photos`: from 1.

        Raises
        ------
        WatchlistError
            There is nobody of that id, or no such photo.
        """
        ...


def check_probes(embeddings: Float32, dimension: int) -> Float32:
    """The probes as a search engine can take them: float32 of shape `(n, dimension)`, contiguous.

    Raises
    ------
    WatchlistError
        Another shape, or NaN or infinity: a graph would take them and find anybody.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != dimension:
        raise WatchlistError(f"Probes must have shape (n, {dimension}), not {embeddings.shape}.")
    if not np.isfinite(embeddings).all():
        raise WatchlistError("A probe holds NaN or infinity; the embedder or its provider is broken.")
    return np.ascontiguousarray(embeddings, np.float32)
