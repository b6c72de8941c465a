"""The whole appliance on recordings: finds who is on the list, alerts nobody else, and says the same every time."""

import cv2
import numpy as np
import pytest
from appliance_run import Appliance, deployment, pictures_of

from appliance.evaluation import street
from appliance.evaluation.scenario import Person
from appliance.vision import aligner
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.install import ensure_picture
from appliance.vision.models import load_manifest

SHORT_STREET = "street:?people=2&seed=3&gap=1.5&fps=10&extras=0"


def listed(folder) -> Person:
    """Somebody of the test data, enrolled with their first photo."""
    return Person(folder.name[:60], (min(folder.glob("*.jpg")),))


@pytest.mark.timeout(150)
def test_on_real_clips_a_list_of_strangers_alerts_nobody(folder, faces, test_data):
    clips = sorted((test_data / "clips").iterdir())
    cameras = [
        {"name": f"clip{i}", "source": str(clip), "pace": "fast", "min_face_px": 40 if clip.suffix == ".mp4" else 24}
        for i, clip in enumerate(clips)
    ]
    path = deployment(folder, cameras, [listed(one) for one in faces[:60]])
    with Appliance(path) as run:
        people = run.until(
            lambda: run.metric("lfr_people_seen_total", camera="clip0"), "somebody is seen in the classroom"
        )
        assert run.wait(120) == 0
        assert run.alerts() == []
    assert people >= 2


@pytest.mark.timeout(150)
def test_in_a_street_of_people_those_on_the_list_are_alerted_and_the_others_not(folder, faces, capsys):
    people = faces[100:118]
    on_list = people[::3]
    names = folder / "who.txt"
    names.write_text("\n".join(one.name for one in people))
    source = f"street:?faces={people[0].parent}&order=@{names}&photo=last&seed=5&gap=1.3&fps=10&extras=0"
    path = deployment(folder, [{"name": "a", "source": source, "pace": "fast"}], [listed(one) for one in on_list])
    with Appliance(path) as run:
        assert run.wait(140) == 0
        alerts = run.alerts()
    truth = street.Truth(source)
    right = {a.entry.id for a in alerts if truth.who(a.media_s, a.face_xyxy, a.scene_wh)[:60] == a.entry.id}
    wrong = [a for a in alerts if truth.who(a.media_s, a.face_xyxy, a.scene_wh)[:60] != a.entry.id]
    with capsys.disabled():
        print(f"\n{len(right)} of {len(on_list)} on the list alerted; {len(wrong)} alerts on {len(people)} for others")
    assert wrong == []
    assert len(right) >= len(on_list) - 1
    assert len(alerts) == len(right)


@pytest.mark.timeout(120)
def test_the_same_configuration_twice_gives_the_same_alerts_and_nobody_else_is_in_their_pictures(folder):
    hopper, other = ensure_picture("hopper"), ensure_picture("astronaut")
    found = []
    for attempt in ("one", "two"):
        path = deployment(
            folder / attempt,
            [{"name": "a", "source": SHORT_STREET, "pace": "fast"}],
            [Person("hopper", (hopper,))],
            alerts={"publish": f"ipc://{folder}/p{attempt}", "replay": f"ipc://{folder}/r{attempt}"},
        )
        with Appliance(path) as run:
            assert run.wait(60) == 0
            found.append([(a.entry.id, a.score, a.media_s, a.face_xyxy, a.track.id) for a in run.alerts()])
            pictures = list(pictures_of(run.config))
    assert found[0] == found[1]
    assert [one[0] for one in found[0]] == ["hopper"]
    _nobody_else_is_in(pictures, other)


def _nobody_else_is_in(pictures, other) -> None:
    """Detector and embedder, run again over all that was published, find nobody who resembles the other person."""
    manifest = load_manifest()
    detector = open_detector(manifest, "centerface", "cpu", min_face_px=16)
    embedder = open_embedder(manifest, "mobilefacenet", "cpu")

    def templates(image):
        faces = detector.detect(image)
        return embedder.embed(aligner.align(image, faces.landmarks)), faces

    own, _ = templates(cv2.imread(str(other)))
    for alert, (scene, face, _) in pictures:
        image = cv2.imdecode(np.frombuffer(scene, np.uint8), cv2.IMREAD_COLOR)
        found, boxes = templates(image)
        assert len(boxes) >= 1
        similar = found @ own[0]
        assert similar.max() < 0.35, f"{alert.id}: the scene shows somebody else ({similar.max():.2f})"
        found, _ = templates(cv2.imdecode(np.frombuffer(face, np.uint8), cv2.IMREAD_COLOR))
        assert (found @ own[0]).max(initial=-1) < 0.35
