"""A track's evidence over frames: which faces are worth embedding, and when a candidate is sure enough for an alert.

Of a face only scores against watchlist entries are kept, never its template: the mean of cosine similarities over
frames is the similarity of the mean template, so nothing is lost by letting each template go at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from appliance.camera.tracker import Track
from appliance.core.clock import utc_now
from appliance.core.types import Float32
from appliance.gallery.port import Candidates
from appliance.gallery.watchlist.entry import Entry

MAX_ENTRIES_A_TRACK = 32
BEST_SCORES = 3


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When to embed and when to alert.

    Attributes
    ----------
    threshold
        Cosine similarity from which evidence is a candidate; `category_thresholds` override it.
    alone_margin
        A single frame must be this far above the threshold; a second frame that agrees removes the need.
    cooldown_s
        No second alert of one entry within this, seconds, whatever the track.
    embed_every_s
        A track's face is embedded at most this often …
    embed_at_most
        … and after so many only when it is better than any before.
    """

    threshold: float
    category_thresholds: dict[str, float] = field(default_factory=dict)
    alone_margin: float = 0.08
    cooldown_s: float = 60.0
    embed_every_s: float = 0.12
    embed_at_most: int = 12

    def threshold_of(self, category: str) -> float:
        """The threshold for an entry of this category."""
        return self.category_thresholds.get(category, self.threshold)


@dataclass(slots=True, eq=False)
class _Evidence:
    embedded: int = 0
    embedded_s: float = -np.inf
    best_quality: float = 0.0
    scores: dict[str, list[float]] = field(default_factory=dict)
    alerted: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, eq=False)
class PossibleMatch:
    """A track that is similar enough to an entry to show it to an officer.

    Attributes
    ----------
    face
        Position of the face in the frame's `Faces`.
    photo
        Number of the entry's most similar photo, as in `Candidates.photos`.
    score
        Mean of the best scores of the track against the entry, cosine similarity.
    frames
        How many of the track's frames were embedded so far.
    """

    track: Track
    face: int
    entry: Entry
    photo: int
    score: float
    threshold: float
    frames: int


class Recogniser:
    """Holds the evidence of the tracks in view; forgets a track when it ends."""

    def __init__(self, policy: AlertPolicy) -> None:
        self._policy = policy
        self._evidence: dict[int, _Evidence] = {}
        self._alerted_s: dict[str, float] = {}

    def due(self, tracks: Sequence[Track | None], now_s: float) -> list[int]:
        """The faces of the frame (positions) whose track was not embedded a moment ago."""
        every_s = self._policy.embed_every_s
        return [
            i
            for i, track in enumerate(tracks)
            if track is not None
            and ((known := self._evidence.get(track.id)) is None or now_s - known.embedded_s >= every_s)
        ]

    def choose(self, tracks: Sequence[Track], quality: Float32, at_most: int) -> list[int]:
        """Which of the faces that are due to embed (positions, ascending): the least known tracks first, then the best.

        Parameters
        ----------
        tracks
            The track of each face.
        quality
            An array of shape `(n,)`: 0 for faces that did not pass the gate, else 0 to 1.
        at_most
            Bound on the faces embedded in one frame, so that a crowd cannot make the camera lag.
        """
        wanted: list[tuple[int, float, int]] = []
        for i, track in enumerate(tracks):
            known = self._evidence.get(track.id, _Evidence())
            better = quality[i] > known.best_quality * 1.1
            if quality[i] > 0 and (better or known.embedded < self._policy.embed_at_most):
                wanted.append((known.embedded, -float(quality[i]), i))
        return sorted(i for _, _, i in sorted(wanted)[:at_most])

    def add(
        self,
        tracks: Sequence[Track],
        faces: Sequence[int],
        quality: Float32,
        candidates: Candidates,
        entry_of: Callable[[str], Entry],
        now_s: float,
    ) -> list[PossibleMatch]:
        """Take in the scores of the faces just embedded.

        Parameters
        ----------
        tracks, faces, quality, candidates
            One row a face: its track, its position in the frame, its quality `(n,)`, whom it resembles.
        entry_of
            What is known of a candidate, by id.
        """
        found = []
        today = utc_now().date()
        for row, track in enumerate(tracks):
            evidence = self._evidence.setdefault(track.id, _Evidence())
            evidence.embedded += 1
            evidence.embedded_s = now_s
            evidence.best_quality = max(evidence.best_quality, float(quality[row]))
            best: PossibleMatch | None = None
            for id_, photo, score in candidates.row(row):
                entry = entry_of(id_)
                if entry.expired(today):  # at midnight, while the list is in use
                    continue
                mean = self._weigh(evidence, entry, score, now_s)
                if mean is not None and (best is None or mean > best.score):
                    threshold = self._policy.threshold_of(entry.category)
                    best = PossibleMatch(track, faces[row], entry, photo, mean, threshold, evidence.embedded)
            if best is not None:
                evidence.alerted.add(best.entry.id)
                self._alerted_s[best.entry.id] = now_s
                found.append(best)
        return found

    def forget(self, tracks: Sequence[Track]) -> None:
        """Drop the evidence of tracks that ended. Cool-downs stay: there is one an entry at most."""
        for track in tracks:
            self._evidence.pop(track.id, None)

    def embedded(self, track: Track) -> int:
        """In how many frames the track was embedded."""
        known = self._evidence.get(track.id)
        return known.embedded if known else 0

    def _weigh(self, evidence: _Evidence, entry: Entry, score: float, now_s: float) -> float | None:
        """The track's score against the entry, this frame's included; None while it is not enough for an alert."""
        scores = evidence.scores.get(entry.id)
        if scores is None:
            if len(evidence.scores) >= MAX_ENTRIES_A_TRACK:
                weakest = min(evidence.scores, key=lambda other: evidence.scores[other][0])
                if evidence.scores[weakest][0] >= score:
                    return None
                del evidence.scores[weakest]
            scores = evidence.scores[entry.id] = []
        scores.append(score)
        scores.sort(reverse=True)
        del scores[BEST_SCORES:]
        threshold = self._policy.threshold_of(entry.category)
        # The frame that is shown must itself be similar enough: an identity is never carried over from other frames.
        if score < threshold or entry.id in evidence.alerted:
            return None
        mean = sum(scores) / len(scores)
        needed = threshold + (self._policy.alone_margin if len(scores) == 1 else 0.0)
        if mean < needed:
            return None
        last_s = self._alerted_s.get(entry.id)
        if last_s is not None and now_s - last_s < self._policy.cooldown_s:
            evidence.alerted.add(entry.id)
            return None
        return mean
