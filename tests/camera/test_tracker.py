"""One passing person is one track: through gaps, crossings and weak detections; and never more than a bound."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from appliance.camera.tracker import MAX_TRACKS, Tracker
from appliance.core.types import Faces
from appliance.lab.simulation.portraits import list_people
from appliance.lab.simulation.street import list_passes, open_street

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


class TestPassings:
    """A track that was broken is not a new person: what is counted are passings."""

    def test_a_person_of_whom_few_frames_are_looked_at_is_one_passing(self) -> None:
        tracker = Tracker()
        owners = [
            tracker.update(faces_at((100 + 130 * i, 200 + 20 * i, 40 * 1.1**i)), 0.72 * i, NOON)[0] for i in range(7)
        ]
        assert len({id(owner[0].passing) for owner in owners if owner[0]}) == 1

    def test_a_person_hidden_for_longer_than_a_track_lasts_is_the_same_passing(self) -> None:
        tracker = Tracker(hidden_s=0.5)
        for i in range(10):
            before = tracker.update(faces_at((100 + 4 * i, 200, 50)), i / 25, NOON)[0][0]
        after = tracker.update(faces_at((100 + 4 * 35, 200, 50)), 35 / 25, NOON)[0][0]
        assert before
        assert after
        assert after.id != before.id, "the evidence is not carried over"
        assert after.passing is before.passing

    @pytest.mark.parametrize(
        ("place", "at_s", "why"),
        [
            ((100, 200, 50), 2.2, "too late"),
            ((900, 200, 50), 0.7, "too far to have walked"),
            ((100, 200, 120), 0.7, "much larger"),
            ((100, 200, 20), 0.7, "much smaller"),
        ],
    )
    def test_somebody_who_cannot_be_the_one_who_was_lost_is_another(self, place: Any, at_s: float, why: str) -> None:
        tracker = Tracker(hidden_s=0.3)
        first = tracker.update(faces_at((100, 200, 50)), 0.0, NOON)[0][0]
        other = tracker.update(faces_at(place), at_s, NOON)[0][0]
        assert first
        assert other
        assert other.passing is not first.passing, why

    def test_who_walks_one_way_is_not_continued_by_who_comes_up_behind(self) -> None:
        tracker = Tracker(hidden_s=0.3)
        for i in range(10):
            first = tracker.update(faces_at((100 + 10 * i, 200, 50)), i / 25, NOON)[0][0]
        behind = tracker.update(faces_at((100, 200, 50)), 9 / 25 + 0.5, NOON)[0][0]
        assert first
        assert behind
        assert behind.passing is not first.passing

    def test_of_two_who_may_have_come_there_each_continues_the_nearer(self) -> None:
        tracker = Tracker(hidden_s=0.3)
        before = tracker.update(faces_at((100, 200, 50), (300, 200, 50)), 0.0, NOON)[0]
        after = tracker.update(faces_at((280, 200, 50), (120, 200, 50)), 0.7, NOON)[0]
        assert [one.passing for one in after if one] == [one.passing for one in reversed(before) if one]

    def test_one_who_is_lost_is_continued_by_one_alone(self) -> None:
        tracker = Tracker(hidden_s=0.3)
        tracker.update(faces_at((100, 200, 50)), 0.0, NOON)
        after = tracker.update(faces_at((130, 200, 50), (60, 200, 50)), 0.7, NOON)[0]
        assert len({id(one.passing) for one in after if one}) == 2

    def test_who_is_found_again_is_not_the_one_who_was_taken_for_them(self) -> None:
        tracker = Tracker(hidden_s=1.0)
        (first,), _ = tracker.update(faces_at((100, 200, 50)), 0.0, NOON)
        (taken,), _ = tracker.update(faces_at((180, 200, 50)), 0.7, NOON)
        assert first
        assert taken
        assert taken.passing is first.passing
        owners, _ = tracker.update(faces_at((100, 200, 50)), 0.8, NOON)
        assert ids(owners) == [1]
        assert first.passing is not taken.passing

    def test_who_comes_after_a_time_without_a_look_is_uncertain_and_nobody_else(self) -> None:
        tracker = Tracker()
        seen = [
            tracker.update(faces_at(*[(200.0 + 900 * n, 200, 50) for n in range(i + 1)]), at_s, NOON)[0][-1]
            for i, at_s in enumerate((5.0, 5.2, 5.9, 6.1))
        ]
        assert [one.passing.uncertain for one in seen if one] == [False, False, True, False]

    def test_what_is_remembered_of_those_who_left_is_bounded(self) -> None:
        tracker = Tracker(hidden_s=0.01)
        for at in range(20):
            crowd = faces_at(*[(300.0 * i, 100_000.0 * at, 20.0) for i in range(100)])
            tracker.update(crowd, at / 20, NOON)
        assert len(tracker._lost) <= MAX_TRACKS
        tracker.update(Faces.empty(), 60.0, NOON)
        assert tracker._lost == []


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[tuple[float, Faces]]]:
    """How many pass, and the faces of each frame as the simulation has them (nothing is drawn or detected)."""
    folder = tmp_path_factory.mktemp("faces")
    for number in range(12):
        (folder / f"person-{number}").mkdir()
        (folder / f"person-{number}" / "1.png").symlink_to(list_people(None)["astronaut"][0])
    source = f"street:?faces={folder}&people=12&gap=1.5&seed=4"
    reader = open_street(source)
    reader.open()
    frames = []
    while reader.advance():
        boxes = [one.box_xyxy for one in reader.seen() if one.visible > 0.6]
        boxes = [box for box in boxes if np.sqrt((box[2] - box[0]) * (box[3] - box[1])) > 30]
        array = np.array(boxes, np.float32).reshape(-1, 4)
        score = np.full(len(boxes), 0.9, np.float32)
        frames.append((reader.media_s, Faces(array, np.zeros((len(boxes), 5, 2), np.float32), score)))
    return len(list_passes(source)), frames


class TestSimulatedStreet:
    """Passings against the simulation's own truth, at every frame and at few."""

    @pytest.mark.parametrize("every", [1, 6, 18])
    def test_people_are_counted_once_however_few_frames_are_looked_at(self, street: Any, every: int) -> None:
        passes, frames = street
        tracker = Tracker()
        passings = {}
        for media_s, faces in frames[::every]:
            for owner in tracker.update(faces, media_s, NOON)[0]:
                if owner is not None:
                    passings[id(owner.passing)] = owner.passing
        assert passes == 12
        assert passes <= len(passings) <= passes + 1
        uncertain = sum(passing.uncertain for passing in passings.values())
        assert uncertain == (len(passings) if every == 18 else 0)


@pytest.mark.parametrize("arguments", [{"begin_score": 0}, {"begin_score": 1.5}, {"hidden_s": -1}, {"reach": 0}])
def test_nonsense_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Tracker(**arguments)
