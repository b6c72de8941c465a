"""One passing person is one track: through gaps, crossings and weak detections; and never more than a bound."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from appliance.camera.tracker import MAX_TRACKS, Tracker
from appliance.core.types import Faces

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def faces_at(*boxes: tuple[float, float, float], score: float = 0.9) -> Faces:
    """Faces at (centre x, centre y, size)."""
    array = np.array([[x - s / 2, y - s / 2, x + s / 2, y + s / 2] for x, y, s in boxes], np.float32).reshape(-1, 4)
    landmarks = np.zeros((len(boxes), 5, 2), np.float32)
    return Faces(array, landmarks, np.full(len(boxes), score, np.float32))


def ids(owners: Any) -> Any:
    return [owner.id if owner else None for owner in owners]


def test_a_frame_without_faces_begins_nothing() -> None:
    tracker = Tracker()
    owners, ended = tracker.update(Faces.empty(), 0.0, NOON)
    assert (owners, ended, tracker.tracks) == ([], [], [])
    assert tracker.hidden_boxes(0.0).shape == (0, 4)


def test_a_person_walking_past_is_one_track() -> None:
    tracker = Tracker()
    seen = {ids(tracker.update(faces_at((100 + 12 * i, 200 + 2 * i, 40 + i)), i / 25, NOON)[0])[0] for i in range(50)}
    assert seen == {1}


def test_a_person_hidden_for_a_moment_is_still_the_same_track() -> None:
    tracker = Tracker(hidden_s=1.0)
    for i in range(20):
        tracker.update(faces_at((100 + 10 * i, 200, 50)), i / 25, NOON)
    for i in range(20, 40):
        tracker.update(Faces.empty(), i / 25, NOON)
    owners, _ = tracker.update(faces_at((100 + 10 * 40, 200, 50)), 40 / 25, NOON)
    assert ids(owners) == [1]


def test_a_person_hidden_for_longer_ends_the_track_and_begins_another() -> None:
    tracker = Tracker(hidden_s=0.5)
    tracker.update(faces_at((100, 200, 50)), 0.0, NOON)
    _, ended = tracker.update(Faces.empty(), 0.6, NOON)
    assert [track.id for track in ended] == [1]
    assert ids(tracker.update(faces_at((100, 200, 50)), 0.64, NOON)[0]) == [2]


def test_nobody_inherits_a_track_from_before_the_camera_was_away() -> None:
    tracker = Tracker(hidden_s=1.0)
    for i in range(3):
        tracker.update(faces_at((100, 200, 50)), i / 25, NOON)
    owners, ended = tracker.update(faces_at((100, 200, 50)), 300.0, NOON)
    assert (ids(owners), [track.id for track in ended]) == ([2], [1])


def test_two_people_who_cross_keep_their_tracks() -> None:
    tracker = Tracker()
    for i in range(60):
        left, right = (100 + 8 * i, 200, 50), (580 - 8 * i, 230, 56)
        owners, _ = tracker.update(faces_at(left, right), i / 25, NOON)
        assert ids(owners) == [1, 2]


def test_a_weak_face_prolongs_a_track_but_begins_none() -> None:
    tracker = Tracker(begin_score=0.5)
    assert ids(tracker.update(faces_at((100, 200, 50), score=0.3), 0.0, NOON)[0]) == [None]
    tracker.update(faces_at((100, 200, 50), score=0.8), 0.04, NOON)
    assert ids(tracker.update(faces_at((102, 200, 50), score=0.3), 0.08, NOON)[0]) == [1]


def test_a_strong_face_is_joined_before_a_weak_one_that_is_nearer() -> None:
    tracker = Tracker()
    tracker.update(faces_at((100, 200, 50)), 0.0, NOON)
    both = faces_at((100, 200, 50), (110, 200, 50))
    both.scores[0] = 0.3
    assert ids(tracker.update(both, 0.04, NOON)[0]) == [None, 1]


def test_where_a_hidden_face_should_be_is_known_for_redaction() -> None:
    tracker = Tracker()
    for i in range(10):
        tracker.update(faces_at((100 + 10 * i, 200, 50)), i / 25, NOON)
    tracker.update(Faces.empty(), 10 / 25, NOON)
    x1, _, x2, _ = tracker.hidden_boxes(10 / 25)[0]
    assert (x1 + x2) / 2 == pytest.approx(200, abs=6)


def test_a_crowd_cannot_make_tracks_without_bound() -> None:
    tracker = Tracker()
    crowd = faces_at(*[(60.0 * (i % 40), 60.0 * (i // 40), 20.0) for i in range(MAX_TRACKS + 50)])
    owners, _ = tracker.update(crowd, 0.0, NOON)
    assert len(tracker.tracks) == MAX_TRACKS
    assert ids(owners).count(None) == 50


@pytest.mark.parametrize("arguments", [{"begin_score": 0}, {"begin_score": 1.5}, {"hidden_s": -1}, {"reach": 0}])
def test_nonsense_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Tracker(**arguments)
