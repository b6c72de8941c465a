"""`lfr doctor`: its exit code says whether anything would stop a deployment, its lines say what."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from appliance.cli import doctor as module
from appliance.doctor import examination
from appliance.doctor.findings import Finding

app = typer.Typer()
app.command()(module.doctor)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    document = {
        "deployment": {"id": "d-1", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T15:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    path = tmp_path / "van.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the examination will find; its second argument is kept as the last finding\'s seconds."""
    findings: list[Finding] = []

    def examine(_config: Any, look_s: float, step: Any, _simulated: Any) -> list[Finding]:
        step("cameras")
        return [*findings, Finding("looked", "ok", f"{look_s:g} s")]

    monkeypatch.setattr(examination, "examine", examine)
    return findings


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "120"})


def test_warnings_alone_do_not_stop_a_deployment(config: Path, found: list[Finding]) -> None:
    found.append(Finding("disk", "warn", "Little room.", "Make some."))
    result = run("-c", config)
    assert result.exit_code == 0
    assert "warning: Little room." in result.stdout
    assert "→ Make some." in result.stdout
    assert "Nothing would stop this deployment; 1 warning." in result.stdout


def test_failures_are_counted_and_fail(config: Path, found: list[Finding]) -> None:
    found += [Finding("models", "fail", "[bold] is gone."), Finding("models", "fail", "b is gone.")]
    result = run("-c", config)
    assert result.exit_code == 1
    assert "fails: [bold] is gone." in result.stdout, "what a finding says is no markup"
    assert "2 things would stop this deployment." in result.stdout
    assert result.stdout.count("models") == 1, "an area is named once"


def test_json_holds_every_finding(config: Path, found: list[Finding]) -> None:
    found.append(Finding("models", "fail", "a is gone.", "Install it."))
    result = run("-c", config, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert document["findings"][0] == {
        "area": "configuration", "level": "ok", "text": f"{config} is understood", "remedy": "",
    }  # fmt: skip
    assert document["findings"][1] == {
        "area": "models", "level": "fail", "text": "a is gone.", "remedy": "Install it.",
    }  # fmt: skip


@pytest.mark.parametrize(("option", "seconds"), [("--no-cameras", "0 s"), ("--cameras", f"{examination.LOOK_S:g} s")])
def test_cameras_are_looked_at_unless_that_is_not_wanted(
    config: Path, found: list[Finding], option: str, seconds: str
) -> None:
    assert seconds in run("-c", config, option).stdout


def test_a_configuration_that_is_not_understood_is_a_finding_and_nothing_else_is_looked_at(
    config: Path, found: list[Finding]
) -> None:
    config.write_text("cameras: 7")
    result = run("-c", config, "--json")
    assert result.exit_code == 1
    assert [(one["area"], one["level"]) for one in json.loads(result.stdout)["findings"]] == [("configuration", "fail")]
