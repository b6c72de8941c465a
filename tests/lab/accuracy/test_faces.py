from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.core.errors import LfrError
from appliance.lab.accuracy import faces
from appliance.lab.accuracy.faces import Vectors, measure
from appliance.lab.people import photos_by_person
from appliance.vision import models
from appliance.vision.examine import open_examiner


def _vectors(people: int, likeness: float, dimension: int = 64, seed: int = 0) -> Vectors:
    """Two pictures a person: directions drawn at random, the second at a cosine of about `likeness` to the first."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(people, dimension))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    noise = rng.normal(size=(people, dimension))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    second = likeness * own + np.sqrt(1 - likeness**2) * noise
    both = np.stack([own, second / np.linalg.norm(second, axis=1, keepdims=True)], axis=1).reshape(-1, dimension)
    vectors = both.astype(np.float32)
    return Vectors(np.repeat(np.arange(people), 2), vectors, vectors, people, 2 * people)


def test_people_who_resemble_themselves_are_found_and_strangers_are_not() -> None:
    result = measure(_vectors(400, 0.95), 100, threshold=0.8)
    assert result.at_threshold is not None
    assert result.at_threshold.tpir == 1
    assert result.at_threshold.fpir == 0
    assert result.mated_people == 100
    assert result.non_mated_people == 300


def test_a_threshold_keeps_the_wanted_rate_and_no_lower_one_does() -> None:
    vectors = _vectors(600, 0.5, dimension=24)
    result = measure(vectors, 100, draws=5)
    point = result.wanted["1/100"]
    assert point is not None
    assert point.fpir <= 1 / 100
    lower = measure(vectors, 100, draws=5, threshold=point.threshold - 1e-6).at_threshold
    assert lower is not None
    assert lower.fpir >= 1 / 100
    assert point.fpir_interval[0] <= point.fpir <= point.fpir_interval[1]
    assert point.tpir_interval[0] <= point.tpir <= point.tpir_interval[1]


def test_a_rate_that_so_few_strangers_cannot_show_is_not_claimed() -> None:
    result = measure(_vectors(600, 0.9), 100, draws=50)
    assert result.wanted["1/100"] is not None
    assert result.wanted["1/1000"] is None
    assert result.wanted["1/6000"] is None


def test_a_longer_list_finds_no_more_at_the_same_rate() -> None:
    vectors = _vectors(1200, 0.45, dimension=32)
    short, long = (measure(vectors, size).wanted["1/100"] for size in (50, 800))
    assert short is not None
    assert long is not None
    assert long.tpir < short.tpir


def test_somebody_else_in_first_place_is_not_found() -> None:
    vectors = _vectors(50, 0.9)
    vectors.probes[:] = vectors.probes[0]
    result = measure(vectors, 20, threshold=-0.99)
    assert result.at_threshold is not None
    assert result.at_threshold.tpir < 0.2


def test_the_same_seed_gives_the_same_figures() -> None:
    vectors = _vectors(300, 0.5)
    assert measure(vectors, 100, seed=4) == measure(vectors, 100, seed=4)
    assert measure(vectors, 100, seed=4) != measure(vectors, 100, seed=5)


@pytest.mark.parametrize("size", [0, 300, 5000])
def test_a_list_longer_than_there_are_people_is_refused(size: int) -> None:
    with pytest.raises(LfrError, match="watchlist"):
        measure(_vectors(300, 0.5), size)


def test_people_with_one_picture_each_cannot_be_found_and_that_is_said() -> None:
    vectors = _vectors(40, 0.9)
    alone = Vectors(np.arange(80), vectors.probes, vectors.templates, 80, 80)
    with pytest.raises(LfrError, match="second picture"):
        measure(alone, 10)


@pytest.fixture
def installed() -> models.Manifest:
    manifest = models.load_manifest()
    if any(models.verify(manifest).values()):
        pytest.skip("run lfr models install")
    return manifest


def test_the_command_measures_what_enrolment_takes_and_counts_what_it_refuses(
    installed: models.Manifest, tmp_path: Path
) -> None:
    for name in ("astronaut", "hopper"):
        picture = cv2.imread(str(installed.path(installed.pictures[name])))
        assert picture is not None
        folder = tmp_path / name
        folder.mkdir()
        cv2.imwrite(str(folder / "a.jpg"), picture)
        cv2.imwrite(str(folder / "b.png"), cv2.flip(picture, 1))
        (folder / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
        (folder / "empty.png").touch()
        (folder / "notes.txt").write_text("not a picture")
        cv2.imwrite(str(folder / "unsharp.jpg"), cv2.GaussianBlur(picture, (0, 0), 9))
        beside = np.hstack([picture, picture])
    cv2.imwrite(str(tmp_path / "hopper" / "two.jpg"), beside)
    cv2.imwrite(str(tmp_path / "hopper" / "wall.png"), np.full((80, 80, 3), 99, np.uint8))
    from appliance.cli.evaluate import app

    outcome = CliRunner().invoke(app, ["faces", str(tmp_path), "--watchlist-size", "1", "--provider", "cpu", "--json"])
    assert outcome.exit_code == 0, outcome.output
    result = json.loads(outcome.stdout)
    assert (result["people"], result["pictures"], result["pictures_without_face"]) == (2, 12, 5)
    assert (result["pictures_refused"], result["refused_for"]) == (3, {"too blurred": 2, "several faces": 1})
    assert result["at_threshold"]["tpir"] == 1
    assert result["at_threshold"]["fpir"] == 0
    assert result["models"]["embedder"] == "mobilefacenet@87aacdfe5751"


def test_the_manifests_threshold_keeps_strangers_out_and_finds_most(installed: models.Manifest) -> None:
    folder = os.environ.get("LFR_TEST_DATA")
    if not folder:
        pytest.skip("set LFR_TEST_DATA to the folder that holds faces/")
    photos = photos_by_person(Path(folder) / "faces").values()
    people = [pictures[:2] for pictures in photos if len(pictures) > 1][::40]
    make = functools.partial(open_examiner, installed, "centerface", "mobilefacenet")
    vectors, _ = faces.embed_people(people, make)
    result = measure(vectors, 11, threshold=installed.embedder("mobilefacenet").threshold)
    assert result.at_threshold is not None
    assert result.at_threshold.fpir == 0
    assert result.at_threshold.tpir > 0.6
