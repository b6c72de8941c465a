"""`lfr evaluate` asks for what was meant and tells what came of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.cli import evaluate as module
from appliance.core.errors import LfrError
from appliance.lab.accuracy import faces, street
from appliance.lab.accuracy.street import StreetFigures
from appliance.vision import models

FIGURES = StreetFigures(
    people=30,
    watchlist_entries=10,
    passes=30,
    mated_passes=10,
    found=9,
    tpir=0.9,
    tpir_interval=(0.555, 0.997),
    alerts=10,
    false_alerts=1,
    false_alert_rate=1 / 30,
    false_alert_interval=(0.0008, 0.172),
    missed=("Ada",),
    seconds_to_alert=2.25,
    source="street:",
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def evaluate(folder: Path, **options: Any) -> StreetFigures:
        options.pop("said")("under way")
        given.update(options, folder=folder)
        return replace(FIGURES, missed=() if options["seed"] == 2 else FIGURES.missed)

    monkeypatch.setattr(street, "evaluate_street", evaluate)
    return given


def run(*words: Any) -> Any:
    result = CliRunner().invoke(module.app, ["street", *map(str, words)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_says_who_was_found_and_who_was_missed(asked: dict[str, Any], tmp_path: Path) -> None:
    told = run(tmp_path)
    assert "30 people passed, 10 of them on a list of 10." in told
    assert "Found: 9 of 10, 90.0% (95 % interval 55.5% to 99.7%)." in told
    assert "Alerts for somebody else: 1, 3.33% of people seen" in told
    assert "2.2 s (median)" in told
    assert "Missed: Ada" in told
    assert "Missed" not in run(tmp_path, "--seed", 2)


@pytest.mark.parametrize(
    ("options", "listed"), [((), 10), (("--people", 9), 3), (("--listed", 2), 2), (("--people", 5, "--listed", 9), 5)]
)
def test_a_third_is_listed_unless_said_otherwise_and_never_more_than_pass(
    asked: dict[str, Any], tmp_path: Path, options: tuple[Any, ...], listed: int
) -> None:
    run(tmp_path, *options)
    assert asked["listed"] == listed


def test_json_holds_every_figure(asked: dict[str, Any], tmp_path: Path) -> None:
    document = json.loads(run(tmp_path, "--json"))
    assert document["tpir_interval"] == [0.555, 0.997]
    assert set(document) == set(StreetFigures.__dataclass_fields__)


def test_the_refused_are_named_and_brackets_in_a_name_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = replace(FIGURES, missed=("Ada [old]", "Bo"), refused=("Ada [old]",))
    monkeypatch.setattr(street, "evaluate_street", lambda *_, **__: found)
    told = run(tmp_path)
    assert "Enrolment refused the photos of Ada [old]: they count as missed" in told
    assert "Missed: Ada [old], Bo" in told


@pytest.mark.parametrize("options", [("--people", 0), ("--people", 5001), ("--listed", -1), ("--strangers", -1)])
def test_a_street_that_cannot_be_is_refused_before_anything_starts(
    asked: dict[str, Any], tmp_path: Path, options: tuple[str, int]
) -> None:
    result = CliRunner().invoke(module.app, ["street", str(tmp_path), *map(str, options)])
    assert result.exit_code == 2
    assert options[0] in result.stderr
    assert asked == {}


REFS = {"detector": "d@1", "embedder": "e@2", "provider": "cpu"}


@pytest.fixture
def ten_people(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Ten people with two pictures each and no other like them; what would be embedded is made up."""
    for number in range(10):
        person = tmp_path / f"P{number}"
        person.mkdir()
        for picture in (1, 2):
            (person / f"{picture}.jpg").touch()

    def embed_people(
        people: Sequence[Sequence[Path]], make: Callable[[], Any], progress: Callable[[int], None]
    ) -> tuple[faces.Vectors, dict[str, str]]:
        progress(20)
        person = np.repeat(np.arange(len(people)), 2)
        rows = np.eye(len(people), dtype=np.float32)[person]
        return faces.Vectors(person, rows, rows, len(people), 24, {"too blurred": 2, "several faces": 1}), REFS

    monkeypatch.setattr(faces, "embed_people", embed_people)
    return tmp_path


def evaluate_faces(*words: Any) -> Any:
    return CliRunner().invoke(module.app, ["faces", *map(str, words)], env={"COLUMNS": "200"})


def test_accuracy_is_told_with_its_counts_and_what_cannot_be_told(ten_people: Path) -> None:
    told = evaluate_faces(ten_people, "--watchlist-size", 4, "--threshold", 0.5, "--draws", 3)
    assert told.exit_code == 0, told.output
    words = " ".join(told.stdout.split())
    assert (
        "10 people, 24 pictures (1 without a face, 3 that enrolment refuses: 2 too blurred, 1 several faces); "
        "3 watchlists of 4: 4 people on the list and 6 not on it pass each."
    ) in words
    rows = {line.split("│")[1].strip(): line for line in told.stdout.splitlines() if line.count("│") > 5}
    assert list(rows) == ["1/100", "1/1000", "1/6000", "at the threshold"]
    assert all("too few strangers to tell" in rows[rate] for rate in list(rows)[:3])
    assert [cell.strip() for cell in rows["at the threshold"].split("│")[2:4]] == ["0.500", "100.0%"]
    assert "0.000%" in rows["at the threshold"]


def test_the_threshold_is_the_embedders_own_unless_one_is_given(ten_people: Path) -> None:
    def at(*options: Any) -> Any:
        told = evaluate_faces(ten_people, "--watchlist-size", 4, "--json", *options)
        assert told.exit_code == 0, told.output
        return json.loads(told.stdout)

    own = models.load_manifest().embedder("mobilefacenet").threshold
    document = at()
    assert document["at_threshold"]["threshold"] == own
    assert (document["models"], document["draws"], document["watchlist_size"]) == (REFS, 20, 4)
    assert document["refused_for"] == {"too blurred": 2, "several faces": 1}
    assert document["wanted"] == {"1/100": None, "1/1000": None, "1/6000": None}
    assert at("--threshold", 0)["at_threshold"]["fpir"] == 1, "a threshold of nought is one"


@pytest.mark.parametrize(("size", "fits"), [(9, True), (10, False)])
def test_somebody_must_be_left_who_is_not_on_the_list(ten_people: Path, size: int, fits: bool) -> None:
    told = evaluate_faces(ten_people, "--watchlist-size", size, "--json")
    assert (told.exit_code == 0) == fits
    if not fits:
        assert isinstance(told.exception, LfrError)
        assert "--watchlist-size" in told.exception.remedy


def test_an_unknown_model_or_an_empty_folder_ends_in_a_sentence_before_a_picture_is_read(
    ten_people: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(faces, "embed_people", lambda *_, **__: pytest.fail("pictures were read"))
    unknown = evaluate_faces(ten_people, "--watchlist-size", 4, "--embedder", "none")
    assert isinstance(unknown.exception, LfrError)
    assert "none" in str(unknown.exception)
    (tmp_path / "empty").mkdir()
    empty = evaluate_faces(tmp_path / "empty", "--watchlist-size", 4)
    assert isinstance(empty.exception, LfrError)
    assert "holds no folders with pictures" in str(empty.exception)


@pytest.mark.parametrize("options", [("--watchlist-size", 0), ("--watchlist-size", 4, "--draws", 1001), ()])
def test_numbers_out_of_bounds_are_refused(ten_people: Path, options: tuple[Any, ...]) -> None:
    assert evaluate_faces(ten_people, *options).exit_code == 2
