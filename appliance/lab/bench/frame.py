"""What a frame costs: the pipeline's stages, and the whole against the bare models on the same input in the same run.

Each inference of the pipeline is repeated bare, right before or after it and on the same bytes, so that a noisy machine
slows both alike. The ratio says what everything but the models costs: scaling, tracking, judging, aligning, search,
decision, overwriting.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from appliance.alerts.messages import ModelRefs
from appliance.camera.pipeline import Identity, Pipeline, Rules
from appliance.camera.recogniser import AlertPolicy
from appliance.config.live import Camera
from appliance.config.sections import Models
from appliance.core.clock import utc_now
from appliance.core.telemetry import Meter
from appliance.core.types import Float32, Frame
from appliance.gallery.port import Gallery
from appliance.gallery.watchlist.entry import Entry
from appliance.gallery.watchlist.gallery import open_gallery
from appliance.gallery.watchlist.sealed import Watchlist
from appliance.lab.simulation.sources import SIMULATED
from appliance.vision import models as manifests
from appliance.vision.detector import OnnxDetector
from appliance.vision.embedder import OnnxEmbedder
from appliance.vision.engine import Session
from appliance.vision.quality import Gate

STAGES = {"detect": ("detect", "refine"), "embed": ("embed",), "search": ("search",)}
"""Names in the figures → stages of `lfr_stage_seconds`; redaction happens for alerts and previews only."""


class PairedSession(Session):
    """A session that runs everything twice, once for the pipeline and once bare, and keeps the time of the latter.

    Whichever runs second finds the network's weights in the processor's caches, so they take turns at being first.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.bare_s: list[float] = []
        self.rows = 0

    def run(self, batch: Float32, outputs: tuple[str, ...] | None = None) -> list[Float32]:
        """One inference for the caller, and the same against the clock before or after it."""
        self.rows += len(batch)
        if len(self.bare_s) % 2:
            self._run_bare(batch, outputs)
            return super().run(batch, outputs)
        results = super().run(batch, outputs)
        self._run_bare(batch, outputs)
        return results

    def _run_bare(self, batch: Float32, outputs: tuple[str, ...] | None) -> None:
        wanted = list(outputs) if outputs else None
        started = time.perf_counter()
        self._session.run(wanted, {self.input: batch})
        self.bare_s.append(time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """What `measure_pipeline` found; times in milliseconds."""

    frames: int
    frame_wh: tuple[int, int]
    faces_found: int
    faces_embedded: int
    watchlist_entries: int
    stage_ms: dict[str, float]
    frame_ms_p50: float
    frame_ms_p99: float
    bare_detect_ms: float
    bare_embed_ms_a_face: float
    frames_a_second: float
    faces_a_second: float
    pipeline_over_bare: float
    dwell_ms_p50: float
    dwell_ms_p99: float
    alerts: int


def strangers(count: int, dimension: int, seed: int = 1) -> Watchlist:
    """A watchlist of `count` random unit vectors: the size of a real one, and nobody's face."""
    rng = np.random.default_rng(seed)
    templates = rng.standard_normal((count, dimension)).astype(np.float32)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    entries = tuple(Entry(id=f"X-{i:05d}", category="bench", label="", response="amber") for i in range(count))
    now = utc_now()
    return Watchlist(
        entries=entries,
        templates=templates,
        entry_of_template=np.arange(count, dtype=np.int32),
        portraits=[bytearray(1) for _ in entries],
        embedder="bench",
        deployment="bench",
        sequence=1,
        built_at=now,
        expires_at=now,
        builder="bench",
        approvals=(),
        digest="0" * 64,
    )


def frames_of(source: str, seconds: float) -> list[Frame]:
    """The frames of a finite source, read once and kept in memory."""
    from appliance.camera.sources.open import open_source

    camera = Camera(name="bench", source=source, pace="fast")
    opened = open_source(camera, simulated=SIMULATED)
    frames: list[Frame] = []
    try:
        while (frame := opened.read(5.0)) is not None and (frame.media_s or 0.0) < seconds:
            kept = Frame(
                frame.image_bgr.copy(), frame.index, frame.captured_at_utc, frame.captured_monotonic_s, frame.media_s
            )
            frames.append(kept)
            opened.release(frame)
    finally:
        opened.close()
    return frames


def measure_pipeline(source: str, seconds: float, entries: int, settings: Models, min_face_px: int) -> PipelineFigures:
    """Run the pipeline over the frames of a source as a camera would, each inference paired with a bare one.

    Parameters
    ----------
    source
        A finite source, such as `street:?people=6&seed=2`.
    entries
        Size of the watchlist of random templates that is searched.
    """
    manifest = manifests.load_manifest(settings.dir)
    detector_entry, embedder_entry = manifest.detector(settings.detector), manifest.embedder(settings.embedder)
    detect = PairedSession(manifests.read_ready(manifest, detector_entry), settings.provider, settings.threads)
    embed = PairedSession(
        manifests.read_ready(manifest, embedder_entry),
        settings.provider,
        settings.threads,
        optimise=embedder_entry.optimise,
    )
    detector = OnnxDetector(detector_entry, detect, min_face_px)
    embedder = OnnxEmbedder(embedder_entry, embed)
    meter = Meter()
    gallery = open_gallery(strangers(entries, embedder.dimension))
    pipeline = Pipeline(
        detector,
        embedder,
        Rules(
            Gate(min_size_px=0.8 * min_face_px),
            AlertPolicy(threshold=embedder.threshold),
            "pixelate",
            detector.match_threshold,
        ),
        Identity("bench", "bench", "", "bench", ModelRefs(detector=detector.ref, embedder=embedder.ref)),
        meter,
    )
    frames = frames_of(source, seconds)
    _warm(pipeline, frames[:2], gallery)
    for session in (detect, embed):
        session.bare_s.clear()
        session.rows = 0

    def spent_s() -> dict[str, float]:
        return {
            name: sum(meter.value("lfr_stage_seconds", camera="bench", stage=stage) for stage in stages)
            for name, stages in STAGES.items()
        }

    before_s = spent_s()
    faces_base = meter.value("lfr_faces_total", camera="bench")
    frame_s, alerts = [], 0
    for frame in frames[2:]:
        bare_before = sum(detect.bare_s) + sum(embed.bare_s)
        started = time.perf_counter()
        alerts += len(pipeline.process(frame, gallery))
        frame.wipe()
        took_s = time.perf_counter() - started
        frame_s.append(took_s - (sum(detect.bare_s) + sum(embed.bare_s) - bare_before))
    bare_s = {"detect": sum(detect.bare_s), "embed": sum(embed.bare_s)}
    count = len(frame_s)
    # The stage times hold the bare repetition too; it is taken out again.
    stage_ms = {
        name: 1000 * (seconds - before_s[name] - bare_s.get(name, 0.0)) / count for name, seconds in spent_s().items()
    }
    stage_ms["everything else"] = 1000 * sum(frame_s) / count - sum(stage_ms.values())
    percentiles = np.percentile(frame_s, [50, 99]) * 1000
    height, width = frames[0].image_bgr.shape[:2]
    return PipelineFigures(
        frames=count,
        frame_wh=(width, height),
        faces_found=round(meter.value("lfr_faces_total", camera="bench") - faces_base),
        faces_embedded=embed.rows,
        watchlist_entries=entries,
        stage_ms={stage: round(ms, 3) for stage, ms in stage_ms.items()},
        frame_ms_p50=round(float(percentiles[0]), 2),
        frame_ms_p99=round(float(percentiles[1]), 2),
        bare_detect_ms=round(1000 * statistics.median(detect.bare_s), 2),
        bare_embed_ms_a_face=round(1000 * bare_s["embed"] / max(1, embed.rows), 2),
        frames_a_second=round(count / sum(frame_s), 1),
        faces_a_second=round(embed.rows / sum(frame_s), 1),
        pipeline_over_bare=round(sum(frame_s) / sum(bare_s.values()), 3),
        dwell_ms_p50=round(float(percentiles[0]), 2),
        dwell_ms_p99=round(float(percentiles[1]), 2),
        alerts=alerts,
    )


def _warm(pipeline: Pipeline, frames: list[Frame], gallery: Gallery) -> None:
    for frame in frames:
        pipeline.process(frame, gallery)
