"""Alerts for candidates alone, everybody else redacted, and nothing of anybody left in memory afterwards."""

from typing import Any

import cv2
import numpy as np
import pytest
from painted_faces import COLOURS, Painted, Street, looks

from appliance.camera import pipeline as module
from appliance.camera.recogniser import AlertPolicy
from appliance.vision import aligner

RED = Painted("red", 40, 60)
BLUE = Painted("blue", 160, 60)
GREEN = Painted("green", 250, 150)


def colours_in(jpg: bytes) -> set[str]:
    """The colours of which a picture holds at least ten pixels."""
    image = cv2.imdecode(np.frombuffer(jpg, np.uint8), cv2.IMREAD_COLOR).astype(int)
    return {name for name, bgr in COLOURS.items() if (np.abs(image - bgr).sum(axis=2) < 90).sum() >= 10}


def test_only_who_is_on_the_list_is_alerted_with_what_an_officer_needs() -> None:
    street = Street()
    (finding,) = street.show(0.0, RED, BLUE)
    alert = finding.alert
    assert (alert.entry.id, alert.camera, alert.deployment) == ("A", "north", "test")
    assert alert.face_xyxy == RED.box
    assert alert.score == pytest.approx(0.9, abs=1e-3)
    assert alert.watchlist == "d" * 12
    assert finding.photo_jpg == b"\xff\xd8photo of A"


def test_everybody_else_is_redacted_also_whom_only_the_second_look_finds() -> None:
    (finding,) = Street().show(0.0, RED, BLUE, unseen=[GREEN])
    assert [looks(finding.scene_jpg, one) for one in (RED, BLUE, GREEN)] == ["red", "hidden", "hidden"]
    assert colours_in(finding.scene_jpg) == {"red"}


def test_the_alerted_face_does_not_bring_its_neighbour_along() -> None:
    beside = Painted("blue", RED.x + RED.size + 4, RED.y)
    (finding,) = Street().show(0.0, RED, beside)
    assert colours_in(finding.face_jpg) == {"red"}


def test_nobody_on_the_list_nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_jpeg", lambda *_: pytest.fail("a picture was made of people who did not match"))
    street = Street()
    assert [street.show(at / 5, BLUE, GREEN) for at in range(5)] == [[]] * 5
    assert street.embedder.embedded > 0


def test_crops_templates_and_copies_of_the_frame_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def keep(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            made.append(function(*arguments, **options))
            return made[-1]

        return call

    monkeypatch.setattr(aligner, "align", keep(aligner.align))
    monkeypatch.setattr(aligner, "portrait", keep(aligner.portrait))
    monkeypatch.setattr(module, "_shrunk", keep(module._shrunk))
    street = Street()
    frame = street.frame(0.0, RED, BLUE)
    assert len(street.pipeline.process(frame, street.gallery)) == 1
    street.pipeline.preview(frame, 160)
    others = [image for image in street.detector.shown if image is not frame.image_bgr]
    assert len(others) == 2, "the scene and the preview were looked at again"
    assert len(made) == 4, "crops to measure, crops to embed, the portrait, the preview"
    assert len(street.embedder.kept) == 2
    for left in (*made, *others, *street.embedder.kept):
        assert not left.any()


def test_a_person_counts_once_and_a_weak_face_of_one_frame_is_nobody() -> None:
    street = Street()
    for at in range(6):
        street.show(at / 5, RED, BLUE)
    street.show(1.2, Painted("green", 10, 170, score=0.3))
    assert street.meter.value("lfr_people_seen_total", camera="north") == 2
    assert street.meter.value("lfr_frames_total", camera="north") == 7
    assert street.meter.value("lfr_faces_total", camera="north") == 12


def test_a_person_whose_track_a_slow_camera_broke_counts_once_and_who_may_be_new_is_said() -> None:
    street = Street()
    for step in range(4):
        street.show(0.7 * step, Painted("blue", 10 + 75 * step, 60))
    assert street.meter.value("lfr_people_seen_total", camera="north") == 1
    assert street.meter.value("lfr_people_uncertain_total", camera="north") == 0
    street.show(9.0, Painted("blue", 10, 60))
    assert street.meter.value("lfr_people_seen_total", camera="north") == 2
    assert street.meter.value("lfr_people_uncertain_total", camera="north") == 1


def test_who_comes_back_is_another_person_seen_but_another_alert_only_after_the_cool_down() -> None:
    street = Street(AlertPolicy(0.5, cooldown_s=60))
    alerts = [len(street.show(at, RED)) for at in (0.0, 0.2, 10.0, 10.2, 70.0, 70.2)]
    assert alerts == [1, 0, 0, 0, 1, 0]
    assert street.meter.value("lfr_people_seen_total", camera="north") == 3


def test_a_category_with_a_lower_threshold_is_alerted_where_others_are_not() -> None:
    street = Street()
    street.embedder.similarity = 0.49
    yellow = Painted("yellow", 160, 60)
    found = [finding.alert.entry.id for at in range(4) for finding in street.show(at / 5, RED, yellow)]
    assert found == ["T"]


def test_a_recording_gives_its_alerts_the_same_ids_again_and_a_camera_never() -> None:
    def ids(**options: Any) -> Any:
        return [finding.alert.id for finding in Street(**options).show(3.0, RED)]

    assert ids() == ids()
    assert ids() != ids(run_id="another run")
    assert ids(live=True) != ids(live=True)


def test_a_preview_shows_nobody_not_even_who_is_hidden_for_a_moment() -> None:
    street = Street()
    for at in range(4):
        street.show(at / 5, RED, BLUE)
    # The detector misses both in this frame, as behind a lamp post; they are still there.
    frame = street.frame(0.8, unseen=[])
    for one in (RED, BLUE):
        frame.image_bgr[one.y : one.y + one.size, one.x : one.x + one.size] = COLOURS[one.colour]
    street.pipeline.process(frame, street.gallery)
    preview = street.pipeline.preview(frame, 320)
    assert colours_in(preview.jpg) == set()
    assert preview.people == 2


def test_an_empty_picture_and_an_empty_list_are_no_trouble() -> None:
    street = Street()
    assert street.show(0.0) == []
    street.gallery.wipe()
    assert len(street.gallery) == 0
    assert street.show(0.2, RED) == []
    assert colours_in(street.pipeline.preview(street.frame(0.1), 160).jpg) == set()
