"""The templates that a search engine in memory searches, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from appliance.core.types import Float32, Int32
from appliance.gallery.port import Candidates, Ids


@dataclass(slots=True, eq=False)
class Templates:
    """Unit vectors, those of a person together, in the order of the people; checked when made.

    Attributes
    ----------
    vectors
        An array of shape `(t, d)`, float32; not copied.
    owners
        An array of shape `(t,)`, int32: position of each vector's person in `ids`; ascending, nobody left out.
    ids
        The ids of the p people, dtype `object`.
    """

    vectors: Float32 = field(repr=False)
    owners: Int32 = field(repr=False)
    ids: Ids = field(repr=False)
    _first: Int32 = field(init=False, repr=False)
    _most: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        t, people = len(self.owners), len(self.ids)
        if self.vectors.ndim != 2 or len(self.vectors) != t or self.vectors.dtype != np.float32:
            raise ValueError(f"vectors must be float32 of shape ({t}, d)")
        if self.owners.dtype != np.int32 or (np.diff(self.owners) < 0).any():
            raise ValueError("owners must be ascending int32 positions")
        each = np.bincount(self.owners, minlength=people)
        if len(each) != people or not each.all():
            raise ValueError("every person needs templates, and every template a person")
        self._first = (np.cumsum(each) - each).astype(np.int32)
        self._most = int(each.max()) if people else 0

    @classmethod
    def none(cls, dimension: int) -> Templates:
        """Of nobody."""
        return cls(np.zeros((0, dimension), np.float32), np.zeros(0, np.int32), np.zeros(0, object))

    @property
    def people(self) -> int:
        """How many."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.owners)

    def needed(self, k: int) -> int:
        """How many of the nearest templates are sure to hold those of the nearest k people (k ≥ 1)."""
        # before the first of the k-th person there are at most all of the k − 1 others
        return min(len(self), (k - 1) * self._most + 1)

    def candidates(self, nearest: Int32, scores: Float32, k: int) -> Candidates:
        """The best k people of each probe, with their best photo.

        Parameters
        ----------
        nearest, scores
            Of shape `(n, m)`: positions of templates, best first, and their similarities.
        k
            At most the number of people; m is at least `needed(k)`.
        """
        people = self.owners[nearest]
        if self._most == 1:  # nobody can come twice
            best = people[:, :k]
            return Candidates(self.ids[best], np.ones(best.shape, np.int32), np.clip(scores[:, :k], -1, 1))
        ids = np.full((len(nearest), k), "", object)
        photos = np.zeros(ids.shape, np.int32)
        similar = np.full(ids.shape, -1, np.float32)
        first = np.ones(people.shape, bool)
        for column in range(1, people.shape[1]):
            first[:, column] = (people[:, :column] != people[:, column : column + 1]).all(axis=1)
        rank = np.cumsum(first, axis=1) - 1
        rows, columns = np.nonzero(first & (rank < k))
        place, owners = rank[rows, columns], people[rows, columns]
        ids[rows, place] = self.ids[owners]
        photos[rows, place] = nearest[rows, columns] - self._first[owners] + 1
        similar[rows, place] = np.clip(scores[rows, columns], -1, 1)
        return Candidates(ids, photos, similar)
