"""Made-up people for the tests of galleries and search engines: vectors that resemble nobody, and lists of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from appliance.core.types import Float32, Int32
from appliance.gallery.templates import Templates
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.sealed import Watchlist

DIMENSION = 64
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def unit(rows: int, dimension: int = DIMENSION, seed: int = 0) -> Float32:
    """Random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def owners_of(photos: list[int]) -> Int32:
    """Whose each template is, from the number of photos of each person."""
    return np.repeat(np.arange(len(photos), dtype=np.int32), photos).astype(np.int32)


def ids_of(people: int) -> list[str]:
    return [f"N-{number}" for number in range(people)]


def make_templates(photos: list[int], seed: int = 0) -> Templates:
    """So many photos of each person."""
    return Templates(unit(sum(photos), seed=seed), owners_of(photos), np.array(ids_of(len(photos)), object))


def make_watchlist(photos: list[int], seed: int = 0, digest: str = "d" * 64) -> Watchlist:
    """The same people as an opened list; the picture of each photo says whose it is."""
    return Watchlist(
        entries=tuple(Entry(id=id_, label=f"Person {id_}", category="test") for id_ in ids_of(len(photos))),
        templates=unit(sum(photos), seed=seed),
        entry_of_template=owners_of(photos),
        portraits=[
            bytearray(f"\xff\xd8{id_}/{photo}".encode("latin-1"))
            for id_, count in zip(ids_of(len(photos)), photos, strict=True)
            for photo in range(1, count + 1)
        ],
        embedder="madeup@0",
        deployment="test",
        sequence=1,
        built_at=NOON,
        expires_at=NOON,
        builder="B. Birch",
        approvals=(),
        digest=digest,
    )


def near(vectors: Float32, noise: float = 0.1, seed: int = 5) -> Float32:
    """Unit vectors that resemble the given ones."""
    mixed = vectors + noise * unit(len(vectors), vectors.shape[1], seed)
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)
