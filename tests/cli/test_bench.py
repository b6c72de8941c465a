"""`lfr bench` shows what was measured, section by section, and as one document."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from appliance.cli import bench as module
from appliance.core.errors import LfrError
from appliance.lab.bench.sections import SECTIONS, Asked

app = typer.Typer()
app.command()(module.bench)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Asked]]:
    """What was asked for, with measurements that take no time."""
    asked_for: list[tuple[str, Asked]] = []

    def measure(section: str, asked: Asked, said: Callable[[str], None]) -> dict[str, Any]:
        said("under way")
        asked_for.append((section, asked))
        return {"p50_s": 0.25, "build": {"photos_per_second": 7}, "interval": (0.1, 0.2)}

    monkeypatch.setattr(module, "measure", measure)
    return asked_for


def test_every_section_is_measured_with_what_was_asked_for_and_shown(
    measured: list[tuple[str, Asked]], tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["--entries", "50", "--seconds", "9", "--faces", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert [section for section, _ in measured] == list(SECTIONS)
    assert {asked for _, asked in measured} == {Asked(entries=50, seconds=9, min_face_px=40, faces=tmp_path)}
    for text in ("pipeline", "p50 s", "0.25", "build: photos per second", "0.1 / 0.2"):
        assert text in result.stdout


def test_json_is_one_document_by_section(measured: list[tuple[str, Asked]]) -> None:
    result = CliRunner().invoke(app, ["--only", "stream,run", "--json"])
    assert list(json.loads(result.stdout)) == ["stream", "run"]


def test_an_unknown_section_measures_nothing(measured: list[tuple[str, Asked]]) -> None:
    result = CliRunner().invoke(app, ["--only", "stream,brakes"])
    assert isinstance(result.exception, LfrError)
    assert "no section brakes" in str(result.exception)
    assert measured == []


@pytest.mark.parametrize("option", [("--entries", "0"), ("--entries", "10001"), ("--seconds", "1")])
def test_what_is_out_of_bounds_is_refused(measured: list[tuple[str, Asked]], option: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, list(option)).exit_code == 2
    assert measured == []
