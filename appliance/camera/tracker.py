"""Faces in frames become one track a passing person, by where they are and how they move; never by who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from appliance.core.types import Faces, Float32

MAX_TRACKS = 256
SPARSE_S = 0.4
"""Frames further apart than this, seconds, are too few to be sure who is new."""
CONTINUED_S = 2.0
"""How long after its last sight a track can be continued by another one, seconds."""
STEADY_FACES = 0.5
"""How far a detector moves a face that stands still, in face sizes."""
WALKING_FACES_S = 8.0
"""How fast a face whose motion is not known may move, in face sizes a second: 1.4 m/s (Bohannon, Age and Ageing 26,
1997) straight across, with a face of 0.16 m by 0.2 m."""
SWERVING_FACES_S = 2.5
"""How far in a second a face may be from where its motion would have brought it, in face sizes."""
SIZE_NOISE, GROWTH_S = 0.2, 0.6
"""How much a face may grow or shrink in the picture, at once and a second (logarithm of its size)."""


@dataclass(slots=True, eq=False)
class Passing:
    """One person's way past the camera: one track, or several where it was lost from sight between them.

    Attributes
    ----------
    uncertain
        First seen after a time without a look: perhaps somebody who was seen before it.
    counted
        Whether the person has been counted.
    """

    uncertain: bool = False
    counted: bool = False


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
    passing
        Whose way past the camera this is; shared with the track that it continues.
    continued
        Another track was taken for its continuation.
    """

    id: int
    box_xyxy: Float32
    first_seen_utc: datetime
    seen_s: float
    velocity: Float32 = field(default_factory=lambda: np.zeros(4, np.float32))
    hits: int = 1
    updated_s: float = 0.0
    passing: Passing = field(default_factory=Passing)
    continued: bool = False

    @property
    def moves(self) -> bool:
        """Whether its motion is known."""
        return bool(self.velocity.any())

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

    A track that begins where one that was lost from sight shortly before may have come to, by place, time, motion and
    size, continues it: it is a track of its own, with evidence of its own, of the same `Passing`, so that a person is
    not counted again where a slow camera or somebody in the way broke their track. What is remembered for this of a
    track that ended is its last box, for `CONTINUED_S`.

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
        self._lost: list[Track] = []
        self._looked_s: float | None = None
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
        self._lost = [track for track in self._lost + ended if now_s - track.seen_s <= CONTINUED_S][-MAX_TRACKS:]
        owners: list[Track | None] = [None] * len(faces)
        free = list(self._tracks)
        strong = faces.scores >= self._begin_score
        for group in (np.flatnonzero(strong), np.flatnonzero(~strong)):
            free = self._join(faces, group, free, owners, now_s)
        sparse = self._looked_s is not None and now_s - self._looked_s > SPARSE_S
        self._looked_s = now_s
        began = []
        for i in np.flatnonzero(strong):
            if owners[i] is None and len(self._tracks) < MAX_TRACKS:
                track = Track(self._next_id, faces.boxes_xyxy[i].copy(), now_utc, now_s, updated_s=now_s)
                track.passing.uncertain = sparse
                self._next_id += 1
                self._tracks.append(track)
                owners[i] = track
                began.append(track)
        self._continue(began, [track for track in [*free, *self._lost] if not track.continued], now_s)
        return owners, ended

    def finish(self) -> list[Track]:
        """End every track: the source is over."""
        ended, self._tracks = self._tracks, []
        self._lost = []
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

    def _continue(self, began: list[Track], lost: list[Track], now_s: float) -> None:
        """Let each track that began now continue the likeliest of those lost from sight, likeliest pairs first."""
        if not began or not lost:
            return
        boxes = np.stack([track.box_xyxy for track in began])
        cost = _distance(boxes, np.stack([track.predicted(now_s) for track in lost]))
        away_s = np.array([now_s - track.seen_s for track in lost], np.float32)
        moves = np.array([track.moves for track in lost])
        cost /= STEADY_FACES + away_s * np.where(moves, SWERVING_FACES_S, WALKING_FACES_S).astype(np.float32)
        sizes, last = _sizes(boxes), _sizes(np.stack([track.box_xyxy for track in lost]))
        grown = np.abs(np.log(sizes[:, None] / last[None]))
        cost[grown > SIZE_NOISE + GROWTH_S * away_s] = np.inf
        taken: set[int] = set()
        for flat in np.argsort(cost, axis=None, kind="stable"):
            row, column = divmod(int(flat), len(lost))
            if cost[row, column] > 1:
                break
            track, before = began[row], lost[column]
            if row in taken or before.continued:
                continue
            taken.add(row)
            before.continued = True
            track.passing = before.passing
            track.velocity = (track.box_xyxy - before.box_xyxy) / np.float32(now_s - before.seen_s)


def _move(track: Track, box_xyxy: Float32, now_s: float) -> None:
    """Take the face as the track's newest place; the velocity follows with a memory of about three frames."""
    if track.continued:  # it is here itself, so what was taken for its continuation is somebody else
        track.passing, track.continued = Passing(), False
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

    sizes, other_sizes = _sizes(boxes_xyxy), _sizes(others_xyxy)
    centres, other_centres = ((boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5) for boxes in (boxes_xyxy, others_xyxy))
    apart = np.linalg.norm(centres[:, None] - other_centres[None], axis=2)
    mean_size = (sizes[:, None] + other_sizes[None]) / 2
    distance: Float32 = apart / mean_size + np.abs(np.log(sizes[:, None] / other_sizes[None])) / 2
    return distance


def _sizes(boxes_xyxy: Float32) -> Float32:
    """Square roots of the areas of boxes, pixels, at least 1. Shape `(n, 4)` to `(n,)`."""
    wh = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], np.float32(1))
    sizes: Float32 = np.sqrt(wh[:, 0] * wh[:, 1])
    return sizes
