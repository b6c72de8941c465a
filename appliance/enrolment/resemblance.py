"""Who on the list looks like whom: photos that do not fit their entry, one person twice, people who resemble many.

Every pair of entries is compared, in blocks, so that 10,000 entries need seconds and little memory. What is unusual is
judged against the list's own strangers: the similarities between different entries, nearly all of whom are different
people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from appliance.core.types import Float32, Int32

BLOCK_ENTRIES = 512
MAX_REPORTED = 500
MIN_ENTRIES_FOR_NORMS = 40
"""With fewer, the list says too little about strangers, and shares of the match threshold stand in."""

STRANGER_QUANTILE = 0.99
"""A pair of one entry's photos below this quantile of strangers cannot be told from two people."""
NEIGHBOURS_SHARE = 0.01
"""How an entry lies in the crowd is told by its mean similarity to this share of the others, the nearest ones."""
HUB_DEVIATIONS = 5.0
"""Robust standard deviations (1.4826 MAD) above the median from which an entry resembles unusually many."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries that may be one person: positions, the best similarity of their photos, and these two templates."""

    first: int
    second: int
    similarity: float
    first_template: int = -1
    second_template: int = -1


@dataclass(frozen=True, slots=True)
class Misfit:
    """A photo that does not look like the other photos of its entry: position of its template, best similarity."""

    template: int
    similarity: float


@dataclass(frozen=True, slots=True)
class ResemblesMany:
    """An entry that resembles unusually many others.

    Attributes
    ----------
    entry
        Its position.
    deviations
        How far above the list's median its nearness to others lies, in robust standard deviations.
    neighbours
        How many others are nearer to it than `Resemblance.stranger_limit`; `expected` is what an entry has on average.
    """

    entry: int
    deviations: float
    neighbours: int
    expected: float


@dataclass(slots=True)
class Resemblance:
    """What was found.

    Attributes
    ----------
    duplicates
        Pairs of entries at or above the match threshold, nearest first; at most `MAX_REPORTED`.
    misfits
        Photos that do not fit their entry.
    hubs
        Entries that resemble unusually many, worst first.
    stranger_limit
        The cosine similarity that 1 % of pairs of strangers exceed.
    """

    duplicates: list[Pair] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    hubs: list[ResemblesMany] = field(default_factory=list)
    stranger_limit: float = 0.0
    duplicates_total: int = 0


def _blocks(templates: Float32, owners: Int32) -> Iterator[tuple[int, Float32]]:
    """The best similarity of each entry to each other one, by rows: first row's entry, `(rows, n)` float32."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    n = len(starts)
    for first in range(0, n, BLOCK_ENTRIES):
        last = min(n, first + BLOCK_ENTRIES)
        rows = templates[starts[first] : starts[last] if last < n else len(templates)]
        similar = np.maximum.reduceat(rows @ templates.T, starts, axis=1)
        similar = np.maximum.reduceat(similar, starts[first:last] - starts[first], axis=0)
        similar[np.arange(last - first), np.arange(first, last)] = -2  # an entry is no stranger to itself
        yield first, similar


def compare(templates: Float32, entry_of_template: Int32, match_threshold: float) -> Resemblance:
    """Compare everybody with everybody.

    Parameters
    ----------
    templates
        An array of shape `(t, d)`, unit vectors, grouped by entry.
    entry_of_template
        An array of shape `(t,)`, ascending from 0, none left out.
    match_threshold
        The embedder's: a stranger who reaches it raises a false alert, two entries that reach it would alert for each
        other.
    """
    n = int(entry_of_template[-1]) + 1 if len(entry_of_template) else 0
    if not n:
        return Resemblance()
    enough = n >= MIN_ENTRIES_FOR_NORMS
    limit = _stranger_limit(templates, entry_of_template) if enough else 0.5 * match_threshold
    found = Resemblance(stranger_limit=limit)
    nearest = max(5, round(NEIGHBOURS_SHARE * n))
    nearness = np.zeros(n, np.float32)
    counts = np.zeros(n, np.int64)
    pairs: list[Pair] = []
    for first, similar in _blocks(templates, entry_of_template) if n > 1 else ():
        rows, columns = np.nonzero(similar >= match_threshold)
        above = columns > rows + first
        pairs += [
            Pair(int(row) + first, int(column), float(similar[row, column]))
            for row, column in zip(rows[above], columns[above], strict=True)
        ]
        if enough:
            # a likely duplicate is one person, not one of many who look alike
            similar[rows, columns] = -2
            here = slice(first, first + len(similar))
            nearness[here] = np.partition(similar, n - nearest, axis=1)[:, n - nearest :].clip(min=-1).mean(axis=1)
            counts[here] = (similar > limit).sum(axis=1)
    pairs.sort(key=lambda pair: -pair.similarity)
    found.duplicates_total = len(pairs)
    found.duplicates = [_with_templates(pair, templates, entry_of_template) for pair in pairs[:MAX_REPORTED]]
    found.misfits = _misfits(templates, entry_of_template, min(limit, match_threshold))
    if enough:
        found.hubs = _hubs(nearness, counts)
    return found


def _with_templates(pair: Pair, templates: Float32, owners: Int32) -> Pair:
    """The pair, and which of their photos are so alike."""
    first, second = np.flatnonzero(owners == pair.first), np.flatnonzero(owners == pair.second)
    similar = templates[first] @ templates[second].T
    row, column = np.unravel_index(int(similar.argmax()), similar.shape)
    return replace(pair, first_template=int(first[row]), second_template=int(second[column]))


def _stranger_limit(templates: Float32, owners: Int32, sample: int = 1500) -> float:
    """The similarity that 1 % of pairs of different entries exceed, of a fixed sample: one template an entry."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    if len(starts) > sample:
        starts = np.sort(np.random.default_rng(0).choice(starts, sample, replace=False))
    some = templates[starts]
    similar = (some @ some.T)[np.triu_indices(len(some), 1)]
    return float(np.quantile(similar, STRANGER_QUANTILE))


def _misfits(templates: Float32, owners: Int32, limit: float) -> list[Misfit]:
    """Photos of entries with several whose best similarity to another photo of the entry is a stranger's."""
    found: list[Misfit] = []
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(starts, append=len(owners))
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        group = templates[start : start + size]
        similar = group @ group.T
        np.fill_diagonal(similar, -2)
        best = similar.max(axis=1)
        odd = np.flatnonzero(best < limit)
        # of two that do not fit each other neither is known to be the wrong one: both are shown
        found += [Misfit(int(start + position), float(best[position])) for position in odd]
    return found


def _hubs(nearness: Float32, counts: npt.NDArray[np.int64]) -> list[ResemblesMany]:
    middle = float(np.median(nearness))
    # at least 0.005, so that in a list of near-identical distances nobody stands out by a hair
    spread = max(1.4826 * float(np.median(np.abs(nearness - middle))), 0.005)
    deviations = (nearness - middle) / spread
    expected = float(counts.mean())
    order = np.argsort(-deviations)
    return [
        ResemblesMany(int(entry), float(deviations[entry]), int(counts[entry]), expected)
        for entry in order[:MAX_REPORTED]
        if deviations[entry] > HUB_DEVIATIONS and counts[entry] > 2 * expected
    ]
