"""One camera's process: frames in, alerts to the hub, heartbeats to the supervisor, everything else overwritten."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from datetime import datetime

import cv2
import structlog

from appliance.alerts.messages import ModelRefs, PreviewHeader, Sighting, made_at
from appliance.camera.active_gallery import ActiveGallery
from appliance.camera.frame_rate import FrameRate
from appliance.camera.pipeline import Identity, PicturedAlert, Pipeline, Rules
from appliance.camera.recogniser import AlertPolicy
from appliance.camera.settings import CameraSettings
from appliance.camera.sources.live import LiveSource
from appliance.camera.sources.open import FastSource, open_source
from appliance.config.live import Matching
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError, SourceError
from appliance.core.heartbeat import HeartbeatSender
from appliance.core.process import die_with_parent
from appliance.core.telemetry import configure_logging
from appliance.core.types import Frame
from appliance.stream.outbox import Outbox
from appliance.vision import models as manifests
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.quality import Gate

READ_TIMEOUT_S = 0.2
DRAIN_TIMEOUT_S = 3.0

log = structlog.get_logger()

Source = LiveSource | FastSource


def serve(settings: CameraSettings) -> None:
    """Run one camera until its source ends, the window ends or the supervisor says stop. A process entry.

    Exit code 0 when it ended as it should; 1 with one log line when it cannot start.
    """
    die_with_parent()
    configure_logging(settings.process)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cv2.setNumThreads(max(1, settings.models.threads))
    reporter = HeartbeatSender(settings.runtime, settings.process)
    reporter.beat("starting")
    try:
        CameraProcess(settings, reporter, stop).run()
    except LfrError as error:
        log.error("camera cannot run", camera=settings.camera.name, problem=str(error))
        reporter.beat("failed", now=True, detail=str(error))
        reporter.close()
        raise SystemExit(1) from None
    reporter.close()


class CameraProcess:
    """The loop that joins source, pipeline, outbox and heartbeat."""

    def __init__(self, settings: CameraSettings, reporter: HeartbeatSender, stop: threading.Event) -> None:
        self._settings = settings
        self._name = settings.camera.name
        self._reporter = reporter
        self._meter = reporter.meter
        self._stop = stop
        manifest = manifests.load_manifest(settings.models.dir)
        self._detector = open_detector(
            manifest,
            settings.models.detector,
            settings.models.provider,
            settings.models.threads,
            min_face_px=settings.camera.min_face_px,
        )
        embedder = open_embedder(manifest, settings.models.embedder, settings.models.provider, settings.models.threads)
        self._provider = embedder.provider
        self._galleries = ActiveGallery(settings, embedder.ref)
        self._pipeline = Pipeline(
            self._detector,
            embedder,
            Rules(
                # A face of just the wanted size measures a little less in some frames.
                Gate(min_size_px=0.8 * settings.camera.min_face_px),
                policy_of(settings.matching, embedder.threshold),
                settings.redaction.style,
                self._detector.match_threshold,
            ),
            Identity(
                settings.deployment,
                self._name,
                settings.location,
                settings.run_id,
                ModelRefs(detector=self._detector.ref, embedder=embedder.ref),
            ),
            self._meter,
        )
        self._outbox = Outbox(f"ipc://{settings.runtime}/hub", self._name, self._meter)
        self._next_preview_s = 0.0
        self._rate = FrameRate()
        self._dropped: dict[str, int] = {}

    def run(self) -> None:
        """Work until the source or the window ends, or until told to stop; then hand over what is left and wipe."""
        settings = self._settings
        source = open_source(settings.camera, started_at=made_at(settings.run_id), simulated=settings.simulated)
        log.info("camera is ready", source=settings.camera.safe_source, provider=self._provider)
        over = False
        try:
            while not (over or self._stop.is_set()):
                over = self._window_is_over() or self._turn(source)
            self._pipeline.finish()
        finally:
            source.close()
            self._galleries.close()
            if not over:
                self._outbox.drained(DRAIN_TIMEOUT_S / 2)
                self._outbox.close()  # before the last heartbeat, which tells what was lost with it
        if over:
            self._drain(source)
        else:
            self._beat(source, "stopped", now=True)

    def _turn(self, source: Source) -> bool:
        """One frame at most; True when the source is at its end."""
        self._outbox.pump(0)
        self._beat(source, source.state)
        wanted = self._reporter.instructions
        if wanted.stop:
            self._stop.set()
        if self._galleries.offer(wanted.watchlist, wanted.watchlist_min_sequence):
            log.info("watchlist changed", watchlist=self._galleries.current.version[:12])
        frame = source.read(READ_TIMEOUT_S)
        if frame is None:
            if source.state == "failed" and not source.finite:
                raise SourceError(source.detail)  # only a new process gets out of a decoder that hangs
            return source.finite and source.state in ("ended", "failed")
        if frame.media_s is None:
            self._observe("capture", time.monotonic() - frame.captured_monotonic_s)
        self._rate.looked(time.monotonic())
        try:
            for finding in self._pipeline.process(frame, self._galleries.current):
                self._send(finding)
            self._preview(frame)
        finally:
            captured_s = frame.captured_monotonic_s
            source.release(frame)
            self._meter.observe("lfr_nonmatch_dwell_seconds", time.monotonic() - captured_s, camera=self._name)
        return False

    def _send(self, finding: PicturedAlert) -> None:
        alert = finding.alert
        started_s = time.monotonic()
        if alert.entry.response == "blue":
            self._outbox.send_sighting(
                Sighting(
                    id=alert.id,
                    deployment=alert.deployment,
                    camera=alert.camera,
                    captured_at=alert.captured_at,
                    entry_id=alert.entry.id,
                    score=alert.score,
                    threshold=alert.threshold,
                )
            )
        else:
            self._outbox.send_alert(alert, (finding.scene_jpg, finding.face_jpg, finding.photo_jpg))
        self._outbox.pump(0)
        self._observe("publish", time.monotonic() - started_s)

    def _preview(self, frame: Frame) -> None:
        camera = self._settings.camera
        now_s = time.monotonic()
        if camera.preview_fps <= 0 or now_s < self._next_preview_s:
            return
        self._next_preview_s = now_s + 1 / camera.preview_fps
        preview = self._pipeline.preview(frame, camera.preview_width_px)
        header = PreviewHeader(camera=self._name, at=frame.captured_at_utc, people=preview.people)
        self._outbox.send_preview(header, preview.jpg)

    def _beat(self, source: Source, state: str, *, now: bool = False) -> None:
        for reason, count in source.dropped.items():
            new = count - self._dropped.get(reason, 0)
            if new > 0:
                self._meter.count("lfr_frames_dropped_total", new, camera=self._name, reason=reason)
                self._dropped[reason] = count
        gallery = self._galleries.current
        self._reporter.beat(
            state,
            now=now,
            detail=source.detail,
            trouble=self._galleries.problem or self._rate.trouble(source.fps),
            last_frame_age_s=source.last_frame_age_s,
            fps=source.fps,
            provider=self._provider,
            watchlist=gallery.version,
            watchlist_entries=len(gallery),
            index_recall=gallery.recall,
            index_kind=gallery.kind,
            pending=self._outbox.pending,
        )

    def _drain(self, source: Source) -> None:
        """Wait for the hub to acknowledge everything, however long it is away, unless told to stop."""
        while self._outbox.pending and not self._stop.is_set():
            self._outbox.pump(0.1)
            self._beat(source, "draining")
        self._outbox.close()
        whole = source.state != "failed" and not self._outbox.lost
        self._beat(source, "ended" if whole else "failed", now=True)

    def _window_is_over(self) -> bool:
        until = self._reporter.instructions.recognise_until_utc
        ends = datetime.fromisoformat(until) if until else self._settings.ends
        return utc_now() >= ends

    def _observe(self, stage: str, seconds: float) -> None:
        self._meter.observe("lfr_stage_seconds", seconds, camera=self._name, stage=stage)


def policy_of(matching: Matching, model_threshold: float) -> AlertPolicy:
    """The configuration's thresholds, or the embedder's own where it sets none."""
    policy = AlertPolicy(
        threshold=model_threshold if matching.threshold is None else matching.threshold, cooldown_s=matching.cooldown_s
    )
    rules = {name: rule.threshold for name, rule in matching.categories.items() if rule.threshold is not None}
    return replace(policy, category_thresholds=rules)
