"""Faces that are plain colours, and a detector and embedder that know them: what a pipeline does, seen pixel by pixel.

Red is `A` on the watchlist, yellow `T`, magenta the blue-list officer `B`; every other colour is nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
from present import image_of

from appliance.alerts.messages import ModelRefs
from appliance.camera.pipeline import Identity, Pipeline, Rules
from appliance.camera.recogniser import AlertPolicy
from appliance.core.telemetry import Meter
from appliance.core.types import Faces, Frame
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.gallery import WatchlistGallery, open_gallery
from appliance.gallery.watchlist.sealed import Watchlist
from appliance.vision.models import ARCFACE_TEMPLATE
from appliance.vision.quality import Gate

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STREET_BGR = (120, 130, 125)
COLOURS = {
    "red": (20, 20, 220),
    "yellow": (20, 220, 220),
    "magenta": (220, 20, 220),
    "blue": (220, 20, 20),
    "green": (20, 220, 20),
}
KNOWN = ("red", "yellow", "magenta")
"""Position in the watchlist."""
ENTRIES = (
    Entry(id="A", category="theft", label="a", response="amber"),
    Entry(id="T", category="terrorism", label="t", response="red"),
    Entry(id="B", category="blue", label="b", response="blue"),
)
EVERY_FACE = Gate(1, 0, 0, 180, 180, 180, 0, 1)


@dataclass
class Painted:
    """A face at a place: colour, left, top, size; `score` as the detector's."""

    colour: str
    x: int
    y: int
    size: int = 60
    score: float = 0.9

    @property
    def box(self) -> tuple[int, int, int, int]:
        return (self.x, self.y, self.x + self.size, self.y + self.size)

    @property
    def middle(self) -> tuple[int, int]:
        return (self.y + self.size // 2, self.x + self.size // 2)


def faces_of(painted: Sequence[Painted]) -> Faces:
    if not painted:
        return Faces.empty()
    template = np.array(ARCFACE_TEMPLATE, np.float32) / 112
    return Faces(
        np.array([one.box for one in painted], np.float32),
        np.stack([template * one.size + (one.x, one.y) for one in painted]).astype(np.float32),
        np.array([one.score for one in painted], np.float32),
    )


class Detector:
    """Finds what it is told; keeps the pictures that it was shown."""

    ref, provider, match_threshold = "painted@0", "cpu", 0.5

    def __init__(self) -> None:
        self.faces: list[Painted] = []
        self.closer: list[Painted] = []
        """Found only at a second look, at what is about to leave."""
        self.shown: list[np.ndarray] = []

    def detect(self, frame_bgr: np.ndarray, min_face_px: float | None = None) -> Faces:
        self.shown.append(frame_bgr)
        return faces_of(self.faces if min_face_px is None else self.closer)

    def refine(self, frame_bgr: np.ndarray, faces: Faces) -> Faces:
        return faces


class Embedder:
    """Knows colours; `similarity` is how much a known one resembles its entry. Keeps what it was given and gave."""

    ref, provider, dimension, crop_px, threshold = "painted@0", "cpu", 16, 112, 0.5
    template: tuple[tuple[float, float], ...] = ARCFACE_TEMPLATE

    def __init__(self) -> None:
        self.similarity = 0.9
        self.kept: list[np.ndarray] = []
        self.embedded = 0

    def embed(self, crops_bgr: np.ndarray) -> np.ndarray:
        found = np.zeros((len(crops_bgr), self.dimension), np.float32)
        for row, crop in zip(found, crops_bgr, strict=True):
            colour = min(COLOURS, key=lambda name: np.abs(crop[56, 56].astype(int) - COLOURS[name]).sum())
            if colour in KNOWN:
                row[KNOWN.index(colour)] = self.similarity
                row[10] = np.sqrt(1 - self.similarity**2)
            else:
                row[11] = 1
        self.embedded += len(crops_bgr)
        self.kept += [crops_bgr, found]
        return found

    def embed_enrolment(self, crops_bgr: np.ndarray) -> np.ndarray:
        return self.embed(crops_bgr)


def watchlist(digest: str = "d" * 64, entries: Sequence[Entry] = ENTRIES) -> Watchlist:
    return Watchlist(
        entries=tuple(entries),
        templates=np.eye(len(entries), 16, dtype=np.float32),
        entry_of_template=np.arange(len(entries), dtype=np.int32),
        portraits=[bytearray(f"\xff\xd8photo of {entry.id}".encode("latin-1")) for entry in entries],
        embedder="painted@0",
        deployment="test",
        sequence=1,
        built_at=NOON,
        expires_at=NOON + timedelta(days=9999),
        builder="B. Birch",
        approvals=(),
        digest=digest,
    )


def make_gallery() -> WatchlistGallery:
    return open_gallery(watchlist())


@dataclass
class Street:
    """A pipeline and the pictures that it is shown; `show` gives what it found."""

    policy: AlertPolicy = field(default_factory=lambda: AlertPolicy(0.5, {"terrorism": 0.4}))
    run_id: str = "run"
    live: bool = False

    def __post_init__(self) -> None:
        self.detector, self.embedder, self.meter = Detector(), Embedder(), Meter()
        refs = ModelRefs(detector=self.detector.ref, embedder=self.embedder.ref)
        identity = Identity("test", "north", "A street", self.run_id, refs)
        rules = Rules(EVERY_FACE, self.policy, "solid")
        self.pipeline = Pipeline(self.detector, self.embedder, rules, identity, self.meter)
        self.gallery = make_gallery()

    def frame(self, at_s: float, *painted: Painted, unseen: Sequence[Painted] = ()) -> Frame:
        image = np.full((240, 320, 3), STREET_BGR, np.uint8)
        for one in (*painted, *unseen):
            cv2.rectangle(image, (one.x, one.y), (one.x + one.size, one.y + one.size), COLOURS[one.colour], -1)
        self.detector.faces, self.detector.closer = list(painted), list(unseen)
        return Frame(image, 0, NOON + timedelta(seconds=at_s), at_s, None if self.live else at_s)

    def show(self, at_s: float, *painted: Painted, unseen: Sequence[Painted] = ()) -> list[Any]:
        return self.pipeline.process(self.frame(at_s, *painted, unseen=unseen), self.gallery)


def looks(jpg: bytes, painted: Painted) -> str:
    """Which colour a face has in a picture; `hidden` where it is redacted."""
    return colour_at(image_of(jpg), painted.middle)


def colour_at(image: np.ndarray, at: tuple[int, int]) -> str:
    known = {**COLOURS, "hidden": (70, 70, 70), "street": STREET_BGR}
    return min(known, key=lambda name: np.abs(image[at].astype(int) - known[name]).sum())
