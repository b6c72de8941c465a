"""`lfr users`: what a person types, and what is left on the disk and in the audit record."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from appliance.audit.record import AuditRecord
from appliance.cli import console as commands
from appliance.core.errors import SecretError

GOOD = "correct horse battery"


@pytest.fixture
def config(tmp_path: Path) -> Any:
    document = {
        "deployment": {"id": "d-1", "starts": "2026-11-21T10:00:00Z", "ends": "2026-11-21T15:00:00Z"},
        "watchlist": {"file": "list.lfrw", "key": "seal.key"},
        "cameras": [{"name": "north", "source": "test:"}],
        "alerts": {"state_dir": "state"},
    }
    path = tmp_path / "van.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def run(*arguments: Any, given: Any = "") -> Any:
    return CliRunner().invoke(commands.users_app, [str(part) for part in arguments], input=given)


def test_a_user_is_added_listed_and_removed_and_each_act_is_recorded(config: Any) -> None:
    added = run("add", "Anna", "-c", config, "--role", "operator", "--password-stdin", given=GOOD + "\n")
    assert added.exit_code == 0, added.output
    assert GOOD not in added.output
    listed = json.loads(run("list", "-c", config, "--json").output)
    assert [(user["name"], user["role"]) for user in listed] == [("anna", "operator")]
    assert run("remove", "anna", "-c", config).exit_code == 0
    assert json.loads(run("list", "-c", config, "--json").output) == []
    acts = [record.act for record in AuditRecord(config.parent / "state").records()]
    assert acts == ["user.added", "user.removed"]


def test_the_password_is_asked_for_twice_and_not_shown(config: Any) -> None:
    asked = run("add", "anna", "-c", config, "--role", "viewer", given=f"{GOOD}\n{GOOD}\n")
    assert asked.exit_code == 0, asked.output
    assert GOOD not in asked.output


def test_an_unknown_role_is_refused_before_a_password_is_asked_for(config: Any) -> None:
    refused = run("add", "anna", "-c", config, "--role", "chief")
    assert isinstance(refused.exception, SecretError)
    assert "operator" in str(refused.exception)


def test_an_empty_list_says_how_to_add_somebody(config: Any) -> None:
    assert "lfr users add" in run("list", "-c", config).output
