"""`lfr models` on a folder of local files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from appliance.cli.models import app
from appliance.core.errors import ModelError


def _lfr_models(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def test_what_is_missing_is_listed_installed_and_verified(local_models: Any) -> None:
    folder = str(local_models().dir)
    before = json.loads(_lfr_models("list", "--dir", folder, "--json").stdout)
    assert [(entry["name"], entry["installed"]) for entry in before["entries"]] == [("noise", False), ("own", False)]
    assert _lfr_models("verify", "--dir", folder).exit_code == 1

    installed = _lfr_models("install", "--dir", folder, "--json")
    assert installed.exit_code == 0, installed.output
    assert json.loads(installed.stdout)["installed"]["noise"] == "installed"
    assert "already there" in _lfr_models("install", "--dir", folder).stdout

    assert _lfr_models("verify", "--dir", folder).exit_code == 0
    assert json.loads(_lfr_models("verify", "--dir", folder, "--json").stdout)["problems"] == {}
    shown = _lfr_models("list", "--dir", folder)
    assert shown.exit_code == 0
    assert "own" in shown.stdout
    assert "0.4" in shown.stdout


def test_an_altered_model_fails_verification_by_name(local_models: Any) -> None:
    manifest = local_models()
    folder = str(manifest.dir)
    assert _lfr_models("install", "--dir", folder).exit_code == 0
    manifest.path(manifest.embedder("own")).write_bytes(b"altered")
    outcome = _lfr_models("verify", "--dir", folder, "--json")
    assert outcome.exit_code == 1
    assert "was altered" in json.loads(outcome.stdout)["problems"]["own"]


def test_an_entry_that_does_not_exist_is_refused(local_models: Any) -> None:
    outcome = _lfr_models("install", "--dir", str(local_models().dir), "--only", "nothing")
    assert isinstance(outcome.exception, ModelError)
    with pytest.raises(ModelError, match="There are: noise, own"):
        raise outcome.exception
