"""One frame's way through a camera: detect, track, judge, align, embed, search, decide, redact, overwrite.

Arrays in, alerts with redacted pictures out; no sockets and no clocks of its own, so that tests and benchmarks run
exactly what a camera runs.
"""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import numpy as np

from appliance.alerts.messages import Alert, EntryRef, ModelRefs, TrackRef, new_id
from appliance.camera.recogniser import AlertPolicy, PossibleMatch, Recogniser
from appliance.camera.tracker import Track, Tracker
from appliance.core.telemetry import Meter
from appliance.core.types import FaceDetector, FaceEmbedder, Faces, Float32, Frame, Image
from appliance.gallery.port import Gallery
from appliance.vision import aligner, quality, redactor

CANDIDATES = 5
FACES_A_FRAME = 8
SCENE_WIDTH_PX = 1280
PORTRAIT_PX = 256
JPEG_QUALITY = 88
PREVIEW_JPEG_QUALITY = 70
SCENE_FACE_PX = 25
PREVIEW_FACE_PX = 20
"""Smallest faces that are looked for in pictures that leave, pixels; below, nobody can be recognised."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What every alert of this camera says about where it comes from."""

    deployment: str
    camera: str
    place: str
    run_id: str
    models: ModelRefs


@dataclass(frozen=True, slots=True)
class Rules:
    """What a pipeline goes by.

    Attributes
    ----------
    gate
        Which faces are good enough to be embedded.
    policy
        When to embed and when to alert.
    style
        How faces are redacted.
    begin_score
        A face of at least this detector score may begin a track.
    """

    gate: quality.Gate
    policy: AlertPolicy
    style: redactor.Style
    begin_score: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PicturedAlert:
    """An alert and its three pictures (JPEG): redacted scene, face, watchlist picture."""

    alert: Alert
    scene_jpg: bytes
    face_jpg: bytes
    photo_jpg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A redacted picture of what the camera sees (JPEG)."""

    jpg: bytes
    people: int


class Pipeline:
    """The recognition of one camera.

    Parameters
    ----------
    detector, embedder
        Models that are warm.
    rules
        What it goes by.
    identity
        Of this camera, for its alerts.
    meter
        Counters and stage times go here, labelled with the camera's name.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: FaceEmbedder,
        rules: Rules,
        identity: Identity,
        meter: Meter,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._rules = rules
        self._identity = identity
        self._meter = meter
        self._tracker = Tracker(begin_score=rules.begin_score)
        self._recogniser = Recogniser(rules.policy)
        self._faces = Faces.empty()

    def process(self, frame: Frame, gallery: Gallery) -> list[PicturedAlert]:
        """Recognise the people in a frame. The caller overwrites the frame afterwards.

        Of everything that this makes from the frame, only the findings outlive the call.
        """
        camera = self._identity.camera
        now_s = _now_s(frame)
        self._meter.count("lfr_frames_total", camera=camera)
        with self._stage("detect"):
            faces = self._faces = self._detector.detect(frame.image_bgr)
        owners, ended = self._tracker.update(faces, now_s, frame.captured_at_utc)
        self._meter.count("lfr_faces_total", sum(owner is not None for owner in owners), camera=camera)
        for track in owners:
            if track is not None and track.hits >= 2:
                self._saw(track)
        self._recogniser.forget(ended)
        return self._recognise(frame, faces, owners, gallery, now_s)

    def finish(self) -> None:
        """The source is over: end every track."""
        self._recogniser.forget(self._tracker.finish())

    def preview(self, frame: Frame, width_px: int) -> Preview:
        """The frame that was just processed, small, with every face in it redacted."""
        with self._stage("redact"):
            height, width = frame.image_bgr.shape[:2]
            scale = min(1.0, width_px / width)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = _shrunk(frame.image_bgr, size)
            redactor.redact(image, self._all_boxes(frame) * np.float32(scale), None, self._rules.style)
            # Faces too small to be looked for in the frame are found here, where they are to be hidden.
            small = self._detector.detect(image, min_face_px=PREVIEW_FACE_PX)
            redactor.redact(image, small.boxes_xyxy, None, self._rules.style)
            jpg = _jpeg(image, PREVIEW_JPEG_QUALITY)
            image.fill(0)
        return Preview(jpg, sum(not track.continued for track in self._tracker.tracks))

    def _recognise(
        self, frame: Frame, faces: Faces, owners: list[Track | None], gallery: Gallery, now_s: float
    ) -> list[PicturedAlert]:
        due = self._recogniser.due(owners, now_s)
        if not due:
            return []
        crops = aligner.align(frame.image_bgr, faces.landmarks[due], self._embedder.crop_px)
        measured = quality.assess(frame.image_bgr, faces.select(np.array(due)), crops)
        good = np.where(self._rules.gate.passes(measured), measured.score, 0).astype(np.float32)
        tracks = [track for i in due if (track := owners[i]) is not None]
        chosen = self._recogniser.choose(tracks, good, FACES_A_FRAME)
        crops.fill(0)
        if not chosen:
            return []
        with self._stage("refine"):
            closer = self._detector.refine(frame.image_bgr, faces.select(np.array([due[row] for row in chosen])))
        picked = aligner.align(frame.image_bgr, closer.landmarks, self._embedder.crop_px)
        with self._stage("embed"):
            embeddings = self._embedder.embed(picked)
            picked.fill(0)
        with self._stage("search"):
            candidates = gallery.search(embeddings, CANDIDATES)
            embeddings.fill(0)
        probes = [tracks[row] for row in chosen]
        for track in probes:
            self._saw(track)
        matches = self._recogniser.add(
            probes, [due[row] for row in chosen], good[chosen], candidates, gallery.entry, now_s
        )
        return [self._finding(frame, faces, match, gallery) for match in matches]

    def _finding(self, frame: Frame, faces: Faces, match: PossibleMatch, gallery: Gallery) -> PicturedAlert:
        entry = match.entry
        with self._stage("redact"):
            scene, face_jpg, box = self._pictures(frame, faces, match.face)
            scene_jpg = _jpeg(scene, JPEG_QUALITY)
            scene_wh = (scene.shape[1], scene.shape[0])
            scene.fill(0)
        alert = Alert(
            id=self._alert_id(entry.id, frame),
            deployment=self._identity.deployment,
            camera=self._identity.camera,
            place=self._identity.place,
            captured_at=frame.captured_at_utc,
            media_s=frame.media_s,
            entry=EntryRef(
                id=entry.id,
                category=entry.category,
                response=entry.response,
                label=entry.label,
                warnings=entry.warnings,
            ),
            score=round(match.score, 4),
            threshold=match.threshold,
            track=TrackRef(id=match.track.id, first_seen=match.track.first_seen_utc, frames=match.frames),
            face_xyxy=box,
            scene_wh=scene_wh,
            watchlist=gallery.version[:12],
            models=self._identity.models,
        )
        return PicturedAlert(alert, scene_jpg, face_jpg, gallery.picture(entry.id, match.photo))

    def _pictures(self, frame: Frame, faces: Faces, kept: int) -> tuple[Image, bytes, tuple[int, int, int, int]]:
        """The redacted scene, the face (JPEG) and the face's box in the scene; everybody but `kept` is redacted."""
        scene = frame.image_bgr.copy()
        keep_xyxy = faces.boxes_xyxy[kept]
        redactor.redact(scene, self._all_boxes(frame), kept, self._rules.style)
        # A second look, at the picture that is about to leave: what is still a face there is redacted as well.
        again = self._detector.detect(scene, min_face_px=SCENE_FACE_PX)
        redactor.redact(scene, again.boxes_xyxy, keep_xyxy, self._rules.style)
        portrait = aligner.portrait(scene, faces.landmarks[kept], PORTRAIT_PX)
        face_jpg = _jpeg(portrait, JPEG_QUALITY)
        portrait.fill(0)
        height, width = scene.shape[:2]
        scale = min(1.0, SCENE_WIDTH_PX / width)
        if scale < 1:
            small = _shrunk(scene, (SCENE_WIDTH_PX, round(height * scale)))
            scene.fill(0)
            scene = small
        limit = np.array([scene.shape[1], scene.shape[0]] * 2, np.float32)
        x1, y1, x2, y2 = (int(v) for v in np.clip(np.round(keep_xyxy * scale), 0, limit))
        return scene, face_jpg, (x1, y1, x2, y2)

    def _all_boxes(self, frame: Frame) -> Float32:
        return np.concatenate([self._faces.boxes_xyxy, self._tracker.hidden_boxes(_now_s(frame))])

    def _alert_id(self, entry_id: str, frame: Frame) -> str:
        """Of a file, the same for the same moment of the same run, so that a restarted camera repeats no alert."""
        if frame.media_s is None:
            return new_id()
        name = f"{self._identity.run_id}/{self._identity.camera}/{entry_id}/{frame.media_s:.3f}"
        return str(uuid.uuid5(uuid.NAMESPACE_OID, name))

    def _saw(self, track: Track) -> None:
        """Count a person once, when they were found twice or embedded: a face of a single weak frame is nobody."""
        passing = track.passing
        if not passing.counted:
            passing.counted = True
            self._meter.count("lfr_people_seen_total", camera=self._identity.camera)
            if passing.uncertain:
                self._meter.count("lfr_people_uncertain_total", camera=self._identity.camera)

    def _stage(self, stage: str) -> AbstractContextManager[None]:
        return self._meter.timed("lfr_stage_seconds", camera=self._identity.camera, stage=stage)


def _now_s(frame: Frame) -> float:
    return frame.captured_monotonic_s if frame.media_s is None else frame.media_s


def _shrunk(image_bgr: Image, size_wh: tuple[int, int]) -> Image:
    small = np.empty((size_wh[1], size_wh[0], 3), np.uint8)
    cv2.resize(image_bgr, size_wh, dst=small, interpolation=cv2.INTER_AREA)
    return small


def _jpeg(image_bgr: Image, jpeg_quality: int) -> bytes:
    ok, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    if not ok:
        raise ValueError("the picture cannot be written as JPEG")
    return data.tobytes()
