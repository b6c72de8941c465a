"""`lfr evaluate street` asks for what was meant and tells what came of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from appliance.cli import evaluate as module
from appliance.lab.accuracy import street
from appliance.lab.accuracy.street import StreetFigures

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
