"""`lfr demo` without a terminal: one line an alert, a verdict, an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from alerts_material import alert
from typer.testing import CliRunner

from appliance.cli import demo as module
from appliance.lab import demo as lab
from appliance.lab.demo import LISTED, Demo, Judged, Verdict

app = typer.Typer()
app.command()(module.demo)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A demo whose street is played: `verdict` and `alerts` are what comes of it, `asked` what the command wanted."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    made = SimpleNamespace(
        verdict=Verdict(mated=1, people_seen=7), alerts=[Judged(alert(seq=1), LISTED, 0.3)], asked={}, waited=False
    )

    def prepare(folder: Path, *, console: bool, said: Any) -> Demo:
        said("making keys")
        made.asked["console"] = console
        return Demo(folder, folder / "lfr.yaml", "http://127.0.0.1:1" if console else "", "token", "p", "r", "street:")

    @contextmanager
    def running(prepared: Demo) -> Iterator[Any]:
        yield SimpleNamespace(verdict=made.verdict, alerts=made.alerts, status=None, demo=prepared), SimpleNamespace()

    def follow(_watcher: Any, _appliance: Any, seconds: float | None, _stopped: Any) -> Iterator[list[Judged]]:
        made.asked["seconds"] = seconds
        yield made.alerts
        yield []

    monkeypatch.setattr(lab, "prepare", prepare)
    monkeypatch.setattr(lab, "running", running)
    monkeypatch.setattr(lab, "wait_until_live", lambda *_: setattr(made, "waited", True))
    monkeypatch.setattr(lab, "follow", follow)
    return made


def run(tmp_path: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["--folder", str(tmp_path / "demo"), *words])


def test_an_alert_is_one_line_and_a_good_end_is_exit_code_0(stage: Any, tmp_path: Path) -> None:
    result = run(tmp_path, "--no-console")
    assert result.exit_code == 0, result.output
    assert stage.waited
    assert stage.asked == {"console": False, "seconds": module.UNATTENDED_SECONDS}
    assert f"alert 1: {LISTED}, score 0.71 (threshold 0.55), 300 ms after capture" in result.output
    assert result.output.count("alert 1:") == 1
    assert "people seen: 7" in result.output
    assert "http://" not in result.output


def test_somebody_elses_alert_is_exit_code_1(stage: Any, tmp_path: Path) -> None:
    stage.verdict.false = 1
    result = run(tmp_path, "--seconds", "20")
    assert result.exit_code == 1
    assert stage.asked["seconds"] == 20
    assert "✗ people seen" in result.output


def test_the_consoles_address_works_once_and_is_printed_whole(stage: Any, tmp_path: Path) -> None:
    assert "http://127.0.0.1:1/?demo=token" in run(tmp_path).output


def test_a_folder_that_holds_something_is_refused_before_anything_is_prepared(stage: Any, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").touch()
    result = run(tmp_path)
    assert "is not empty" in str(result.exception)
    assert stage.asked == {}
