"""An alert needs evidence: two frames that agree, or one far above; once a track and entry, then a cool-down."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from appliance.camera.recogniser import MAX_ENTRIES_A_TRACK, AlertPolicy, Recogniser
from appliance.camera.tracker import Track
from appliance.gallery.port import Candidates
from appliance.gallery.watchlist.entry import Entry

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = AlertPolicy(threshold=0.5, category_thresholds={"terrorism": 0.4}, alone_margin=0.1, cooldown_s=60)
ENTRIES = [
    Entry(id="A", category="theft", label="a", response="amber"),
    Entry(id="B", category="theft", label="b", response="amber"),
    Entry(id="T", category="terrorism", label="t", response="red"),
]


def a_track(number: int = 1) -> Track:
    return Track(number, np.array([0, 0, 50, 60], np.float32), NOON, 0.0)


def scores(*pairs: tuple[int, float]) -> Candidates:
    """The candidates of one probe: (which of `ENTRIES`, score)."""
    return Candidates(
        np.array([[id_of(which) for which, _ in pairs]], object),
        np.array([[which + 1 for which, _ in pairs]], np.int32),
        np.array([[score for _, score in pairs]], np.float32),
    )


def id_of(which: int) -> str:
    return ENTRIES[which].id if which < len(ENTRIES) else f"X-{which}"


def entry_of(id_: str) -> Entry:
    return next((entry for entry in ENTRIES if entry.id == id_), Entry(id=id_, category="theft"))


def add(recogniser: Recogniser, track: Track, candidates: Candidates, now_s: float) -> Any:
    return recogniser.add([track], [0], np.array([0.8], np.float32), candidates, entry_of, now_s)


def test_two_frames_that_agree_are_a_candidate_with_the_mean_score() -> None:
    recogniser, track = Recogniser(POLICY), a_track()
    assert add(recogniser, track, scores((0, 0.54)), 0.0) == []
    (candidate,) = add(recogniser, track, scores((0, 0.58)), 0.2)
    assert candidate.entry.id == "A"
    assert candidate.score == pytest.approx(0.56)
    assert candidate.frames == 2


def test_one_frame_is_enough_only_far_above_the_threshold() -> None:
    assert add(Recogniser(POLICY), a_track(), scores((0, 0.59)), 0.0) == []
    assert len(add(Recogniser(POLICY), a_track(), scores((0, 0.61)), 0.0)) == 1


def test_the_frame_that_is_shown_must_itself_be_similar_enough() -> None:
    recogniser, track = Recogniser(POLICY), a_track()
    add(recogniser, track, scores((0, 0.59)), 0.0)
    assert add(recogniser, track, scores((0, 0.49)), 0.2) == []


def test_a_track_alerts_once_for_an_entry() -> None:
    recogniser, track = Recogniser(POLICY), a_track()
    assert len(add(recogniser, track, scores((0, 0.9)), 0.0)) == 1
    assert [add(recogniser, track, scores((0, 0.9)), t) for t in (0.2, 0.4, 100.0)] == [[], [], []]


def test_another_track_of_the_same_entry_waits_for_the_cool_down() -> None:
    recogniser = Recogniser(POLICY)
    assert len(add(recogniser, a_track(1), scores((0, 0.9)), 0.0)) == 1
    assert add(recogniser, a_track(2), scores((0, 0.9)), 59.0) == []
    assert len(add(recogniser, a_track(3), scores((0, 0.9)), 61.0)) == 1


def test_a_category_has_its_own_threshold() -> None:
    (candidate,) = add(Recogniser(POLICY), a_track(), scores((2, 0.52)), 0.0)
    assert candidate.threshold == 0.4


@pytest.mark.parametrize(("now", "alerts"), [(NOON, 1), (NOON + timedelta(days=1), 0)])
def test_an_entry_that_expires_while_the_list_is_in_use_is_looked_for_no_longer(
    monkeypatch: pytest.MonkeyPatch, now: Any, alerts: Any
) -> None:
    monkeypatch.setattr("appliance.camera.recogniser.utc_now", lambda: now)
    quality, expiring = np.array([0.8], np.float32), Entry(id="A", expires=NOON.date())
    found = Recogniser(POLICY).add([a_track()], [0], quality, scores((0, 0.9)), lambda _: expiring, 0.0)
    assert len(found) == alerts


def test_of_two_entries_in_one_frame_only_the_better_is_an_alert() -> None:
    (candidate,) = add(Recogniser(POLICY), a_track(), scores((1, 0.8), (0, 0.7)), 0.0)
    assert candidate.entry.id == "B"


def test_rows_without_a_candidate_are_passed_over() -> None:
    assert add(Recogniser(POLICY), a_track(), Candidates.none(1, 2), 0.0) == []


def test_the_evidence_of_a_track_that_ended_is_gone() -> None:
    recogniser, track = Recogniser(POLICY), a_track()
    add(recogniser, track, scores((0, 0.55)), 0.0)
    recogniser.forget([track])
    assert recogniser.embedded(track) == 0
    assert add(recogniser, track, scores((0, 0.55)), 0.2) == []


def test_the_entries_weighed_for_one_track_are_bounded() -> None:
    recogniser, track = Recogniser(POLICY), a_track()
    for i in range(MAX_ENTRIES_A_TRACK * 3):
        add(recogniser, track, scores((i, 0.1)), i * 0.2)
    assert len(recogniser._evidence[track.id].scores) <= MAX_ENTRIES_A_TRACK


class TestChoosingFacesToEmbed:
    quality = np.array([0.5, 0.9, 0.7], np.float32)

    def test_the_least_known_then_the_best_come_first(self) -> None:
        recogniser, tracks = Recogniser(POLICY), [a_track(1), a_track(2), a_track(3)]
        assert recogniser.choose(tracks, self.quality, at_most=2) == [1, 2]
        add(recogniser, tracks[1], scores((0, 0.1)), 0.0)
        assert recogniser.choose(tracks, self.quality, at_most=2) == [0, 2]

    def test_faces_that_failed_the_gate_are_left(self) -> None:
        quality = np.array([0.0, 0.9], np.float32)
        assert Recogniser(POLICY).choose([a_track(1), a_track(2)], quality, at_most=8) == [1]

    def test_a_track_is_not_due_in_every_frame_and_a_face_of_nobody_never(self) -> None:
        recogniser, track = Recogniser(POLICY), a_track()
        assert recogniser.due([None, track], 0.0) == [1]
        add(recogniser, track, scores((0, 0.1)), 0.0)
        assert recogniser.due([track], 0.04) == []
        assert recogniser.due([track], 0.2) == [0]

    def test_after_enough_frames_only_a_better_one_counts(self) -> None:
        recogniser, track = Recogniser(POLICY), a_track()
        for i in range(POLICY.embed_at_most):
            add(recogniser, track, scores((0, 0.1)), i * 0.2)
        assert recogniser.choose([track], np.array([0.8], np.float32), at_most=8) == []
        assert recogniser.choose([track], np.array([0.95], np.float32), at_most=8) == [0]

    def test_no_faces_is_no_work(self) -> None:
        assert Recogniser(POLICY).due([], 0.0) == []
        assert Recogniser(POLICY).choose([], np.zeros(0, np.float32), at_most=8) == []
