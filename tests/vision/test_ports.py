"""The real models and the fakes of the tests answer everything that callers may ask of a detector and an embedder."""

from __future__ import annotations

from typing import Any

import painted_faces
import pytest

from appliance.vision.detector import OnnxDetector
from appliance.vision.embedder import OnnxEmbedder
from appliance.vision.ports import FaceDetector, FaceEmbedder


def asked_of(port: type) -> set[str]:
    return {name for name in {*port.__annotations__, *vars(port)} if not name.startswith("_")}


@pytest.mark.parametrize("real", [True, False], ids=["real", "fake"])
def test_everything_of_the_port_is_there(detector: OnnxDetector, embedder: OnnxEmbedder, real: bool) -> None:
    ports: dict[type, Any] = {
        FaceDetector: detector if real else painted_faces.Detector(),
        FaceEmbedder: embedder if real else painted_faces.Embedder(),
    }
    for port, model in ports.items():
        lacks = {name for name in asked_of(port) if not hasattr(model, name)}
        assert not lacks
        assert "@" in model.ref


def test_an_embedders_template_lies_in_its_crop(embedder: OnnxEmbedder) -> None:
    assert len(embedder.template) == 5
    assert all(0 < value < embedder.crop_px for point in embedder.template for value in point)
