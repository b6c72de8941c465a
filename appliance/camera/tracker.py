"""Faces in frames become one track a passing person, by where they are and how they move; never by who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from appliance.core.types import Faces, Float32

MAX_TRACKS = 256


@dataclass(slots=True, eq=False)
class Track:
    """One passing person, as long as they are in view.

    Attributes
    ----------
    id
        Counts the tracks of this camera's process from 1.
    box_xyxy
        Where the face is now (or is predicted to be while it is hidden): left, top, right, bottom, pixels.
    velocity
        Change of `box_xyxy` a second, pixels; shape `(4,)`.
    hits
        Frames in which the face was found.
    seen_s
        When it was last found, on the clock given to `Tracker.update`.
    """

    id: int
    box_xyxy: Float32
    first_seen_utc: datetime
    seen_s: float
    velocity: Float32 = field(default_factory=lambda: np.zeros(4, np.float32))
    hits: int = 1
    updated_s: float = 0.0

    def predicted(self, now_s: float) -> Float32:
        """The box at `now_s` if the person went on walking as they did; the growth of its size is not extrapolated
        for more than half a second, since a hidden face that looms would claim everybody near it."""
        elapsed_s = now_s - self.updated_s
        shift = self.velocity * np.float32(min(elapsed_s, 0.5))
        centre = (self.velocity + self.velocity[[2, 3, 0, 1]]) * np.float32(0.5)
        box: Float32 = self.box_xyxy + shift + centre * np.float32(max(0.0, elapsed_s - 0.5))
        return box


class Tracker:
    """Joins the faces of successive frames into tracks.

    Faces of a high score are joined first and may begin a track; weaker ones only prolong one (Zhang et al.,
    ByteTrack, ECCV 2022, §3). Motion is a constant velocity, smoothed.

    Parameters
    ----------
    begin_score
        A face of at least this detector score may begin a track.
    hidden_s
        How long a person may be hidden, seconds, and still be the same track.
    reach
        How far from its predicted place a face may be, in face sizes.
    """

    def __init__(self, begin_score: float = 0.5, hidden_s: float = 1.0, reach: float = 1.0) -> None:
        if not 0 < begin_score <= 1:
            raise ValueError(f"begin_score must be between 0 and 1, not {begin_score}")
        if hidden_s < 0 or reach <= 0:
            raise ValueError("hidden_s must not be negative and reach must be positive")
        self._begin_score = begin_score
        self._hidden_s = hidden_s
        self._reach = reach
        self._tracks: list[Track] = []
        self._next_id = 1

    @property
    def tracks(self) -> list[Track]:
        """The tracks that are in view or hidden for a moment."""
        return self._tracks

    def hidden_boxes(self, now_s: float) -> Float32:
        """Where faces that were not found in the last update should be; shape `(n, 4)`. They are redacted too."""
        boxes = [track.predicted(now_s) for track in self._tracks if track.seen_s < now_s]
        return np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)

    def update(self, faces: Faces, now_s: float, now_utc: datetime) -> tuple[list[Track | None], list[Track]]:
        """Take in the faces of one frame.

        Parameters
        ----------
        faces
            All faces of the frame.
        now_s
            The frame's time, seconds, on a clock that does not go backwards (media time for files).

        Returns
        -------
        tracks
            For each face its track, or None where a weak face belongs to nobody.
        ended
            Tracks that are over: hidden for too long.
        """
        # First of all, so that nobody inherits the track of who stood there before a camera was away for a while.
        ended = [track for track in self._tracks if now_s - track.seen_s > self._hidden_s]
        self._tracks = [track for track in self._tracks if now_s - track.seen_s <= self._hidden_s]
        owners: list[Track | None] = [None] * len(faces)
        free = list(self._tracks)
        strong = faces.scores >= self._begin_score
        for group in (np.flatnonzero(strong), np.flatnonzero(~strong)):
            free = self._join(faces, group, free, owners, now_s)
        for i in np.flatnonzero(strong):
            if owners[i] is None and len(self._tracks) < MAX_TRACKS:
                track = Track(self._next_id, faces.boxes_xyxy[i].copy(), now_utc, now_s, updated_s=now_s)
                self._next_id += 1
                self._tracks.append(track)
                owners[i] = track
        return owners, ended

    def finish(self) -> list[Track]:
        """End every track: the source is over."""
        ended, self._tracks = self._tracks, []
        return ended

    def _join(
        self,
        faces: Faces,
        group: npt.NDArray[np.intp],
        free: list[Track],
        owners: list[Track | None],
        now_s: float,
    ) -> list[Track]:
        """Give each face of the group the nearest free track within reach, nearest pairs first."""
        if not len(group) or not free:
            return free
        boxes = faces.boxes_xyxy[group]
        predicted = np.stack([track.predicted(now_s) for track in free])
        cost = _distance(boxes, predicted)
        taken: set[int] = set()
        for flat in np.argsort(cost, axis=None, kind="stable"):
            row, column = divmod(int(flat), len(free))
            if cost[row, column] > self._reach:
                break
            if owners[group[row]] is None and column not in taken:
                _move(free[column], boxes[row], now_s)
                owners[group[row]] = free[column]
                taken.add(column)
        return [track for column, track in enumerate(free) if column not in taken]


def _move(track: Track, box_xyxy: Float32, now_s: float) -> None:
    """Take the face as the track's newest place; the velocity follows with a memory of about three frames."""
    elapsed_s = now_s - track.updated_s
    if elapsed_s > 0:
        measured = (box_xyxy - track.box_xyxy) / np.float32(elapsed_s)
        weight = np.float32(1.0 if track.hits == 1 else 0.35)
        track.velocity = track.velocity * (1 - weight) + measured * weight
    track.box_xyxy = box_xyxy.copy()
    track.updated_s = track.seen_s = now_s
    track.hits += 1


def _distance(boxes_xyxy: Float32, others_xyxy: Float32) -> Float32:
    """How unlike two boxes are, in face sizes: distance of the centres over the mean size, plus the difference of
    the sizes (absolute logarithm, halved). Shapes `(n, 4)` and `(m, 4)` to `(n, m)`."""

    def centre_and_size(boxes: Float32) -> tuple[Float32, Float32]:
        wh = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(1))
        return (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5), np.sqrt(wh[:, 0] * wh[:, 1])

    centres, sizes = centre_and_size(boxes_xyxy)
    other_centres, other_sizes = centre_and_size(others_xyxy)
    apart = np.linalg.norm(centres[:, None] - other_centres[None], axis=2)
    mean_size = (sizes[:, None] + other_sizes[None]) / 2
    distance: Float32 = apart / mean_size + np.abs(np.log(sizes[:, None] / other_sizes[None])) / 2
    return distance
