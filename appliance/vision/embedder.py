"""Aligned crops → unit vectors."""

from __future__ import annotations

import numpy as np

from appliance.core.errors import ModelError
from appliance.core.types import Float32, Image
from appliance.vision import models
from appliance.vision.engine import Session
from appliance.vision.models import EmbedderEntry, Manifest

MAX_BATCH = 8


class OnnxEmbedder:
    """An ArcFace-style embedder as its manifest entry describes it.

    Attributes
    ----------
    name, ref
        Of the manifest entry.
    provider
        The execution provider that was proven.
    threshold
        The manifest's: cosine similarity from which a candidate is an alert.
    dimension, crop_px, template
        Of the vectors; of the crops (pixels), and where the landmarks lie in one.
    """

    def __init__(self, entry: EmbedderEntry, session: Session) -> None:
        self.name = entry.name
        self.ref = entry.ref
        self.dimension = entry.dimension
        self.crop_px = entry.crop_px
        self.threshold = entry.threshold
        self.template = entry.template_points
        self.provider = session.provider
        self._session = session
        self._reverse = entry.input.channels == "rgb"
        self._mean = np.array(entry.input.mean, np.float32).reshape(3, 1, 1)
        self._scale = np.float32(entry.input.scale)
        self._output = (entry.output,) if entry.output else session.outputs[:1]
        self._input = np.zeros((MAX_BATCH, 3, entry.crop_px, entry.crop_px), np.float32)

    def embed(self, crops_bgr: Image) -> Float32:
        """Crops of shape `(n, crop_px, crop_px, 3)` to unit vectors of shape `(n, dimension)`; n may be 0.

        The input buffer is overwritten before this returns: nothing of a face stays here.

        Raises
        ------
        ModelError
            The network gave NaN, infinity, a zero vector or another dimension than its entry says.
        """
        if crops_bgr.shape[1:] != (self.crop_px, self.crop_px, 3) or crops_bgr.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 (n, {self.crop_px}, {self.crop_px}, 3), not {crops_bgr.shape}")
        vectors = np.empty((len(crops_bgr), self.dimension), np.float32)
        for start in range(0, len(crops_bgr), MAX_BATCH):
            chunk = crops_bgr[start : start + MAX_BATCH, ..., :: -1 if self._reverse else 1]
            batch = self._input[: len(chunk)]
            try:
                np.subtract(chunk.transpose(0, 3, 1, 2), self._mean, out=batch)
                np.multiply(batch, self._scale, out=batch)
                found = self._session.run(batch, self._output)[0]
            finally:
                batch.fill(0)
            if found.shape != (len(chunk), self.dimension):
                raise ModelError(
                    f"{self.name} gave {found.shape} for {len(chunk)} faces of dimension {self.dimension}."
                )
            vectors[start : start + len(chunk)] = found
            found.fill(0)
        return self._unit(vectors)

    def embed_enrolment(self, crops_bgr: Image) -> Float32:
        """Like `embed`, for templates: the mean of a crop's vector and its mirror image's, made a unit vector again."""
        return self._unit(self.embed(crops_bgr) + self.embed(crops_bgr[:, :, ::-1]))

    def _unit(self, vectors: Float32) -> Float32:
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (norms > 1e-6).all():
            raise ModelError(f"{self.name} gave a vector without direction.")
        vectors /= norms
        return vectors


def open_embedder(manifest: Manifest, name: str, provider: str = "auto", threads: int = 1) -> OnnxEmbedder:
    """The embedder of that name, its file checked, its provider proven, every batch size warm.

    Raises
    ------
    ModelError, ProviderError
        It is not installed, was altered, or does not run on the provider that was named.
    """
    entry = manifest.embedder(name)
    shape = (3, entry.crop_px, entry.crop_px)
    session = Session(
        models.read_ready(manifest, entry),
        provider,
        threads,
        golden_shape=(1, *shape),
        name=name,
        optimise=entry.optimise,
    )
    if entry.output and entry.output not in session.outputs:
        raise ModelError(f"{name} has no output {entry.output}.", "It has: " + ", ".join(session.outputs) + ".")
    embedder = OnnxEmbedder(entry, session)
    # On the CPU nothing is chosen per size; on a GPU each size has its own kernels and memory.
    session.warm([(size, *shape) for size in (range(1, MAX_BATCH + 1) if session.provider != "cpu" else (1,))])
    return embedder
