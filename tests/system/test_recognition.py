"""The whole appliance on recordings: finds who is on the list, alerts nobody else, and says the same every time."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from appliance_run import Appliance, deployment, pictures_of
from present import image_of, present

from appliance.config.live import load
from appliance.lab.simulation.ground_truth import GroundTruth
from appliance.lab.simulation.scenario import Person
from appliance.stream.subscriber import Preview, Subscriber
from appliance.vision import aligner
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.install import ensure_picture
from appliance.vision.models import load_manifest

ALERT_AT = 0.55
SHORT_STREET = "street:?people=2&seed=3&gap=1.5&fps=8&extras=0&size=960x540"


class Previews:
    """Everything that anybody could see of the live view while a run goes on."""

    def __init__(self, path: Path) -> None:
        alerts = load(path).alerts
        self.jpgs: list[bytes] = []
        self._stream = Subscriber(alerts.publish, alerts.replay, previews=True)
        self._thread = threading.Thread(target=self._collect)

    def _collect(self) -> None:
        for item in self._stream:
            if isinstance(item, Preview):
                self.jpgs.append(bytes(item.picture))

    def __enter__(self) -> list[bytes]:
        self._stream.start()
        self._thread.start()
        return self.jpgs

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._thread.join()


class Again:
    """Detector and embedder, run again over what was published."""

    def __init__(self) -> None:
        manifest = load_manifest()
        self._detector = open_detector(manifest, "centerface", "cpu", min_face_px=16)
        self._embedder = open_embedder(manifest, "mobilefacenet", "cpu")

    def templates(self, picture: Path | bytes) -> np.ndarray:
        """Of the faces that may be recognised in a file or JPEG, largest first; `(n, d)`."""
        image = image_of(picture)
        faces = self._detector.detect(image)
        heights = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
        order = [i for i in np.argsort(-heights) if faces.scores[i] >= self._detector.match_threshold]
        faces = self._detector.refine(image, faces.select(np.array(order, int)))
        return self._embedder.embed(aligner.align(image, faces.landmarks))

    def nearest(self, jpgs: Any, people: np.ndarray) -> float:
        """The greatest similarity of a face in any of the pictures to one of the people `(p, d)`."""
        return max((float((self.templates(jpg) @ people.T).max(initial=-1)) for jpg in jpgs), default=-1.0)


def listed(folder: Path) -> Person:
    """Somebody of the test data, enrolled with their first photo."""
    return Person(folder.name[:60], (min(folder.glob("*.jpg")),))


@pytest.mark.timeout(400)
def test_on_real_clips_a_list_of_strangers_alerts_nobody(folder: Path, faces: Any, test_data: Any) -> None:
    clips = sorted((test_data / "clips").iterdir())
    smallest = {".mp4": 56, ".gif": 24}
    cameras = [
        {"name": f"clip{i}", "source": str(one), "pace": "fast", "min_face_px": smallest[one.suffix], "preview_fps": 0}
        for i, one in enumerate(clips)
    ]
    path = deployment(folder, cameras, [listed(one) for one in faces[:60]])
    with Appliance(path) as run:
        run.until(
            lambda: (run.metric("lfr_people_seen_total", camera="clip0") or 0) >= 2, "people are seen in the classroom"
        )
        assert run.wait(300) == 0
        assert run.alerts() == []


@pytest.mark.timeout(400)
def test_in_a_street_of_people_those_on_the_list_are_alerted_and_the_others_not(
    folder: Path, faces: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    people = faces[100:109]
    on_list = people[::3]
    names = folder / "who.txt"
    names.write_text("\n".join(one.name for one in people))
    source = f"street:?faces={people[0].parent}&order=@{names}&photo=last&seed=5&gap=1.3&fps=8&extras=0&size=1120x630"
    path = deployment(folder, [{"name": "a", "source": source, "pace": "fast"}], [listed(one) for one in on_list])
    with Previews(path) as previews, Appliance(path) as run:
        assert run.wait(300) == 0
        alerts = run.alerts()
        pictures = list(pictures_of(run.config))
    truth = GroundTruth(source)
    right = {a.entry.id for a in alerts if truth.who(present(a.media_s), a.face_xyxy, a.scene_wh)[:60] == a.entry.id}
    wrong = [a for a in alerts if truth.who(present(a.media_s), a.face_xyxy, a.scene_wh)[:60] != a.entry.id]
    with capsys.disabled():
        print(f"\n{len(right)} of {len(on_list)} on the list alerted; {len(wrong)} alerts on {len(people)} for others")
    assert wrong == []
    assert len(right) >= len(on_list) - 1
    assert len(alerts) == len(right)

    again = Again()
    passing = {one.name[:60]: again.templates(max(one.glob("*.jpg")))[0] for one in people}
    others = np.stack([own for name, own in passing.items() if name not in right])
    published = [jpg for _, (scene, face, _) in pictures for jpg in (scene, face)]
    seen = (again.nearest(published, others), again.nearest(previews[-60:], np.stack(list(passing.values()))))
    with capsys.disabled():
        print(f"nearest to anybody else in {len(published)} pictures of alerts: {seen[0]:.2f}")
        print(f"nearest to anybody in {len(previews)} previews: {seen[1]:.2f}")
    assert len(previews) >= 5
    assert max(seen) < ALERT_AT
    for alert, (scene, _, _) in pictures:  # the search would find somebody, were there anybody to find
        assert again.nearest([scene], passing[alert.entry.id][None]) > ALERT_AT - 0.1


@pytest.mark.timeout(400)
def test_the_same_configuration_twice_gives_the_same_alerts_and_nobody_else_is_in_their_pictures(folder: Path) -> None:
    hopper, other = ensure_picture("hopper"), ensure_picture("astronaut")
    found: list[Any] = []
    path = deployment(folder, [{"name": "a", "source": SHORT_STREET, "pace": "fast"}], [Person("hopper", (hopper,))])
    for _ in range(2):
        with Previews(path) as previews, Appliance(path) as run:
            assert run.wait(150) == 0
            alerts = run.alerts()[sum(map(len, found)) :]
            found.append([(a.entry.id, a.score, a.media_s, a.face_xyxy, a.track.id) for a in alerts])
            pictures = list(pictures_of(run.config))
    assert found[0] == found[1]
    assert [one[0] for one in found[0]] == ["hopper"]
    again = Again()
    own = again.templates(other)
    for _, (scene, face, _) in pictures:
        assert len(again.templates(scene)) == len(again.templates(face)) == 1
        assert again.nearest([scene, face], own) < 0.35
    assert previews
    assert again.nearest(previews, np.concatenate([own, again.templates(hopper)])) < 0.35
