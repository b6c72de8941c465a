"""Keys, and a small sealed list of made-up people, for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from appliance.gallery.watchlist import sealed
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.payload import Payload
from appliance.gallery.watchlist.policy import WatchlistPolicy
from appliance.security import keys
from appliance.security.keys import Signer

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
EMBEDDER = "madeup@0123456789ab"


def unit(rows: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def make_payload(people: int = 3, photos: int = 2) -> Payload:
    t = people * photos
    return Payload(
        entries=tuple(Entry(id=f"N-{i}", label=f"Person {i}", category="test") for i in range(people)),
        templates=unit(t),
        entry_of_template=np.repeat(np.arange(people, dtype=np.int32), photos),
        portraits=[bytearray(b"\xff\xd8portrait-%d" % i) for i in range(t)],
    )


@dataclass(frozen=True)
class SealedListSetup:
    """One appliance's key folder with a builder, two approvers, and a list sealed for it."""

    keys: Path
    people: Path
    list: Path
    policy: WatchlistPolicy
    now: datetime = NOW
    embedder: str = EMBEDDER
    payload = staticmethod(make_payload)

    def seal(self, **changes: object) -> Path:
        options: dict[str, object] = {
            "recipient": keys.load_recipient(self.keys / "seal.pub"),
            "embedder": EMBEDDER,
            "expires": NOW + timedelta(hours=6),
            "deployment": "croydon",
            "sequence": 100,
            "created": NOW,
        } | changes
        payload = options.pop("payload", None) or make_payload()
        signer = options.pop("signer", None) or keys.load_signer(self.keys / "builder.key")
        sealed.seal(self.list, payload, signer, sealed.Terms(**options))  # type: ignore[arg-type]
        return self.list

    def open(self, **changes: object) -> sealed.Watchlist:
        policy = replace(self.policy, **changes)  # type: ignore[arg-type]
        return sealed.open_sealed(self.list, self.keys / "seal.key", policy)

    def approver(self, name: str, *, known: bool = True) -> Signer:
        into = self.keys / "approvers" if known else self.people
        secret, _ = keys.new_signer(self.people, keys.signer_stem(name), name, public_folder=into)
        return keys.load_signer(secret)


@pytest.fixture
def list_setup(tmp_path: Path) -> SealedListSetup:
    folder = tmp_path / "keys"
    keys.new_appliance_keys(folder, "B. Builder")
    policy = WatchlistPolicy(folder / "builders", folder / "approvers", 0, "croydon", NOW, 0, 10_000, EMBEDDER)
    home = SealedListSetup(folder, tmp_path / "people", tmp_path / "list.lfrw", policy)
    home.seal()
    return home


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Folder of the prepared models and portraits; the test is skipped where they are not installed."""
    from appliance.vision import models

    manifest = models.load_manifest()
    wrong = [problem for problem in models.verify(manifest).values() if problem]
    if wrong:
        pytest.skip(f"run lfr models install: {wrong[0]}")
    return manifest.dir


@pytest.fixture(scope="session")
def examiner(models_dir: Path) -> object:
    from appliance.vision.examine import open_examiner
    from appliance.vision.models import load_manifest

    return open_examiner(load_manifest(models_dir), "centerface", "mobilefacenet")
