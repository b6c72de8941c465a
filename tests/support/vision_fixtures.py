"""Prepared models and portraits, opened once; and a models folder of local files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from vision_networks import embedding_network

from appliance.core.types import Image
from appliance.vision import models
from appliance.vision.detector import OnnxDetector, open_detector
from appliance.vision.embedder import OnnxEmbedder, open_embedder


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def manifest() -> models.Manifest:
    found = models.load_manifest()
    wrong = [problem for problem in models.verify(found).values() if problem]
    if wrong:
        pytest.skip(f"run lfr models install: {wrong[0]}")
    return found


@pytest.fixture(scope="session")
def detector(manifest: models.Manifest) -> OnnxDetector:
    return open_detector(manifest, "centerface", "cpu", 1)


@pytest.fixture(scope="session")
def embedder(manifest: models.Manifest) -> OnnxEmbedder:
    return open_embedder(manifest, "mobilefacenet", "cpu", 1)


def _portrait(manifest: models.Manifest, name: str) -> Image:
    picture = cv2.imread(str(manifest.path(manifest.pictures[name])))
    assert picture is not None
    picture.setflags(write=False)
    return picture.astype(np.uint8, copy=False)


@pytest.fixture(scope="session")
def astronaut(manifest: models.Manifest) -> Image:
    return _portrait(manifest, "astronaut")


@pytest.fixture(scope="session")
def hopper(manifest: models.Manifest) -> Image:
    return _portrait(manifest, "hopper")


EMBEDDER = """
  {name}:
    source: {{file: {file}}}
    sha256: {sha}
    licence: test
    input: {{channels: rgb, mean: [127.5, 127.5, 127.5], scale: 0.0078125}}
    crop_px: 32
    dimension: {dimension}
    threshold: 0.4
"""

MakeManifest = Callable[..., models.Manifest]


@pytest.fixture
def local_models(tmp_path: Path) -> MakeManifest:
    """A models folder whose embedder and picture are local files: `make(network=…, sha=…)` writes and loads it."""

    def make(network: bytes | None = None, sha: str | None = None, dimension: int = 16) -> models.Manifest:
        folder = tmp_path / "models"
        folder.mkdir(exist_ok=True)
        network = embedding_network(dimension) if network is None else network
        (folder / "own.raw").write_bytes(network)
        pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
        encoded = cv2.imencode(".png", cv2.resize(pixels, (128, 128)))[1].tobytes()
        (folder / "noise.source.png").write_bytes(encoded)
        entry = EMBEDDER.format(name="own", file="own.raw", sha=sha or models.sha256_of(network), dimension=dimension)
        (folder / "manifest.yaml").write_text(
            f"detectors: {{}}\nembedders:{entry}\npictures:\n  noise:\n    source: {{file: noise.source.png}}\n"
            f"    sha256: {models.sha256_of(encoded)}\n    licence: test\n"
        )
        return models.load_manifest(folder)

    return make


@pytest.fixture(scope="session")
def two_portraits(
    detector: OnnxDetector, astronaut: Image, hopper: Image
) -> tuple[tuple[Image, Any], tuple[Image, Any]]:
    """Each portrait with its one face."""
    return (astronaut, detector.detect(astronaut)), (hopper, detector.detect(hopper))
